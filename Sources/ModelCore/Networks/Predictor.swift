import CKernels
import Numerics

/// Runs a trained network on inputs of one size. One thread at a time. Of a network in two dimensions an input is a
/// batch, as many samples as the shape is deep.
package final class Predictor<Network: NetworkDescription> {
    package let configuration: Network
    package let shape: TensorShape3D
    private let graph: Graph
    let runner: NetworkRunner

    /// - Parameters:
    ///   - model: the weights; copied.
    ///   - shape: of every input. Sides that are no multiples of the strides' product are padded with zeros at their
    ///     ends inside, and results are cropped back; in two dimensions they must be multiples.
    /// - Throws: `ModelError.unsuitableShape` or `.outOfMemory`.
    package init(model: Model<Network>, shape: TensorShape3D, pool: ThreadPool) throws {
        configuration = model.configuration
        graph = configuration.graph
        try graph.checkFlat(shape)
        self.shape = shape
        runner = try NetworkRunner(graph, shape: shape, loss: nil, pool: pool)
        load(model)
    }

    /// Other weights for the same network, in the same memory; copied.
    package func load(_ model: Model<Network>) {
        precondition(model.configuration == configuration, "the memory was planned for another network")
        model.values.withUnsafeBufferPointer { runner.backend.upload($0, to: runner.plan.weights) }
        runner.pack()
    }

    /// Bytes of the one block that holds weights and all tensors.
    package var arenaByteCount: Int { runner.arenaByteCount }

    private func forward(_ input: UnsafeBufferPointer<Float>) {
        precondition(input.count == graph.channels(graph.input) * shape.voxelCount, "the input has another size")
        runner.importInput(input, size: shape)
        _ = runner.run()
    }

    /// - Parameter input: [C, D, H, W]; in two dimensions [N, C, H, W].
    /// - Returns: [outChannels, D, H, W], before the softmax; in two dimensions [N, outChannels, H, W].
    package func logits(input: UnsafeBufferPointer<Float>) -> [Float] {
        forward(input)
        let count = graph.channels(graph.output) * shape.voxelCount
        return [Float](unsafeUninitializedCapacity: count) { buffer, initialised in
            runner.backend.exportValue(runner.plan.program.output, size: shape, to: buffer.baseAddress!)
            initialised = count
        }
    }

    /// Softmax of the logits for one class, 0 to 1.
    ///
    /// - Parameters:
    ///   - input: [C, D, H, W]; in two dimensions [N, C, H, W].
    ///   - probability: [D, H, W], or [N, H, W], written.
    package func classProbability(
        input: UnsafeBufferPointer<Float>, class chosen: Int, into probability: UnsafeMutableBufferPointer<Float>
    ) {
        precondition((0..<graph.channels(graph.output)).contains(chosen), "the network has no class \(chosen)")
        precondition(probability.count == shape.voxelCount, "the probability has another size")
        forward(input)
        runner.observed(.softmax) {
            runner.backend.softmax(
                runner.plan.program.output, size: shape, chosen: chosen, to: probability.baseAddress!)
        }
    }
}

/// MONAI's UNet.
package typealias UNetPredictor = Predictor<UNetConfiguration>
