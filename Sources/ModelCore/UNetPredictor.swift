import CKernels
import Numerics

/// Runs a trained UNet on inputs of one size. One thread at a time.
public final class UNetPredictor {
    public let configuration: UNetConfiguration
    public let shape: TensorShape3D
    let runner: NetworkRunner

    /// - Parameters:
    ///   - model: the weights; copied.
    ///   - shape: of every input. Sides that are no multiples of the strides' product are padded with zeros at their
    ///     ends inside, and results are cropped back.
    /// - Throws: `ModelError.unsuitableShape` or `.outOfMemory`.
    public init(model: UNetModel, shape: TensorShape3D, pool: ThreadPool) throws {
        configuration = model.configuration
        self.shape = shape
        runner = try NetworkRunner(configuration, shape: shape, training: false, pool: pool)
        load(model)
    }

    /// Other weights for the same network, in the same memory; copied.
    public func load(_ model: UNetModel) {
        precondition(model.configuration == configuration, "the memory was planned for another network")
        model.values.withUnsafeBufferPointer { runner.backend.upload($0, to: runner.plan.weights) }
        runner.pack()
    }

    /// Bytes of the one block that holds weights and all tensors.
    public var arenaByteCount: Int { runner.arenaByteCount }

    private func forward(_ input: UnsafeBufferPointer<Float>) {
        precondition(input.count == configuration.inChannels * shape.voxelCount, "the input has another size")
        runner.importInput(input, size: shape)
        _ = runner.run()
    }

    /// - Parameter input: [C, D, H, W].
    /// - Returns: [outChannels, D, H, W], before the softmax.
    public func logits(input: UnsafeBufferPointer<Float>) -> [Float] {
        forward(input)
        let count = configuration.outChannels * shape.voxelCount
        return [Float](unsafeUninitializedCapacity: count) { buffer, initialised in
            runner.backend.exportTensor(
                runner.plan.tensor(runner.plan.program.logits), size: shape, to: buffer.baseAddress!)
            initialised = count
        }
    }

    /// Softmax of the logits for one class, 0 to 1.
    ///
    /// - Parameters:
    ///   - input: [C, D, H, W].
    ///   - probability: [D, H, W], written.
    public func classProbability(
        input: UnsafeBufferPointer<Float>, class chosen: Int, into probability: UnsafeMutableBufferPointer<Float>
    ) {
        precondition((0..<configuration.outChannels).contains(chosen), "the network has no class \(chosen)")
        precondition(probability.count == shape.voxelCount, "the probability has another size")
        forward(input)
        runner.observed(.softmax) {
            runner.backend.softmax(
                runner.plan.tensor(runner.plan.program.logits), size: shape, chosen: chosen,
                to: probability.baseAddress!)
        }
    }
}
