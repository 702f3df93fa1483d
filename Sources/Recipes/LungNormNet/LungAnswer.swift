import Imaging
import Numerics
import VotingAggregator

/// A vote's way to lesion masks on the CT's own grid, with and without growing (A5).
public struct LungAnswer: Sendable {
    /// What the tables say about a volume.
    public struct Figures: Codable, Sendable {
        public var lesionML: Double
        public var lungML: Double
        /// Involved share of the lung.
        public var lesionPercent: Double
        public var lesionWithoutGrowingML: Double
        /// What qualifies them, a sentence each; nil when there is nothing to say.
        public var warnings: [String]?
    }

    /// On the file's own grid.
    public let grown: Mask
    public let withoutGrowing: Mask
    public let figures: Figures
    private let source: ImageSource

    public init(healthy: BitMask, volume: PreparedVolume, preset: Preset, pool: ThreadPool) throws {
        guard healthy.shape == volume.lung.shape else {
            throw RecipeError.inputRefused("\(volume.source.name): the vote has \(healthy.shape) voxels and the "
                + "volume \(volume.lung.shape); they belong to different presets")
        }
        let answer = try PostProcessing.run(
            healthy: healthy, intensity: volume.intensity, lung: BitMask(volume.lung, pool: pool),
            settings: preset.postProcessingSettings, pool: pool)
        // The lung on the file's grid bounds the answer: the coarser grid's voxels may reach over its rim.
        func back(_ mask: Mask) -> Mask {
            var result = volume.plan.back(mask, pool: pool)
            for index in result.voxels.indices { result.voxels[index] &= volume.sourceLung.voxels[index] }
            return result
        }
        var onGrid = answer.grown.mask(geometry: volume.lung.geometry, pool: pool)
        grown = back(onGrid)
        answer.core.write(to: &onGrid.voxels, pool: pool)
        withoutGrowing = back(onGrid)
        source = volume.source
        func count(_ mask: Mask) -> Double { Double(mask.voxels.reduce(0) { $0 + Int($1) }) }
        let voxelML = volume.source.geometry.voxelML
        let lung = count(volume.sourceLung), lesion = count(grown)
        figures = Figures(
            lesionML: lesion * voxelML, lungML: lung * voxelML, lesionPercent: lung > 0 ? 100 * lesion / lung : 0,
            lesionWithoutGrowingML: count(withoutGrowing) * voxelML,
            warnings: volume.warnings.isEmpty ? nil : volume.warnings)
    }

    func outputs(name: String) -> [RecipeOutput] {
        [
            RecipeOutput(role: "mask", name: name, bytes: NIfTIFile.encode(grown, like: source)),
            RecipeOutput(role: "core", name: name, bytes: NIfTIFile.encode(withoutGrowing, like: source)),
        ]
    }
}
