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
    private let trainer: UNetTrainer
    private let pipeline: SamplePipeline
    private let resources: RecipeResources
    /// Of the step that has begun: its samples so far are in the trainer's gradients.
    private var begun = Batch()

    private struct Batch {
        var count = 0
        var figures = SampleFigures(loss: 0, intersection: 0, predicted: 0, truth: 0)
        var waitingNanoseconds: UInt64 = 0
    }

    init(
        configuration: LungRunConfiguration, seed: UInt64, replica: Int, inputs: [RecipeInput], resume: String?,
        resources: RecipeResources
    ) throws {
        let samples = try LungSamples(inputs: inputs, configuration: configuration, seed: seed, replica: replica)
        let preset = configuration.preset
        self.configuration = configuration
        self.seed = seed
        self.replica = replica
        self.resources = resources
        iterationCount = configuration.iterations
        let model = try UNetModel(configuration: preset.networkConfiguration())
        model.initialise(seed: seed, replica: replica)
        trainer = try UNetTrainer(
            model: model, shape: configuration.slabShape,
            learningRate: Float(preset.learningRate), pool: resources.pool)
        iteration = 0
        if let resume {
            let input = RecipeInput(role: "checkpoint", name: "checkpoint of replica \(replica)", path: resume)
            let tensors = try SafeTensors(bytes: try InputFile.bytes(input), name: input.name)
            try Self.check(tensors.metadata, seed: seed, replica: replica, configuration: configuration)
            try trainer.restore(tensors)
            iteration = trainer.stepCount
        }
        pipeline = SamplePipeline(
            first: iteration, end: iterationCount, batch: preset.batch,
            newMaker: samples.newMaker)
        resources.log("replica \(replica): network memory \(trainer.arenaByteCount >> 20) MiB planned")
    }

    deinit { pipeline.stop() }

    /// A batch of the paper's setting takes longer than a leaving worker has: between samples it asks whether to stop.
    /// The next call goes on with the batch; a checkpoint taken meanwhile knows nothing of it.
    func step() throws -> TrainingStep {
        precondition(iteration < iterationCount, "training has ended")
        if begun.count == 0 { trainer.zeroGradients() }
        while begun.count < configuration.preset.batch {
            if resources.isCancelled() { throw RecipeError.interrupted }
            try addSample()
        }
        // Before the step is taken: what would be kept as a checkpoint is still sound.
        guard begun.figures.loss.isFinite else { throw diverged("its loss is no number") }
        trainer.update()
        iteration += 1
        defer { begun = Batch() }
        return TrainingStep(
            iteration: iteration, loss: begun.figures.loss, dice: begun.figures.dice,
            waitingSeconds: Double(begun.waitingNanoseconds) * 1e-9)
    }

    private func addSample() throws {
        let batch = configuration.preset.batch, start = resources.nowNanoseconds()
        let sample = try pipeline.next()
        begun.waitingNanoseconds += resources.nowNanoseconds() - start
        let figures = sample.image.withUnsafeBufferPointer { image in
            sample.target.withUnsafeBufferPointer { target in
                trainer.accumulate(input: image, target: target, batchCount: batch)
            }
        }
        begun.figures.loss += figures.loss / Double(batch)
        begun.figures.intersection += figures.intersection
        begun.figures.predicted += figures.predicted
        begun.figures.truth += figures.truth
        begun.count += 1
        pipeline.giveBack(sample)
    }

    func checkpoint() throws -> [UInt8] { trainer.checkpoint(metadata: metadata()).serialised() }

    func weights() throws -> [UInt8] {
        let model = trainer.model()
        guard model.isFinite else { throw diverged("weights of it are no numbers") }
        return model.safeTensors(metadata: metadata()).serialised()
    }

    /// The same on any machine.
    private func diverged(_ what: String) -> RecipeError {
        .inputRefused("replica \(replica) has diverged: at iteration \(iteration + 1) \(what); train again with a "
            + "lower --learning-rate (it was \(configuration.preset.learningRate))")
    }

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
