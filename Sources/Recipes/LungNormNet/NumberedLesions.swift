import Imaging
import Numerics

/// One lesion of an answer: a connected part of it, voxels that share a corner being connected.
public struct LungLesion: Codable, Hashable, Sendable {
    /// 1 is the largest.
    public var number: Int
    public var lesionML: Double
    /// Of its voxels' middles, in the CT's own RAS+ millimetres.
    public var centreXMM: Double
    public var centreYMM: Double
    public var centreZMM: Double
    /// Of the CT's values.
    public var meanHU: Double
    /// Of its voxels: on the patient's right, in the upper and in the lower third of the lungs.
    public var rightPercent: Double
    public var upperPercent: Double
    public var lowerPercent: Double
    /// Of its voxels: with a face on the rim of the lung mask.
    public var rimPercent: Double
}

/// The lesions of an answer one by one.
public struct NumberedLesions {
    /// 0: none; lesions from 65535 on share that number.
    public let numbers: Volume<UInt16>
    /// The largest ones first, at most `listedMax`.
    public let lesions: [LungLesion]

    /// What a worker's report has room for, and a person reads.
    public static let listedMax = 200

    /// All on one grid.
    public init(_ lesion: Mask, lung: Mask, ct: Volume<Float>, pool: ThreadPool) {
        precondition(lesion.shape == lung.shape && lesion.shape == ct.shape, "a lesion is on its CT's grid")
        let components = lesion.voxels.withUnsafeBufferPointer {
            RunComponents(mask: $0, shape: lesion.shape, neighbourhood: .full, pool: pool)
        }
        let sizes = components.voxelCounts(), labels = components.labelVolume(pool: pool)
        // Of equal ones the one that begins first.
        let order = sizes.indices.sorted { (sizes[$1], $0) < (sizes[$0], $1) }
        var numberOfLabel = [UInt16](repeating: 0, count: sizes.count + 1)
        for (place, index) in order.enumerated() { numberOfLabel[index + 1] = UInt16(min(place + 1, 65_535)) }
        let regions = LungRegions(lung: lung)
        var sums = [Sums](repeating: Sums(), count: min(sizes.count, Self.listedMax))
        var numbers = [UInt16](repeating: 0, count: labels.count)
        let shape = lesion.shape
        lung.voxels.withUnsafeBufferPointer { inside in
            for z in 0..<shape.depth {
                for y in 0..<shape.height {
                    let start = shape.index(z: z, y: y, x: 0)
                    for x in 0..<shape.width where labels[start + x] > 0 {
                        let number = numberOfLabel[Int(labels[start + x])]
                        numbers[start + x] = number
                        guard number <= sums.count else { continue }
                        sums[Int(number) - 1].add(
                            (x, y, z), Double(ct.voxels[start + x]), regions,
                            isOnRim: LungRim.isOnRim(x, y, z, inside, shape))
                    }
                }
            }
        }
        self.numbers = Volume(shape: shape, geometry: lesion.geometry, voxels: numbers)
        lesions = sums.enumerated().map { $1.lesion(number: $0 + 1, lesion.geometry) }
    }

    private struct Sums {
        private var count = 0.0
        private var place = (x: 0.0, y: 0.0, z: 0.0)
        private var value = 0.0
        private var right = 0.0, upper = 0.0, lower = 0.0, rim = 0.0

        mutating func add(_ at: (x: Int, y: Int, z: Int), _ hu: Double, _ regions: LungRegions, isOnRim: Bool) {
            count += 1
            place = (place.x + Double(at.x), place.y + Double(at.y), place.z + Double(at.z))
            value += hu
            let region = regions.region(at.x, at.y, at.z)
            right += region.isRight ? 1 : 0
            upper += region.third == 0 ? 1 : 0
            lower += region.third == 2 ? 1 : 0
            rim += isOnRim ? 1 : 0
        }

        func lesion(number: Int, _ geometry: Geometry) -> LungLesion {
            /// No digits that nobody has measured.
            func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
            func percent(_ part: Double) -> Double { rounded(100 * part / count) }
            let affine = geometry.affine, (x, y, z) = (place.x / count, place.y / count, place.z / count)
            let world = (0..<3).map { row in
                rounded(affine[4 * row] * x + affine[4 * row + 1] * y + affine[4 * row + 2] * z + affine[4 * row + 3])
            }
            return LungLesion(
                number: number, lesionML: rounded(count * geometry.voxelML), centreXMM: world[0],
                centreYMM: world[1], centreZMM: world[2], meanHU: rounded(value / count),
                rightPercent: percent(right), upperPercent: percent(upper), lowerPercent: percent(lower),
                rimPercent: percent(rim))
        }
    }
}
