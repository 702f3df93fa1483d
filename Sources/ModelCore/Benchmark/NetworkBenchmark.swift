import Numerics

/// Times a network on made-up data: what `quintet bench network`, `layers` and `start` print.
public enum NetworkBenchmark {
    public enum Mode: String, CaseIterable, Sendable {
        /// Forward alone.
        case inference
        /// Forward, loss, backward and one optimiser step.
        case training
    }

    /// One kind of operation: all that a sample has of it.
    public struct OperationFigures: Codable, Equatable, Sendable {
        public var description: OperationDescription
        public var callsPerSample: Int
        /// Of all calls together: the median of the samples.
        public var secondsPerSample: Double
        /// Of all calls together.
        public var work: OperationWork
    }

    public struct Figures: Codable, Equatable, Sendable {
        /// Making the network and its memory, in seconds.
        public var preparationSeconds: Double
        /// The sample before the timed ones, which meets cold memory, in seconds.
        public var firstSampleSeconds: Double
        /// Every timed sample, in seconds, in order.
        public var sampleSeconds: [Double]
        /// The one block of memory the network works in.
        public var arenaByteCount: Int
        public var threadCount: Int
        /// The network's operations of a sample, in the order of first use.
        public var operations: [OperationFigures]
        /// What a sample has beside them, by name ("pack weights", "adam"): the median of the samples, in seconds.
        public var sideSeconds: [String: Double]
        /// The instruction set that computed: "avx512", "avx2", "portable".
        public var kernels: String

        /// Operations of a sample's convolutions, counted by their definition.
        public var directOperations: Double { operations.reduce(0) { $0 + $1.work.directOperations } }
    }

    /// - Parameters:
    ///   - samples: timed samples, at least 1.
    ///   - now: a monotonic clock, in seconds.
    ///   - beforeSample: told 0 when everything is ready and the first sample begins, then 1 ... `samples`; what it
    ///     throws ends the benchmark.
    /// - Throws: `ModelError` where the shape does not suit or memory is short.
    public static func run(
        configuration: UNetConfiguration, shape: TensorShape3D, mode: Mode, samples: Int, pool: ThreadPool,
        now: @escaping () -> Double, beforeSample: (Int) throws -> Void = { _ in }
    ) throws -> Figures {
        precondition(samples >= 1)
        // The shape is judged before anything of its size is made.
        _ = try NetworkRunner.plan(
            configuration.graph, shape: shape, loss: mode == .training ? DiceCrossEntropy() : nil)
        let (input, target) = sample(configuration, shape)
        let start = now()
        let model = UNetModel(configuration: configuration)
        model.initialise(seed: 1, replica: 0)
        let (step, runner) = try step(mode, model: model, shape: shape, input: input, target: target, pool: pool)
        let preparation = now() - start
        func timed(_ index: Int) throws -> Double {
            try beforeSample(index)
            let start = now()
            step()
            return now() - start
        }
        let first = try timed(0)
        let watch = OperationWatch(operationCount: runner.plan.program.operations.count, now: now)
        runner.observer = watch.see
        let times = try (1...samples).map { index in
            watch.beginSample()
            return try timed(index)
        }
        return Figures(
            preparationSeconds: preparation, firstSampleSeconds: first, sampleSeconds: times,
            arenaByteCount: runner.arenaByteCount, threadCount: pool.threadCount,
            operations: watch.figures(runner.plan.program), sideSeconds: watch.sideSeconds(),
            kernels: "\(KernelVariant.current)")
    }

    private static func sample(_ configuration: UNetConfiguration, _ shape: TensorShape3D) -> ([Float], [UInt8]) {
        var stream = RandomKey(seed: 1, purpose: .phantomNoise).stream()
        var input = [Float](repeating: 0, count: configuration.inChannels * shape.voxelCount)
        input.withUnsafeMutableBufferPointer { stream.fill($0) }
        return (input, input.prefix(shape.voxelCount).map { $0 > 0.95 ? 1 : 0 })
    }

    private static func step(
        _ mode: Mode, model: UNetModel, shape: TensorShape3D, input: [Float], target: [UInt8], pool: ThreadPool
    ) throws -> (() -> Void, NetworkRunner) {
        switch mode {
        case .inference:
            let predictor = try UNetPredictor(model: model, shape: shape, pool: pool)
            var probability = [Float](repeating: 0, count: shape.voxelCount)
            let step = {
                probability.withUnsafeMutableBufferPointer { probability in
                    input.withUnsafeBufferPointer { predictor.classProbability(input: $0, class: 0, into: probability) }
                }
            }
            return (step, predictor.runner)
        case .training:
            let trainer = try UNetTrainer(model: model, shape: shape, learningRate: 3e-4, pool: pool)
            let step = {
                trainer.zeroGradients()
                input.withUnsafeBufferPointer { input in
                    target.withUnsafeBufferPointer {
                        _ = trainer.accumulate(input: input, target: $0, batchCount: 1)
                    }
                }
                trainer.update()
            }
            return (step, trainer.runner)
        }
    }
}

/// Writes down how long every operation takes.
private final class OperationWatch {
    private let now: () -> Double
    private let operationCount: Int
    /// Seconds by sample and part: operations, then what stands beside them.
    private var seconds: [[Double]] = []
    private var current: (index: Int, start: Double)?

    init(operationCount: Int, now: @escaping () -> Double) {
        self.operationCount = operationCount
        self.now = now
    }

    func beginSample() {
        seconds.append([Double](repeating: 0, count: operationCount + SidePart.allCases.count))
    }

    private func place(_ part: StepPart) -> Int {
        switch part {
        case .operation(let index): index
        case .side(let part): operationCount + SidePart.allCases.firstIndex(of: part)!
        }
    }

    func see(_ part: StepPart?) {
        let time = now()
        if let current { seconds[seconds.count - 1][current.index] += time - current.start }
        current = part.map { (place($0), time) }
    }

    func sideSeconds() -> [String: Double] {
        let pairs = SidePart.allCases.map { part in
            (part.rawValue, seconds.map { $0[place(.side(part))] }.sorted()[seconds.count / 2])
        }
        return Dictionary(uniqueKeysWithValues: pairs.filter { $0.1 > 0 })
    }

    /// Operations that do the same at the same size are one.
    func figures(_ program: NetworkProgram) -> [NetworkBenchmark.OperationFigures] {
        let descriptions = program.operations.indices.map(program.description)
        var order: [OperationDescription] = [], members: [OperationDescription: [Int]] = [:]
        for (index, description) in descriptions.enumerated() {
            if members[description] == nil { order.append(description) }
            members[description, default: []].append(index)
        }
        return order.map { description in
            let indices = members[description]!
            let bySample = seconds.map { times in indices.reduce(0) { $0 + times[$1] } }.sorted()
            let work = indices.map(program.work).reduce(OperationWork()) { sum, work in
                OperationWork(
                    directOperations: sum.directOperations + work.directOperations,
                    computedOperations: sum.computedOperations + work.computedOperations,
                    byteCount: sum.byteCount + work.byteCount)
            }
            return NetworkBenchmark.OperationFigures(
                description: description, callsPerSample: indices.count,
                secondsPerSample: bySample[bySample.count / 2], work: work)
        }
    }
}
