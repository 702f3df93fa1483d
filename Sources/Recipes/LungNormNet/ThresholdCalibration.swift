import Imaging
import ModelCore
import Numerics
import VotingAggregator

/// Finds the probability above which a voxel counts as healthy, without labels (A4): lesions of the generator are put
/// into healthy slabs of the training data, and the threshold whose vote and post-processing finds them best is taken.
/// A short training never reaches the confidence that the paper's 0.95 asks for.
package struct ThresholdCalibration {
    package static let candidates = [
        0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975,
    ]

    private let configuration: LungRunConfiguration
    private let models: [UNetModel]
    private let inference: EnsembleInference
    private let resources: RecipeResources
    /// Voxels over all slabs so far, for each candidate.
    private var counts = candidates.map { _ in ConfusionCounts.none }

    /// - Parameter inputs: the replicas.
    /// - Throws: `RecipeError.inputRefused` naming a file that is no replica of the run.
    package init(
        replicas inputs: [RecipeInput], configuration: LungRunConfiguration, resources: RecipeResources
    ) throws {
        self.configuration = configuration
        self.resources = resources
        models = try EnsembleInference.loadReplicas(inputs, network: configuration.preset.networkConfiguration())
        inference = EnsembleInference(slab: configuration.slabShape, pool: resources.pool)
    }

    /// Every replica answers a slab, and every candidate's answer is counted against its lesions.
    package mutating func add(_ slab: CalibrationSlabs.Slab) throws {
        let shape = slab.image.shape, lung = BitMask(slab.lung), truth = BitMask(slab.lesion)
        let probabilities = try models.map {
            try inference.healthyProbability(model: $0, intensity: slab.image, lung: slab.lung, resources: resources)
        }
        for (candidate, threshold) in Self.candidates.enumerated() {
            let votes = probabilities.map { probability in
                probability.withUnsafeBufferPointer {
                    BitMask(shape: shape, values: $0, above: Float(threshold), pool: resources.pool)
                }
            }
            let answer = try PostProcessing.run(
                healthy: MajorityVote.vote(votes, pool: resources.pool), intensity: slab.image, lung: lung,
                settings: configuration.preset.postProcessingSettings, pool: resources.pool)
            counts[candidate] = counts[candidate] + (try ConfusionCounts(answer: answer.grown, truth: truth))
        }
    }

    /// Of the slabs so far.
    package var report: CalibrationReport {
        let dice = counts.map { SegmentationScores($0).dice ?? 0 }
        return CalibrationReport(
            healthyThreshold: Self.best(dice),
            diceByThreshold: Dictionary(uniqueKeysWithValues: zip(Self.candidates.map { "\($0)" }, dice)))
    }

    /// The candidate with the highest Dice; of equally good ones the highest, which is the paper's side.
    /// - Parameter dice: one for each candidate.
    package static func best(_ dice: [Double]) -> Double {
        precondition(dice.count == candidates.count, "a Dice for each candidate")
        return candidates[dice.indices.max { (dice[$0], $0) < (dice[$1], $1) } ?? 0]
    }
}

extension ConfusionCounts {
    fileprivate static let none = ConfusionCounts(
        truePositives: 0, falsePositives: 0, falseNegatives: 0, trueNegatives: 0)
}

/// What a calibration found: the report of a run's step calibrate.
public struct CalibrationReport: Codable, Sendable {
    /// A voxel is healthy where a replica's probability is above this.
    public var healthyThreshold: Double
    /// Dice over all slabs for each candidate; empty when the preset fixes the threshold.
    public var diceByThreshold: [String: Double]
}
