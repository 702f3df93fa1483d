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
        /// Connected parts of the answer, voxels that share a corner being connected.
        public var lesionCount: Int
        /// Of the patient's sides, see `LungSides`.
        public var leftLesionML: Double
        public var rightLesionML: Double
        public var leftLungML: Double
        public var rightLungML: Double
        /// Of the lesion and of the lung in the thirds of each side, see `LungRegions`.
        public var leftUpperLesionML, leftMiddleLesionML, leftLowerLesionML: Double
        public var rightUpperLesionML, rightMiddleLesionML, rightLowerLesionML: Double
        public var leftUpperLungML, leftMiddleLungML, leftLowerLungML: Double
        public var rightUpperLungML, rightMiddleLungML, rightLowerLungML: Double
        /// Of the lesion before growing, what so many replicas saw; see `LungAgreement`. Of the vote only.
        public var seenByAllPercent: Double?
        public var seenByAllButOnePercent: Double?
        public var seenByAllButTwoPercent: Double?
        /// What qualifies them, a sentence each; nil when there is nothing to say.
        public var warnings: [String]?
        /// The largest ones, where they are asked for.
        public var lesions: [LungLesion]?
    }

    /// On the file's own grid.
    public let grown: Mask
    public let withoutGrowing: Mask
    public internal(set) var figures: Figures
    private let core: BitMask
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
            volume.sourceLung.voxels.withUnsafeBufferPointer { lung in
                result.voxels.withUnsafeMutableBufferPointer { voxels in
                    for index in voxels.indices { voxels[index] &= lung[index] }
                }
            }
            return result
        }
        var onGrid = answer.grown.mask(geometry: volume.lung.geometry, pool: pool)
        grown = back(onGrid)
        answer.core.write(to: &onGrid.voxels, pool: pool)
        withoutGrowing = back(onGrid)
        source = volume.source
        core = answer.core
        figures = Self.figures(grown, withoutGrowing, volume, pool)
    }

    private static func figures(
        _ grown: Mask, _ withoutGrowing: Mask, _ volume: PreparedVolume, _ pool: ThreadPool
    ) -> Figures {
        let regions = LungRegions(lung: volume.sourceLung), voxelML = volume.source.geometry.voxelML
        let lungs = regions.counts(volume.sourceLung), lesions = regions.counts(grown)
        let core = regions.counts(withoutGrowing)
        let lung = Double(lungs.all), lesion = Double(lesions.all)
        let warnings = volume.warnings + LungRim.warnings(grown, lung: volume.sourceLung, voxelCount: lesions.all)
        func ml(_ counts: [Int], _ third: Int) -> Double { Double(counts[third]) * voxelML }
        func ml(_ counts: [Int]) -> Double { Double(counts.reduce(0, +)) * voxelML }
        let parts = grown.voxels.withUnsafeBufferPointer {
            RunComponents(mask: $0, shape: grown.shape, neighbourhood: .full, pool: pool).count
        }
        return Figures(
            lesionML: lesion * voxelML, lungML: lung * voxelML, lesionPercent: lung > 0 ? 100 * lesion / lung : 0,
            lesionWithoutGrowingML: Double(core.all) * voxelML, lesionCount: parts,
            leftLesionML: ml(lesions.left), rightLesionML: ml(lesions.right),
            leftLungML: ml(lungs.left), rightLungML: ml(lungs.right),
            leftUpperLesionML: ml(lesions.left, 0), leftMiddleLesionML: ml(lesions.left, 1),
            leftLowerLesionML: ml(lesions.left, 2), rightUpperLesionML: ml(lesions.right, 0),
            rightMiddleLesionML: ml(lesions.right, 1), rightLowerLesionML: ml(lesions.right, 2),
            leftUpperLungML: ml(lungs.left, 0), leftMiddleLungML: ml(lungs.left, 1),
            leftLowerLungML: ml(lungs.left, 2), rightUpperLungML: ml(lungs.right, 0),
            rightMiddleLungML: ml(lungs.right, 1), rightLowerLungML: ml(lungs.right, 2),
            warnings: warnings.isEmpty ? nil : warnings)
    }

    /// Says how much of the lesion how many of these saw.
    /// - Throws: `RecipeError.inputRefused` for ballots on another grid.
    mutating func compare(withBallots ballots: [BitMask], name: String) throws {
        guard ballots.allSatisfy({ $0.shape == core.shape }) else {
            throw RecipeError.inputRefused("\(name): ballots of other sizes than the vote; they belong together")
        }
        let agreement = LungAgreement(healthy: ballots, core: core)
        figures.seenByAllPercent = agreement.percent[0]
        figures.seenByAllButOnePercent = agreement.percent[1]
        figures.seenByAllButTwoPercent = agreement.percent[2]
    }

    func outputs(name: String, description: String?, pool: ThreadPool) -> [RecipeOutput] {
        let files = NIfTIFile.encode(
            masks: [grown, withoutGrowing], like: source, description: description ?? NIfTIFile.program, pool: pool)
        return zip(["mask", "core"], files).map { RecipeOutput(role: $0, name: name, bytes: $1) }
    }
}
