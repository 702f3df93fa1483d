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
        try Self.check(shape, model.configuration)
        configuration = model.configuration
        self.shape = shape
        let padded = shape.rounded(upToMultipleOf: configuration.strideProduct)
        runner = try NetworkRunner(configuration, shape: padded, training: false, pool: pool)
        model.values.withUnsafeBufferPointer { runner.backend.upload($0, to: runner.plan.weights) }
        runner.pack()
    }

    /// Bytes of the one block that holds weights and all tensors.
    public var arenaByteCount: Int { runner.arenaByteCount }

    static func check(_ shape: TensorShape3D, _ configuration: UNetConfiguration) throws {
        let sides = [shape.depth, shape.height, shape.width]
        guard sides.allSatisfy((1...TensorShape3D.sideMax).contains) else {
            throw ModelError.unsuitableShape("An input of \(shape) voxels is impossible: each side must be 1 to 65536.")
        }
        // Offsets within a tensor are 32 bits wide in the kernels.
        let padded = shape.rounded(upToMultipleOf: configuration.strideProduct)
        let voxels = [padded.depth, padded.height, padded.width].reduce(1.0) { $0 * Double($1 + 2) }
        let widest = 2 * (max(configuration.channels.max()!, configuration.inChannels, configuration.outChannels) + 15)
        guard voxels * Double(widest) < 0x1p31 else {
            throw ModelError.unsuitableShape(
                "An input of \(shape) is too large for this network in one piece. Use a smaller slab.")
        }
    }

    private func forward(_ input: UnsafeBufferPointer<Float>) {
        precondition(input.count == configuration.inChannels * shape.voxelCount, "the input has another size")
        runner.backend.importTensor(
            input.baseAddress!, size: shape, to: runner.plan.tensor(runner.plan.program.input))
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
        runner.backend.softmax(
            runner.plan.tensor(runner.plan.program.logits), size: shape, chosen: chosen, to: probability.baseAddress!)
    }
}
