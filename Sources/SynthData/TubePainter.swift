import Imaging
import Numerics

/// Draws tubes into a field of shares: how much of a voxel the tube fills, from 0 to 1.
struct TubePainter {
    let grid: PhantomGrid
    private let voxel: PatientPoint
    private let size: Float

    init(grid: PhantomGrid) {
        self.grid = grid
        voxel = PatientPoint(Float(grid.spacing.xMM), Float(grid.spacing.yMM), Float(grid.spacing.zMM))
        size = (voxel.x + voxel.y + voxel.z) / 3
    }

    /// Raises `shares` to what the tubes fill. `widened` millimetres are added to every radius.
    func paint(
        _ segments: [TubeSegment], widened: Float = 0, into shares: UnsafeMutableBufferPointer<Float>, pool: ThreadPool?
    ) {
        let shape = grid.shape
        nonisolated(unsafe) let shares = shares
        runRanges(shape.depth, stride: 8, on: pool) { slices in
            for segment in segments { paint(segment, widened, slices, shares) }
        }
    }

    private func paint(
        _ segment: TubeSegment, _ widened: Float, _ slices: Range<Int>, _ shares: UnsafeMutableBufferPointer<Float>
    ) {
        let radius = max(segment.startRadius, segment.endRadius) + widened + size
        let (a, b) = (segment.start, segment.end)
        let origin = grid.position(z: 0, y: 0, x: 0), shape = grid.shape
        func range(_ low: Float, _ high: Float, _ origin: Float, _ step: Float, _ count: Int) -> Range<Int> {
            let first = max(Int(((low - radius - origin) / step).rounded(.down)), 0)
            let last = min(Int(((high + radius - origin) / step).rounded(.up)), count - 1)
            return first..<max(first, last + 1)
        }
        let zs = range(min(a.z, b.z), max(a.z, b.z), origin.z, voxel.z, shape.depth).clamped(to: slices)
        let ys = range(min(a.y, b.y), max(a.y, b.y), origin.y, voxel.y, shape.height)
        let xs = range(min(a.x, b.x), max(a.x, b.x), origin.x, voxel.x, shape.width)
        let axis = b - a, squared = max(axis.dot(axis), 1e-6)
        for z in zs {
            for y in ys {
                for x in xs {
                    let p = PatientPoint(origin.x + Float(x) * voxel.x, origin.y + Float(y) * voxel.y,
                                         origin.z + Float(z) * voxel.z)
                    let along = max(0, min(1, (p - a).dot(axis) / squared))
                    let distance = (p - a - axis * along).length
                    let r = segment.startRadius + (segment.endRadius - segment.startRadius) * along + widened
                    // A tube thinner than a voxel fills the share of its cross-section.
                    let edge = min(1, max(0, (max(r, 0.5 * size) - distance) / size + 0.5))
                    let share = edge * min(1, 3.1416 * r * r / (size * size))
                    let index = shape.index(z: z, y: y, x: x)
                    if share > shares[index] { shares[index] = share }
                }
            }
        }
    }
}
