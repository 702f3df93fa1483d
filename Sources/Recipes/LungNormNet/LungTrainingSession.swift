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
        if let start = Self.start(resume: resume, inputs: inputs, replica: replica) {
            let tensors = try SafeTensors(bytes: try InputFile.bytes(start), name: start.name)
            try Self.check(tensors.metadata, seed: seed, replica: replica, configuration: configuration)
            try trainer.restore(tensors)
            iteration = trainer.stepCount
        }
        guard iteration <= iterationCount else {
            throw RecipeError.inputRefused("replica \(replica) has \(iteration) iterations already, more than the "
                + "\(configuration.iterations) that are asked for")
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
            iteration: iteration, figures: ["loss": begun.figures.loss, "dice": begun.figures.dice],
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

    /// A checkpoint of this run, or the state that a shorter one ended with; nil for the beginning.
    private static func start(resume: String?, inputs: [RecipeInput], replica: Int) -> RecipeInput? {
        if let resume {
            return RecipeInput(role: "checkpoint", name: "checkpoint of replica \(replica)", path: resume)
        }
        return inputs.first { $0.role == "state" && $0.name == "replica-\(replica)" }
    }

    /// The same but for the number of iterations, on which no step depends.
    private static func check(
        _ metadata: [String: String], seed: UInt64, replica: Int, configuration: LungRunConfiguration
    ) throws {
        var preset = try metadata["preset"].map {
            try JSONText.decode(Preset.self, $0, what: "the preset of a checkpoint")
        }
        preset?.iterations = configuration.preset.iterations
        let same = metadata["seed"] == "\(seed)" && metadata["replica"] == "\(replica)"
            && preset == configuration.preset
        guard same else {
            throw RecipeError.inputRefused("the checkpoint belongs to another run or replica; start the run anew")
        }
    }
}

/// What this recipe's training says of each iteration.
extension TrainingStep {
    /// Dice loss and cross-entropy.
    public var loss: Double { figures["loss"] ?? .nan }
    /// Hard Dice of the healthy channel over the batch.
    public var dice: Double { figures["dice"] ?? .nan }
}
