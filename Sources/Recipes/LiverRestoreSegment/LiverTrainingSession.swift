import ModelCore
import Numerics

/// One stage of one replica in training: every iteration's slices get anomalies on the fly, a batch is one optimiser
/// step (liver paper, sections 3.2 and 4.1).
final class LiverTrainingSession<Network: NetworkDescription>: TrainingSession {
    let iterationCount: Int
    private(set) var iteration = 0
    private let task: LiverStageTask
    private let trainer: Trainer<Network>
    /// Of the first stage, frozen; nil while that one is trained.
    private let restorer: LiverRestorer?
    private let pipeline: SamplePipeline
    private let resources: RecipeResources
    /// Of the step that has begun.
    private var gathered: [SamplePipeline.Sample] = []
    private var waitingNanoseconds: UInt64 = 0

    /// - Parameter network: the stage's.
    init(
        _ task: LiverStageTask, network: Network, inputs: [RecipeInput], resume: String?, resources: RecipeResources
    ) throws {
        let preset = task.configuration.preset
        self.task = task
        self.resources = resources
        iterationCount = task.stage.isSecond
            ? task.configuration.segmentIterations : task.configuration.restoreIterations
        let model = Model(configuration: network)
        // The two networks of a replica must not begin with the same numbers.
        model.initialise(seed: task.seed ^ (task.stage.isSecond ? 1 << 63 : 0), replica: task.replica)
        trainer = try Trainer(
            model: model, shape: preset.shape(sliceCount: preset.batch),
            loss: task.stage.loss, learningRate: Float(preset.learningRate),
            pool: resources.pool)
        restorer = task.stage.isSecond ? try task.restorer(inputs, pool: resources.pool) : nil
        if let resume {
            let name = "checkpoint of replica \(task.replica)"
            let tensors = try SafeTensors(
                bytes: try InputFile.bytes(RecipeInput(role: "checkpoint", name: name, path: resume)), name: name)
            try task.check(tensors.metadata)
            try trainer.restore(tensors)
            iteration = trainer.stepCount
        }
        guard iteration <= iterationCount else {
            throw RecipeError.inputRefused("replica \(task.replica) has \(iteration) iterations already, more than the "
                + "\(iterationCount) that are asked for")
        }
        let samples = try LiverSamples(
            dataSet: LiverDataSet(inputs: inputs), settings: preset.anomalies, seed: task.seed,
            replica: task.replica, stage: task.stage, batch: preset.batch)
        pipeline = SamplePipeline(first: iteration, end: iterationCount, batch: preset.batch) {
            let make = samples.newMaker()
            return { iteration, sample, made in
                var one = LiverSamples.Sample()
                make(iteration, sample, &one)
                // Given, then clean.
                made.image = one.made.image.map { Float($0) / 255 } + one.clean.map { Float($0) / 255 }
                made.target = one.made.mask
            }
        }
        resources.log("replica \(task.replica): network memory \(trainer.arenaByteCount >> 20) MiB planned")
    }

    deinit { pipeline.stop() }

    func step() throws -> TrainingStep {
        precondition(iteration < iterationCount, "training has ended")
        while gathered.count < task.configuration.preset.batch {
            if resources.isCancelled() { throw RecipeError.interrupted }
            let start = resources.nowNanoseconds()
            gathered.append(try pipeline.next())
            waitingNanoseconds += resources.nowNanoseconds() - start
        }
        trainer.zeroGradients()
        let figures = switch task.stage {
        case .restoration: restore()
        case .segmentation: segment()
        case .together: restoreAndSegment()
        }
        // Before the step is taken: what would be kept as a checkpoint is still sound.
        guard figures.loss.isFinite else { throw task.diverged("its loss is no number", iteration: iteration) }
        trainer.update()
        iteration += 1
        for sample in gathered { pipeline.giveBack(sample) }
        gathered = []
        defer { waitingNanoseconds = 0 }
        var all = ["loss": figures.loss]
        if task.stage != .restoration { all["dice"] = figures.dice }
        return TrainingStep(
            iteration: iteration, figures: all, waitingSeconds: Double(waitingNanoseconds) * 1e-9)
    }

    private var given: [Float] { gathered.flatMap { $0.image.prefix($0.image.count / 2) } }

    private var clean: [Float] { gathered.flatMap { $0.image.suffix($0.image.count / 2) } }
    private var masks: [UInt8] { gathered.flatMap(\.target) }

    private func restore() -> SampleFigures {
        given.withUnsafeBufferPointer { given in
            clean.withUnsafeBufferPointer { trainer.accumulate(input: given, image: $0, batchCount: 1) }
        }
    }

    private func segment() -> SampleFigures {
        restorer!.pairs(given).withUnsafeBufferPointer { pairs in
            masks.withUnsafeBufferPointer { trainer.accumulate(input: pairs, target: $0, batchCount: 1) }
        }
    }

    private func restoreAndSegment() -> SampleFigures {
        given.withUnsafeBufferPointer { given in
            clean.withUnsafeBufferPointer { clean in
                masks.withUnsafeBufferPointer {
                    trainer.accumulate(input: given, image: clean, target: $0, batchCount: 1)
                }
            }
        }
    }

    func checkpoint() throws -> [UInt8] {
        trainer.checkpoint(metadata: task.metadata(iteration: iteration)).serialised()
    }

    func weights() throws -> [UInt8] {
        let model = trainer.model()
        guard model.isFinite else { throw task.diverged("weights of it are no numbers", iteration: iteration) }
        return model.safeTensors(metadata: task.metadata(iteration: iteration)).serialised()
    }
}

extension LiverSamples.Stage {
    /// Of its step.
    var label: String {
        switch self {
        case .restoration: "restore"
        case .segmentation: "segment"
        case .together: "together"
        }
    }
    var loss: TrainingLoss {
        switch self {
        case .restoration: .absolute
        case .segmentation: .focal
        case .together: .absoluteAndFocal
        }
    }
}

/// Which stage of which replica is trained, and what its files say of it.
struct LiverStageTask: Sendable {
    var configuration: LiverRunConfiguration
    var stage: LiverSamples.Stage
    var seed: UInt64
    var replica: Int

    /// Nothing here may depend on who trained or when: replica files are compared byte by byte.
    func metadata(iteration: Int) -> [String: String] {
        [
            "recipe": LiverRestoreSegment.name, "preset": JSONText.encode(configuration.preset),
            "step": stage.label, "iteration": "\(iteration)", "seed": "\(seed)",
            "replica": "\(replica)", "provenance": "cpu 0-\(iteration)",
        ]
    }

    /// What this replica's first stage ended with.
    /// - Throws: `RecipeError.inputRefused` where it is missing, or another run's or replica's.
    func restorer(_ inputs: [RecipeInput], pool: ThreadPool) throws -> LiverRestorer {
        let file = try LiverReplicas.file(inputs, role: "replica", number: 0), preset = configuration.preset
        var first = self
        first.stage = .restoration
        try first.check(file.metadata)
        return try LiverRestorer(
            LiverReplicas.model(file, network: preset.restorer()), preset: preset, sliceCount: preset.batch, pool: pool)
    }

    /// - Throws: `RecipeError.inputRefused` where a checkpoint is of something else.
    func check(_ metadata: [String: String]) throws {
        let own = self.metadata(iteration: 0)
        guard ["preset", "step", "seed", "replica"].allSatisfy({ metadata[$0] == own[$0] }) else {
            throw RecipeError.inputRefused(
                "the checkpoint belongs to another run, stage or replica; start the run anew")
        }
    }

    /// The same on any machine.
    func diverged(_ what: String, iteration: Int) -> RecipeError {
        .inputRefused("replica \(replica) has diverged: at iteration \(iteration + 1) \(what); train again with a "
            + "lower --learning-rate (it was \(configuration.preset.learningRate))")
    }
}
