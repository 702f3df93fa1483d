/// From one voxel grid to another along the same axes, the first voxels' outer CORNERS coinciding: voxel `o` of the
/// target has its centre at `ratio * o + 0.5 * ratio - 0.5` of the source, ratio = target spacing / source spacing.
/// Positions beyond the outermost source centres take the edge's value.
///
/// Averaging: where the target is coarser, a single linear sample would skip source voxels and alias. So the target's
/// voxel is the mean of `averagingCount` samples spread evenly through it, per axis
/// `max(1, floor(1.001 * ratio))`: the smallest number at which samples lie less than two source voxels apart, so that
/// every source voxel counts. (The thousandth is for spacings that a file has rounded.)
public struct GridMapping: Hashable, Sendable, Codable {
    public let sourceShape: VolumeShape
    public let sourceSpacing: Spacing
    public let targetShape: VolumeShape
    public let targetSpacing: Spacing

    public init(
        sourceShape: VolumeShape, sourceSpacing: Spacing, targetShape: VolumeShape, targetSpacing: Spacing
    ) {
        (self.sourceShape, self.sourceSpacing) = (sourceShape, sourceSpacing)
        (self.targetShape, self.targetSpacing) = (targetShape, targetSpacing)
    }

    /// Stored or sent mappings are checked like any number from outside.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        sourceShape = try container.decode(VolumeShape.self, forKey: .sourceShape)
        sourceSpacing = try container.decode(Spacing.self, forKey: .sourceSpacing)
        targetShape = try container.decode(VolumeShape.self, forKey: .targetShape)
        targetSpacing = try container.decode(Spacing.self, forKey: .targetSpacing)
        let lengths = [sourceSpacing, targetSpacing].flatMap { [$0.zMM, $0.yMM, $0.xMM] }
        guard lengths.allSatisfy(ImageLimits.spacingMM.contains), sourceShape.isStorable, targetShape.isStorable else {
            throw DecodingError.dataCorruptedError(
                forKey: .targetShape, in: container, debugDescription: "grids beyond the limits of an image")
        }
    }

    /// The target covers the source's extent, rounded to whole voxels (half to even), at least one.
    public init(sourceShape: VolumeShape, sourceSpacing: Spacing, to spacing: Spacing) {
        func count(_ n: Int, _ from: Double, _ to: Double) -> Int {
            max(1, Int((Double(n) * from / to).rounded(.toNearestOrEven)))
        }
        let shape = VolumeShape(
            depth: count(sourceShape.depth, sourceSpacing.zMM, spacing.zMM),
            height: count(sourceShape.height, sourceSpacing.yMM, spacing.yMM),
            width: count(sourceShape.width, sourceSpacing.xMM, spacing.xMM))
        self.init(sourceShape: sourceShape, sourceSpacing: sourceSpacing, targetShape: shape, targetSpacing: spacing)
    }

    /// The way back.
    public var reversed: GridMapping {
        GridMapping(
            sourceShape: targetShape, sourceSpacing: targetSpacing, targetShape: sourceShape,
            targetSpacing: sourceSpacing)
    }

    /// Target spacing over source spacing.
    var ratio: (z: Double, y: Double, x: Double) {
        (
            targetSpacing.zMM / sourceSpacing.zMM, targetSpacing.yMM / sourceSpacing.yMM,
            targetSpacing.xMM / sourceSpacing.xMM
        )
    }

    /// Place of the target's voxels when the source's lie at `geometry`.
    public func targetGeometry(_ geometry: Geometry) -> Geometry {
        let (z, y, x) = ratio
        return geometry.stepped(origin: (0.5 * z - 0.5, 0.5 * y - 0.5, 0.5 * x - 0.5), step: ratio)
    }
}
