import CKernels
import Imaging
import Numerics

/// Gaussian-filtered noise of mean 0 over a box, drawn on a coarser lattice where the filter is wide: only its shape
/// counts, it is stretched to a given range afterwards. Between the nodes it is read out with the cubic B-spline,
/// whose variance the filter leaves out. The planes hold every (y, x) and the nodes along z.
struct NoiseField {
    let planes: UnsafePointer<Float>
    let planeStride: Int
    private let step: Int
    /// `step` times four weights, or a single one where every slice has its plane.
    private let weights: [Float]

    /// Weights of a row.
    var taps: Int { step == 1 ? 1 : 4 }

    /// - Parameters:
    ///   - sigma: of the filter, in voxels.
    ///   - padded: the noise reaches 3 sigma beyond the box; otherwise it is mirrored at the box's border.
    ///   - slot: the workspace's buffer that keeps the planes.
    init(
        box: VolumeShape, sigma: (z: Double, y: Double, x: Double), padded: Bool, random: inout RandomStream,
        slot: Int, workspace: FilterWorkspace, pool: ThreadPool?
    ) {
        let counts = [box.depth, box.height, box.width], sigmas = [sigma.z, sigma.y, sigma.x]
        var lengths = counts, filters: [GaussianAxis] = []
        let steps = sigmas.map { $0 < GaussianAxis.wideSigma ? 1 : Int($0 / 1.5) }
        for axis in 0..<3 {
            let (step, nodes) = (steps[axis], GaussianAxis.nodeCount(count: counts[axis], step: steps[axis]))
            let variance = sigmas[axis] * sigmas[axis] - (step > 1 ? Double(step * step) / 3 : 0)
            let narrow = variance.squareRoot() / Double(step), radius = Int(3 * narrow + 0.5)
            lengths[axis] = padded ? nodes + 2 * radius : nodes
            filters.append(padded ? .valid(outputCount: nodes, sigma: narrow, radius: radius)
                : .direct(count: nodes, sigma: narrow, truncate: 3, boundary: .mirror))
        }
        var passes = (0..<3).map { (axis: $0, operation: filters[$0]) }
        for axis in [2, 1] where steps[axis] > 1 {
            passes.append((axis, .expand(count: counts[axis], step: steps[axis])))
        }

        var shape = VolumeShape(depth: lengths[0], height: lengths[1], width: lengths[2])
        var source = workspace.buffer(LesionWorkspace.Slot.noise, count: shape.voxelCount)
        random.fill(source)
        for index in source.indices { source[index] -= 0.5 }
        for (index, pass) in passes.enumerated() {
            var next = shape
            switch pass.axis {
            case 0: next.depth = pass.operation.outputCount
            case 1: next.height = pass.operation.outputCount
            default: next.width = pass.operation.outputCount
            }
            let isLast = index == passes.count - 1
            let free = index % 2 == 0 ? LesionWorkspace.Slot.turn : LesionWorkspace.Slot.noise
            let target = workspace.buffer(isLast ? slot : free, count: next.voxelCount)
            pass.operation.apply(alongAxis: pass.axis, from: UnsafePointer(source.baseAddress!), shape: shape,
                                 to: target.baseAddress!, pool: pool)
            (source, shape) = (target, next)
        }
        planes = UnsafePointer(source.baseAddress!)
        planeStride = box.sliceVoxelCount
        step = steps[0]
        weights = step == 1 ? [1] : (0..<step).flatMap { phase in
            GaussianAxis.cubicSpline(at: Double(phase) / Double(steps[0])).map { Float($0) }
        }
    }

    /// Where slice z begins to read: its first plane.
    func plane(z: Int) -> UnsafePointer<Float> { planes + (step == 1 ? z : z / step) * planeStride }

    /// The weights of slice z's planes.
    func weights(z: Int) -> ArraySlice<Float> {
        step == 1 ? weights[0..<1] : weights[4 * (z % step)..<4 * (z % step) + 4]
    }

    /// Reads the rows one by one into `row`; `use` gets the index of each row's first voxel in the box.
    func forEachRow(_ box: VolumeShape, into row: UnsafeMutablePointer<Float>, _ use: (Int) -> Void) {
        for z in 0..<box.depth {
            let plane = plane(z: z)
            weights(z: z).withUnsafeBufferPointer { weights in
                for y in 0..<box.height {
                    quintet_weighted_rows(plane + y * box.width, planeStride, weights.baseAddress!, Int32(taps), row,
                                          box.width)
                    use(box.index(z: z, y: y, x: 0))
                }
            }
        }
    }
}
