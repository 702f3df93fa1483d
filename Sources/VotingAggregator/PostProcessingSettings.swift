import Imaging

/// Numbers of the post-processing (method.md A5; paper, section III-D).
public struct PostProcessingSettings: Hashable, Sendable, Codable {
    /// Box of the bright lesion's mean filter; 9x9x9 on the paper's grid.
    public var brightBox: BoxSize
    /// Box of the full lesion's mean filter; 7x7x7 on the paper's grid.
    public var fullBox: BoxSize
    /// Intensity in [0, 1] from which a voxel is bright (0.33: -500 HU).
    public var brightIntensity: Float
    /// The bright lesion's share of the box must be above this.
    public var brightShare: Double
    /// The full lesion's mean intensity must be above this.
    public var fullMean: Double
    /// How far the answer may grow from the core; nil: until nothing changes, as in the paper.
    public var growthLimitMM: Double?

    /// - Parameter spacing: of the grid that is processed. The paper's boxes of 9 and 7 voxels of 0.8x0.8x1.0 mm keep
    ///   their physical size, rounded to odd and at least 3 voxels.
    public init(
        spacing: Spacing, brightIntensity: Float = 0.33, brightShare: Double = 0.2, fullMean: Double = 0.15,
        growthLimitMM: Double? = nil
    ) {
        brightBox = Self.box(paperVoxels: 9, spacing: spacing)
        fullBox = Self.box(paperVoxels: 7, spacing: spacing)
        self.brightIntensity = brightIntensity
        self.brightShare = brightShare
        self.fullMean = fullMean
        self.growthLimitMM = growthLimitMM
    }

    private static func box(paperVoxels: Double, spacing: Spacing) -> BoxSize {
        func odd(_ paperMM: Double, _ spacingMM: Double) -> Int {
            precondition(spacingMM > 0, "a grid has a spacing above 0 mm")
            let voxels = min(paperVoxels * paperMM / spacingMM, 255)
            return max(3, 2 * Int(((voxels - 1) / 2).rounded()) + 1)
        }
        return BoxSize(z: odd(1.0, spacing.zMM), y: odd(0.8, spacing.yMM), x: odd(0.8, spacing.xMM))
    }
}
