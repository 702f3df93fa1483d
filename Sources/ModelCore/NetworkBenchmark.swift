import Numerics

/// Times a network on made-up data: what `quintet bench network` prints.
public enum NetworkBenchmark {
    public enum Mode: String, CaseIterable, Sendable {
        /// Forward alone.
        case inference
        /// Forward, loss, backward and one optimiser step.
        case training
    }

    public struct Figures: Codable, Equatable, Sendable {
        /// Making the network and its memory, in seconds.
        public var preparationSeconds: Double
        /// Every timed sample, in seconds, in order; one more ran before them to warm up.
        public var sampleSeconds: [Double]
        /// The one block of memory the network works in.
        public var arenaByteCount: Int
        public var threadCount: Int
        /// Seconds a sample in each kind of operation, named by what and at which size; the slowest tell where to look.
        public var operationSeconds: [String: Double]
        /// The instruction set that computed: "avx512", "avx2", "portable".
        public var kernels: String

        public var medianSeconds: Double { sampleSeconds.sorted()[sampleSeconds.count / 2] }
    }

    /// - Parameters:
    ///   - samples: timed samples, at least 1.
    ///   - now: a monotonic clock, in seconds.
    /// - Throws: `ModelError` where the shape does not suit or memory is short.
    public static func run(
        configuration: UNetConfiguration, shape: TensorShape3D, mode: Mode, samples: Int, pool: ThreadPool,
        now: @escaping () -> Double
    ) throws -> Figures {
        precondition(samples >= 1)
        let start = now()
        let model = UNetModel(configuration: configuration)
        model.initialise(seed: 1, replica: 0)
        var stream = RandomKey(seed: 1, purpose: .phantomNoise).stream()
        var input = [Float](repeating: 0, count: configuration.inChannels * shape.voxelCount)
        input.withUnsafeMutableBufferPointer { stream.fill($0) }
        let target = input.prefix(shape.voxelCount).map { UInt8($0 > 0.95 ? 1 : 0) }
        let (step, runner) = try step(
            mode, model: model, shape: shape, input: input, target: target, pool: pool)
        let preparation = now() - start
        step()
        var operations: [String: Double] = [:], last: (label: String, start: Double)?
        runner.observer = { label in
            let time = now()
            if let last { operations[last.label, default: 0] += (time - last.start) / Double(samples) }
            last = label.isEmpty ? nil : (label, time)
        }
        let times = (0..<samples).map { _ in
            let start = now()
            step()
            return now() - start
        }
        return Figures(
            preparationSeconds: preparation, sampleSeconds: times, arenaByteCount: runner.arenaByteCount,
            threadCount: pool.threadCount, operationSeconds: operations, kernels: "\(KernelVariant.current)")
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
