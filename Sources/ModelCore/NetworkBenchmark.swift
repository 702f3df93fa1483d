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
        /// The instruction set that computed: "avx512", "avx2", "portable".
        public var kernels: String

        public var medianSeconds: Double { sampleSeconds.sorted()[sampleSeconds.count / 2] }
    }

    /// - Parameter samples: timed samples, at least 1.
    /// - Throws: `ModelError` where the shape does not suit or memory is short.
    public static func run(
        configuration: UNetConfiguration, shape: TensorShape3D, mode: Mode, samples: Int, pool: ThreadPool
    ) throws -> Figures {
        precondition(samples >= 1)
        let clock = ContinuousClock(), start = clock.now
        let model = UNetModel(configuration: configuration)
        model.initialise(seed: 1, replica: 0)
        var stream = RandomKey(seed: 1, purpose: .phantomNoise).stream()
        var input = [Float](repeating: 0, count: configuration.inChannels * shape.voxelCount)
        input.withUnsafeMutableBufferPointer { stream.fill($0) }
        let target = input.prefix(shape.voxelCount).map { UInt8($0 > 0.95 ? 1 : 0) }
        let step: () -> Void, arenaByteCount: Int
        switch mode {
        case .inference:
            let predictor = try UNetPredictor(model: model, shape: shape, pool: pool)
            arenaByteCount = predictor.arenaByteCount
            var probability = [Float](repeating: 0, count: shape.voxelCount)
            step = {
                probability.withUnsafeMutableBufferPointer { probability in
                    input.withUnsafeBufferPointer { predictor.classProbability(input: $0, class: 0, into: probability) }
                }
            }
        case .training:
            let trainer = try UNetTrainer(model: model, shape: shape, learningRate: 3e-4, pool: pool)
            arenaByteCount = trainer.arenaByteCount
            step = {
                trainer.zeroGradients()
                input.withUnsafeBufferPointer { input in
                    target.withUnsafeBufferPointer {
                        _ = trainer.accumulate(input: input, target: $0, batchCount: 1)
                    }
                }
                trainer.update()
            }
        }
        func seconds(_ duration: Duration) -> Double { duration / .seconds(1) }
        let preparation = seconds(clock.now - start)
        step()
        let times = (0..<samples).map { _ in seconds(clock.measure(step)) }
        return Figures(
            preparationSeconds: preparation, sampleSeconds: times, arenaByteCount: arenaByteCount,
            threadCount: pool.threadCount, kernels: "\(KernelVariant.current)")
    }
}
