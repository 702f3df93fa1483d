/// The neighbourhood that morphology works with: a box, a ball or an ellipse in the plane around each voxel.
public struct StructuringElement: Sendable {
    /// One dilation after another; a box is three of them, one an axis.
    struct Pass: Sendable {
        var radiusZ: Int
        var radiusY: Int
        /// For each offset (dz, dy), z slowest, how far the element reaches in x; -1 where it has no voxel.
        var reach: [Int32]
    }

    let passes: [Pass]
    /// Largest offsets on the axes.
    public let radius: (z: Int, y: Int, x: Int)

    /// A box of odd size.
    public init(box: BoxSize) {
        radius = (box.z / 2, box.y / 2, box.x / 2)
        passes = [
            Pass(radiusZ: 0, radiusY: 0, reach: [Int32(box.x / 2)]),
            Pass(radiusZ: 0, radiusY: box.y / 2, reach: Array(repeating: 0, count: box.y)),
            Pass(radiusZ: box.z / 2, radiusY: 0, reach: Array(repeating: 0, count: box.z)),
        ]
    }

    /// A ball's table and the time that it takes grow with the square of its radius in voxels. On a grid so fine that a
    /// ball is wider than this, ask `DistanceTransform` instead.
    static let ballRadiusVoxelsMax = 512

    /// All voxels whose centre is at most `radiusMM` away, which are `ballRadiusVoxelsMax` voxels or less.
    public init(ballRadiusMM radiusMM: Double, spacing: Spacing) {
        precondition(radiusMM >= 0 && radiusMM.isFinite, "a ball has a radius of 0 mm or more")
        // A rounding error must not lose the voxel that lies exactly on the radius.
        let squared = radiusMM * radiusMM * (1 + 1e-12)
        func steps(_ squaredMM: Double, _ spacingMM: Double) -> Int {
            squaredMM < 0 ? -1 : Int(squaredMM.squareRoot() / spacingMM * (1 + 1e-12))
        }
        radius = (steps(squared, spacing.zMM), steps(squared, spacing.yMM), steps(squared, spacing.xMM))
        precondition(
            max(radius.z, radius.y, radius.x) <= Self.ballRadiusVoxelsMax, "a ball of \(radius) voxels is too wide")
        var reach: [Int32] = []
        for dz in -radius.z...radius.z {
            for dy in -radius.y...radius.y {
                let (z, y) = (Double(dz) * spacing.zMM, Double(dy) * spacing.yMM)
                reach.append(Int32(steps(squared - z * z - y * y, spacing.xMM)))
            }
        }
        passes = [Pass(radiusZ: radius.z, radiusY: radius.y, reach: reach)]
    }

    /// An ellipse in the axial plane, `size` x `size` voxels, `size` odd: the very pixels of OpenCV's
    /// `getStructuringElement(MORPH_ELLIPSE, (size, size))`, which are not those of a disc. In the row `dy` from the
    /// middle it reaches sqrt(r^2 - dy^2) pixels to both sides, rounded (half to even), r = (size - 1) / 2.
    public init(planeEllipse size: Int) {
        precondition(size >= 1 && size % 2 == 1 && size <= 1023, "an ellipse has an odd size from 1 to 1023 voxels")
        let half = size / 2
        radius = (0, half, half)
        let reach = (-half...half).map { row -> Int32 in
            guard half > 0 else { return 0 }
            let share = Double(half * half - row * row) * (1 / Double(half * half))
            return Int32((Double(half) * share.squareRoot()).rounded(.toNearestOrEven))
        }
        passes = [Pass(radiusZ: 0, radiusY: half, reach: reach)]
    }
}
