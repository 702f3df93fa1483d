import CKernels
import Imaging
import Numerics

/// Where the lesions are (method.md A2, shapes): ellipsoids of three sizes, elastically deformed, rotated, in the lung.
struct LesionShapes {
    let settings: LesionSettings
    let shape: VolumeShape
    let lung: UnsafeBufferPointer<UInt8>
    let workspace: LesionWorkspace
    let pool: ThreadPool?

    /// Three semi-axes in paper voxels.
    private typealias Radii = (Float, Float, Float)

    /// Sets the voxels of G. Stream 0 draws how many and how large; stream 1 + i draws ellipsoid i.
    func draw(lambda: Float, countFactor: Float, key: RandomKey, into lesion: UnsafeMutableBufferPointer<UInt8>) {
        let voxels = countLungVoxels()
        if voxels == 0 { return }
        var random = key.stream(0)
        for (index, radii) in sizes(lambda, countFactor, &random).enumerated() {
            var random = key.stream(UInt32(index + 1))
            draw(radii, around: lungVoxel(random.index(below: voxels)), &random, into: lesion)
        }
    }

    private func sizes(_ lambda: Float, _ countFactor: Float, _ random: inout RandomStream) -> [Radii] {
        guard settings.shapes else {
            return Array(repeating: (12, 12, 12), count: Int((5 * countFactor).rounded()))
        }
        var sizes: [Radii] = []
        for (low, high) in [(3, 10), (10, 32)] as [(Float, Float)] {
            let count = Int((random.uniform(5 * lambda, 10 * lambda) * countFactor).rounded())
            for _ in 0..<max(0, count) {
                sizes.append((random.uniform(low, high), random.uniform(low, high), random.uniform(low, high)))
            }
        }
        if random.uniform() < 0.2 * lambda {
            sizes.append((random.uniform(32, 64), random.uniform(32, 64), random.uniform(32, 64)))
        }
        return sizes
    }

    /// Fills the workspace's counts of lung voxels in every row.
    private func countLungVoxels() -> Int {
        let rows = shape.depth * shape.height
        if workspace.rowCounts.count != rows { workspace.rowCounts = [Int32](repeating: 0, count: rows) }
        var total = 0
        for row in 0..<rows {
            let count = quintet_count_set(lung.baseAddress! + row * shape.width, shape.width)
            workspace.rowCounts[row] = Int32(count)
            total += count
        }
        return total
    }

    /// The `number`-th voxel of the lung in C order.
    private func lungVoxel(_ number: Int) -> (z: Int, y: Int, x: Int) {
        var left = number, row = 0
        while left >= Int(workspace.rowCounts[row]) {
            left -= Int(workspace.rowCounts[row])
            row += 1
        }
        var x = 0
        while true {
            if lung[row * shape.width + x] != 0 {
                if left == 0 { return (row / shape.height, row % shape.height, x) }
                left -= 1
            }
            x += 1
        }
    }

    private func draw(
        _ radii: Radii, around centre: (z: Int, y: Int, x: Int), _ random: inout RandomStream,
        into lesion: UnsafeMutableBufferPointer<UInt8>
    ) {
        let unit = settings.paperVoxels, largest = max(radii.0, radii.1, radii.2)
        func reach(_ unit: Double) -> Int { Int((Double(largest * 1.4 + 2) / unit).rounded(.up)) }
        func around(_ centre: Int, _ reach: Int, _ count: Int) -> Range<Int> {
            max(centre - reach, 0)..<min(centre + reach + 1, count)
        }
        let box = VoxelBox(z: around(centre.z, reach(unit.z), shape.depth),
                              y: around(centre.y, reach(unit.y), shape.height),
                              x: around(centre.x, reach(unit.x), shape.width))
        let sigma = Double(random.uniform(4, 8))
        let amplitude = random.uniform(0.1, 0.3) * (radii.0 + radii.1 + radii.2) / 3
        let matrix = Self.rotation(&random, dividedBy: radii)
        let elastic = settings.shapes
            ? ElasticField(box: box, sigma: (z: sigma / unit.z, y: sigma / unit.y, x: sigma / unit.x),
                           amplitude: amplitude, random: &random, workspace: workspace.filter, pool: pool) : nil
        for z in box.z {
            let weights = elastic?.weights(z: z - box.z.lowerBound) ?? []
            for y in box.y {
                let first = shape.index(z: z, y: y, x: box.x.lowerBound)
                let fields = elastic?.rows(z: z - box.z.lowerBound, y: y - box.y.lowerBound)
                quintet_ellipsoid_row(
                    fields?.0, fields?.1, fields?.2, elastic?.planeStride ?? 0, weights, Int32(weights.count / 3),
                    matrix, Float(z - centre.z) * Float(unit.z), Float(y - centre.y) * Float(unit.y),
                    Float(box.x.lowerBound - centre.x), Float(unit.x), lung.baseAddress! + first,
                    lesion.baseAddress! + first, box.x.count)
            }
        }
    }

    /// A random rotation, every one as likely (a quaternion of four normals), its rows divided by the semi-axes.
    private static func rotation(_ random: inout RandomStream, dividedBy radii: Radii) -> [Float] {
        var (a, b, c, d) = (random.normal(), random.normal(), random.normal(), random.normal())
        let length = max((a * a + b * b + c * c + d * d).squareRoot(), 1e-6)
        (a, b, c, d) = (a / length, b / length, c / length, d / length)
        return [
            (1 - 2 * (c * c + d * d)) / radii.0, 2 * (b * c - a * d) / radii.0, 2 * (b * d + a * c) / radii.0,
            2 * (b * c + a * d) / radii.1, (1 - 2 * (b * b + d * d)) / radii.1, 2 * (c * d - a * b) / radii.1,
            2 * (b * d - a * c) / radii.2, 2 * (c * d + a * b) / radii.2, (1 - 2 * (b * b + c * c)) / radii.2,
        ]
    }
}

/// A random displacement of every voxel of a box: three smooth fields, along z, y and x, each with `amplitude` as its
/// largest value, mirrored at the box's border.
struct ElasticField {
    private var fields: [NoiseField] = []
    private var scales: [Float] = []
    private let width: Int

    var planeStride: Int { fields[0].planeStride }

    init(
        box: VoxelBox, sigma: (z: Double, y: Double, x: Double), amplitude: Float, random: inout RandomStream,
        workspace: FilterWorkspace, pool: ThreadPool?
    ) {
        let size = VolumeShape(depth: box.z.count, height: box.y.count, width: box.x.count)
        width = size.width
        let row = workspace.buffer(LesionWorkspace.Slot.row, count: width).baseAddress!
        for axis in 0..<3 {
            let field = NoiseField(box: size, sigma: sigma, padded: false, random: &random,
                                   slot: LesionWorkspace.Slot.fields + axis, workspace: workspace, pool: pool)
            var low = Float.infinity, high = -Float.infinity
            field.forEachRow(size, into: row) { _ in quintet_range(row, size.width, &low, &high) }
            fields.append(field)
            scales.append(amplitude / max(max(high, -low), 1e-9))
        }
    }

    /// What slice z's planes count for, for the three fields one after another.
    func weights(z: Int) -> [Float] {
        zip(fields, scales).flatMap { field, scale in field.weights(z: z).map { $0 * scale } }
    }

    /// Row y of the first of slice z's planes, of the three fields.
    func rows(z: Int, y: Int) -> (UnsafePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>) {
        (fields[0].plane(z: z) + y * width, fields[1].plane(z: z) + y * width, fields[2].plane(z: z) + y * width)
    }
}
