import Imaging
import ModelCore
import Numerics
import SynthData
import VotingAggregator

/// Finds the probability above which a voxel counts as healthy, without labels (A4): lesions of the generator are put
/// into healthy slabs of the training data, and the threshold whose vote and post-processing finds them best is taken.
/// A short training never reaches the confidence that the paper's 0.95 asks for.
struct ThresholdCalibration {
    static let candidates = [
        0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975,
    ]
    static let slabCount = 8
    /// Share of the training's number of lesions: patients' lungs are mostly spared between lesions.
    static let lesionShare: Float = 0.2

    let configuration: LungRunConfiguration
    let seed: UInt64

    func run(inputs: [RecipeInput], resources: RecipeResources) throws -> CalibrationReport {
        let reader = try DataSetReader(inputs: inputs)
        try reader.manifest.check(against: configuration)
        let preset = configuration.preset
        let index = try SlabIndex(manifest: reader.manifest, slabDepth: preset.slabDepth)
        let models = try EnsembleInference.loadReplicas(inputs, network: preset.networkConfiguration())
        let inference = EnsembleInference(slab: configuration.slabShape, pool: resources.pool)
        var counts = [Int: (both: Int, answer: Int, truth: Int)]()
        // Slabs spread evenly over all that training could draw from, the fuller half of them.
        let full = index.slabs.filter { $0.lungShare >= 0.5 }
        let pool = full.isEmpty ? index.slabs : full
        let count = min(Self.slabCount, pool.count)
        let chosen = (0..<count).map { pool[$0 * pool.count / count] }
        for (number, slab) in chosen.enumerated() {
            let sample = try insert(slab: slab, number: number, reader: reader)
            let truth = BitMask(sample.lesion)
            let probabilities = try models.map {
                try inference.healthyProbability(
                    model: $0, intensity: sample.image, lung: sample.lung, resources: resources)
            }
            for (candidate, threshold) in Self.candidates.enumerated() {
                let votes = probabilities.map { probability in
                    probability.withUnsafeBufferPointer {
                        BitMask(
                            shape: sample.image.shape, values: $0, above: Float(threshold), pool: resources.pool)
                    }
                }
                let answer = try PostProcessing.run(
                    healthy: MajorityVote.vote(votes, pool: resources.pool), intensity: sample.image,
                    lung: BitMask(sample.lung), settings: preset.postProcessingSettings, pool: resources.pool)
                let found = answer.grown
                var count = counts[candidate] ?? (0, 0, 0)
                count.both += found.voxelCount(sharedWith: truth)
                count.answer += found.voxelCount
                count.truth += truth.voxelCount
                counts[candidate] = count
            }
            resources.reportProgress(Double(number + 1) / Double(chosen.count))
        }
        let dice = Self.candidates.indices.map { index in
            let count = counts[index] ?? (0, 0, 0)
            return count.answer + count.truth > 0 ? 2 * Double(count.both) / Double(count.answer + count.truth) : 0
        }
        // The highest of equally good ones: the paper's side.
        let best = dice.indices.max { (dice[$0], $0) < (dice[$1], $1) } ?? 0
        return CalibrationReport(
            healthyThreshold: Self.candidates[best],
            diceByThreshold: Dictionary(uniqueKeysWithValues: zip(Self.candidates.map { "\($0)" }, dice)))
    }

    private func insert(slab: SlabIndex.Slab, number: Int, reader: DataSetReader) throws
        -> (image: Volume<Float>, lung: Mask, lesion: Mask)
    {
        let preset = configuration.preset
        let shape = VolumeShape(
            depth: preset.slabDepth, height: configuration.planeHeight, width: configuration.planeWidth)
        var memory = DataSetReader.SlabMemory()
        try reader.read(slab, depth: preset.slabDepth, into: &memory)
        let geometry = Geometry(spacing: preset.spacing)
        let volume = Volume(shape: shape, geometry: geometry, voxels: memory.intensity)
        // A replica that no run has: these lesions were never trained on.
        let sample = LesionGenerator(settings: preset.lesionSettings).insertLesions(
            volume, lung: volume.with(memory.lung), lambda: slab.lungShare, countFactor: Self.lesionShare,
            key: LesionKey(seed: seed, replica: 255, iteration: number))
        return (volume.with(sample.image), volume.with(memory.lung), volume.with(sample.lesion))
    }
}

/// What a calibration found: the report of a run's stage calibrate.
public struct CalibrationReport: Codable, Sendable {
    /// A voxel is healthy where a replica's probability is above this.
    public var healthyThreshold: Double
    /// Dice over all slabs for each candidate; empty when the preset fixes the threshold.
    public var diceByThreshold: [String: Double]
}
