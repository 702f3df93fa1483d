import Imaging
import ModelCore
import Numerics
import SynthData

/// One replica in training (A3): every iteration's samples are made on the fly, gradients of a batch are summed sample
/// by sample, Adam takes a step.
final class LungTrainingSession: TrainingSession {
    let iterationCount: Int
    private(set) var iteration: Int
    private let configuration: LungRunConfiguration
    private let seed: UInt64
    private let replica: Int
    private let model: UNetModel
    private let trainer: UNetTrainer
    private let pipeline: SamplePipeline
    private let isCancelled: @Sendable () -> Bool

    init(
        configuration: LungRunConfiguration, seed: UInt64, replica: Int, inputs: [RecipeInput], resume: String?,
        resources: RecipeResources
    ) throws {
        let samples = try LungSamples(inputs: inputs, configuration: configuration, seed: seed, replica: replica)
        let preset = configuration.preset
        self.configuration = configuration
        self.seed = seed
        self.replica = replica
        isCancelled = resources.isCancelled
        iterationCount = configuration.iterations
        model = try UNetModel(configuration: preset.networkConfiguration())
        model.initialise(seed: seed, replica: replica)
        trainer = try UNetTrainer(
            model: model,
            shape: .init(
                depth: preset.slabDepth, height: configuration.planeHeight, width: configuration.planeWidth),
            learningRate: Float(preset.learningRate), pool: resources.pool)
        iteration = 0
        if let resume {
            let input = RecipeInput(role: "checkpoint", name: "checkpoint of replica \(replica)", path: resume)
            let tensors = try SafeTensors(bytes: try InputFile.bytes(input), name: input.name)
            try Self.check(tensors.metadata, seed: seed, replica: replica, configuration: configuration)
            try trainer.restore(from: tensors)
            iteration = trainer.stepCount
        }
        pipeline = SamplePipeline(
            first: iteration, end: iterationCount, batch: preset.batch,
            make: samples.make)
    }

    deinit { pipeline.stop() }

    func step() throws -> TrainingStep {
        precondition(iteration < iterationCount, "training has ended")
        trainer.zeroGradients()
        let batch = configuration.preset.batch
        var loss = 0.0
        var counts = DiceCounts()
        for _ in 0..<batch {
            let sample = try pipeline.next()
            let figures = sample.image.withUnsafeBufferPointer { image in
                sample.target.withUnsafeBufferPointer { target in
                    trainer.accumulate(input: image, target: target, batchCount: batch)
                }
            }
            loss += figures.loss / Double(batch)
            counts.add(figures)
        }
        trainer.update()
        iteration += 1
        return TrainingStep(iteration: iteration, loss: loss, dice: counts.dice)
    }

    func checkpoint() throws -> [UInt8] { trainer.checkpoint(metadata: metadata()).serialised() }

    func weights() throws -> [UInt8] { model.safeTensors(metadata: metadata()).serialised() }

    /// Nothing here may depend on who trained or when: replica files are compared byte by byte.
    private func metadata() -> [String: String] {
        [
            "recipe": LungNormNet.name, "preset": JSONText.encode(configuration.preset),
            "iteration": "\(iteration)", "seed": "\(seed)", "replica": "\(replica)",
            "plane": "[\(configuration.planeHeight), \(configuration.planeWidth)]",
            "provenance": "cpu 0-\(iteration)",
        ]
    }

    private static func check(
        _ metadata: [String: String], seed: UInt64, replica: Int, configuration: LungRunConfiguration
    ) throws {
        let same = metadata["seed"] == "\(seed)" && metadata["replica"] == "\(replica)"
            && metadata["preset"] == JSONText.encode(configuration.preset)
        guard same else {
            throw RecipeError.inputRefused("the checkpoint belongs to another run or replica; start the run anew")
        }
    }
}

/// Hard Dice of the healthy class over a batch.
private struct DiceCounts {
    var intersection = 0, predicted = 0, truth = 0

    mutating func add(_ figures: SampleFigures) {
        intersection += figures.intersection
        predicted += figures.predicted
        truth += figures.truth
    }

    /// 1 when there is nothing to find and nothing was found.
    var dice: Double { predicted + truth == 0 ? 1 : 2 * Double(intersection) / Double(predicted + truth) }
}
