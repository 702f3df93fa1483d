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
    ///   - shape: of a sample; of a network in two dimensions as deep as its batch has images.
    ///   - loss: what a training step makes small.
    ///   - without: rewritings that are left out.
    ///   - samples: timed samples, at least 1.
    ///   - now: a monotonic clock, in seconds.
    ///   - beforeSample: told 0 when everything is ready and the first sample begins, then 1 ... `samples`; what it
    ///     throws ends the benchmark.
    /// - Throws: `ModelError` where the shape does not suit or memory is short.
    package static func run(
        _ network: some NetworkDescription, loss: TrainingLoss, without: Set<Rewriting> = [], shape: TensorShape3D,
        mode: Mode, samples: Int, pool: ThreadPool, now: @escaping () -> Double,
        beforeSample: (Int) throws -> Void = { _ in }
    ) throws -> Figures {
        guard without.isEmpty else {
            return try run(
                NetworkWithoutRewritings(network, without: without), loss: loss, shape: shape, mode: mode,
                samples: samples, pool: pool, now: now, beforeSample: beforeSample)
        }
        precondition(samples >= 1)
        let graph = network.graph
        // The shape is judged before anything of its size is made.
        _ = try NetworkRunner.plan(graph, shape: shape, loss: mode == .training ? loss.layer : nil)
        let sample = BenchmarkSample(graph, shape, imageCount: loss.comparesImages ? graph.channels(graph.output) : 0)
        let start = now()
        let model = Model(configuration: network)
        model.initialise(seed: 1, replica: 0)
        let (step, runner) = switch mode {
        case .inference: try sample.inference(model, shape, pool)
        case .training: try sample.training(model, shape, loss, pool)
        }
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
}

/// Made-up numbers for one sample, and what is done with them.
private struct BenchmarkSample {
    let input: [Float]
    let classes: [UInt8]
    /// What a network that gives images should give; empty for classes.
    let image: [Float]

    init(_ graph: Graph, _ shape: TensorShape3D, imageCount: Int) {
        var stream = RandomKey(seed: 1, purpose: .phantomNoise).stream()
        var numbers = [Float](
            repeating: 0, count: max(graph.channels(graph.input), imageCount) * shape.voxelCount)
        numbers.withUnsafeMutableBufferPointer { stream.fill($0) }
        input = Array(numbers.prefix(graph.channels(graph.input) * shape.voxelCount))
        classes = imageCount > 0 ? [] : numbers.prefix(shape.voxelCount).map { $0 > 0.95 ? 1 : 0 }
        image = Array(numbers.prefix(imageCount * shape.voxelCount))
    }

    func inference<Network>(
        _ model: Model<Network>, _ shape: TensorShape3D, _ pool: ThreadPool
    ) throws -> (() -> Void, NetworkRunner) {
        let predictor = try Predictor(model: model, shape: shape, pool: pool)
        var probability = [Float](repeating: 0, count: image.isEmpty ? shape.voxelCount : 0)
        let step = {
            input.withUnsafeBufferPointer { input in
                guard image.isEmpty else { return _ = predictor.logits(input: input) }
                probability.withUnsafeMutableBufferPointer {
                    predictor.classProbability(input: input, class: 0, into: $0)
                }
            }
        }
        return (step, predictor.runner)
    }

    func training<Network>(
        _ model: Model<Network>, _ shape: TensorShape3D, _ loss: TrainingLoss, _ pool: ThreadPool
    ) throws -> (() -> Void, NetworkRunner) {
        let trainer = try Trainer(model: model, shape: shape, loss: loss, learningRate: 3e-4, pool: pool)
        let step = {
            trainer.zeroGradients()
            input.withUnsafeBufferPointer { input in
                guard image.isEmpty else {
                    return image.withUnsafeBufferPointer {
                        _ = trainer.accumulate(input: input, image: $0, batchCount: 1)
                    }
                }
                classes.withUnsafeBufferPointer {
                    _ = trainer.accumulate(input: input, target: $0, batchCount: 1)
                }
            }
            trainer.update()
        }
        return (step, trainer.runner)
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
