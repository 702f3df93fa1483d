import CKernels
import Numerics

/// One sample's figures.
public struct SampleFigures: Equatable, Sendable {
    /// Dice loss + cross-entropy.
    public var loss: Double
    /// Voxels where class 1 has the largest logit and is right; where it has the largest; where it is right.
    public var intersection: Int
    public var predicted: Int
    public var truth: Int

    public init(loss: Double, intersection: Int, predicted: Int, truth: Int) {
        self.loss = loss
        self.intersection = intersection
        self.predicted = predicted
        self.truth = truth
    }

    /// Hard Dice of class 1; 1 when it is neither there nor predicted.
    public var dice: Double {
        predicted + truth == 0 ? 1 : 2 * Double(intersection) / Double(predicted + truth)
    }
}

/// Trains a UNet by MONAI's DiceCELoss(to_onehot_y, softmax) and Adam (method A3). One thread at a time.
///
///     trainer.zeroGradients()
///     for sample in batch { figures.append(trainer.accumulate(input: ..., target: ..., batchCount: batch.count)) }
///     trainer.update()
///
/// A batch is accumulated sample by sample: exact, for instance norm and Dice are per sample. The same calls give the
/// same bytes on any machine and for any number of threads.
public final class UNetTrainer {
    public let configuration: UNetConfiguration
    public let shape: TensorShape3D
    public var learningRate: Float
    /// Optimiser steps done.
    public private(set) var stepCount = 0
    let runner: NetworkRunner
    private let parameters: UNetParameters
    private var isPacked = false

    /// - Parameters:
    ///   - model: the weights to start from; copied.
    ///   - shape: of every sample. Sides must be multiples of the strides' product: padding would count as background.
    /// - Throws: `ModelError.unsuitableShape` or `.outOfMemory`.
    public init(model: UNetModel, shape: TensorShape3D, learningRate: Float, pool: ThreadPool) throws {
        let product = model.configuration.strideProduct
        guard [shape.depth, shape.height, shape.width].allSatisfy({ $0 % product == 0 }) else {
            throw ModelError.unsuitableShape(
                "A training sample is \(shape), but this network needs sides that are multiples of \(product). "
                    + "Choose such a slab size in the preset.")
        }
        guard (2...255).contains(model.configuration.outChannels) else {
            throw ModelError.invalidConfiguration(
                "training needs 2 to 255 classes, out_channels is \(model.configuration.outChannels)")
        }
        configuration = model.configuration
        parameters = model.parameters
        self.shape = shape
        self.learningRate = learningRate
        runner = try NetworkRunner(configuration, shape: shape, training: true, pool: pool)
        model.values.withUnsafeBufferPointer { runner.backend.upload($0, to: runner.plan.weights) }
    }

    /// Bytes of the one block that holds weights, gradients, optimiser and all tensors of a step.
    public var arenaByteCount: Int { runner.arenaByteCount }

    /// What `arenaByteCount` would be, without making anything.
    ///
    /// - Throws: `ModelError.unsuitableShape`.
    public static func arenaByteCount(configuration: UNetConfiguration, shape: TensorShape3D) throws -> Int {
        try NetworkRunner.plan(configuration, shape: shape, training: true).floatCount * MemoryLayout<Float>.stride
    }

    public func zeroGradients() {
        runner.observed(.zeroGradients) { runner.backend.fill(runner.plan.gradients, with: 0) }
    }

    /// Forward, loss and backward of one sample; gradients add up.
    ///
    /// - Parameters:
    ///   - input: [C, D, H, W].
    ///   - target: [D, H, W], class numbers below `outChannels`.
    ///   - batchCount: samples of the batch; the loss's gradient is divided by it.
    public func accumulate(
        input: UnsafeBufferPointer<Float>, target: UnsafeBufferPointer<UInt8>, batchCount: Int
    ) -> SampleFigures {
        precondition(input.count == configuration.inChannels * shape.voxelCount, "the input has another size")
        precondition(target.count == shape.voxelCount, "the target has another size")
        precondition(batchCount >= 1)
        if !isPacked { runner.pack() }
        isPacked = true
        runner.observed(.uploadTarget) {
            // A plain loop: `max()` takes a closure's detour for each of the millions.
            var largest: UInt8 = 0
            for value in target { largest = max(largest, value) }
            precondition(largest < configuration.outChannels, "the target has a class the network has not")
            runner.backend.upload(classes: target, to: runner.plan.target)
        }
        runner.importInput(input, size: shape)
        let figures = runner.run(lossScale: 1 / Double(batchCount))!
        return SampleFigures(
            loss: figures.loss, intersection: Int(figures.intersection), predicted: Int(figures.predicted),
            truth: Int(figures.truth))
    }

    /// One Adam step (betas 0.9 and 0.999, epsilon 1e-8) with the gradients accumulated.
    public func update() {
        stepCount += 1
        isPacked = false
        let plan = runner.plan
        runner.observed(.adam) {
            runner.backend.adam(
                weights: plan.weights, gradient: plan.gradients, mean: plan.means, square: plan.squares,
                learningRate: learningRate, step: stepCount)
        }
    }

    private func read(_ region: MemoryRegion) -> [Float] {
        [Float](unsafeUninitializedCapacity: region.count) { buffer, count in
            runner.backend.download(region, to: .init(rebasing: buffer[0..<region.count]))
            count = region.count
        }
    }

    /// The weights as they are now, copied out.
    public func model() -> UNetModel {
        let model = UNetModel(configuration: configuration)
        model.values = read(runner.plan.weights)
        return model
    }

    /// One parameter's gradient, by its name in the state dict.
    package func gradient(_ name: String) -> [Float] {
        read(runner.plan.parameter(parameters[name], of: runner.plan.gradients))
    }

    // MARK: Checkpoints

    /// Everything needed to go on elsewhere with the same bytes: weights under MONAI's names, the optimiser's state
    /// under `optimiser.exp_avg.` and `optimiser.exp_avg_sq.`, the step count under `optimiser.step`.
    public func checkpoint(metadata: [String: String] = [:]) -> SafeTensors {
        var file = model().safeTensors(metadata: metadata)
        file.name = "checkpoint"
        parameters.store(read(runner.plan.means), prefix: "optimiser.exp_avg.", into: &file)
        parameters.store(read(runner.plan.squares), prefix: "optimiser.exp_avg_sq.", into: &file)
        file.tensors["optimiser.step"] = SafeTensors.Tensor(integer: Int64(stepCount))
        return file
    }

    /// Goes on from `checkpoint`. Accumulated gradients are lost: checkpoints are taken between steps.
    ///
    /// - Throws: `ModelError.unsuitableFile` when it belongs to another network; nothing is changed then.
    public func restore(_ checkpoint: SafeTensors) throws {
        var weights = checkpoint
        weights.tensors = weights.tensors.filter { !$0.key.hasPrefix("optimiser.") }
        let values = try parameters.values(from: weights)
        let means = try parameters.values(from: checkpoint, prefix: "optimiser.exp_avg.")
        let squares = try parameters.values(from: checkpoint, prefix: "optimiser.exp_avg_sq.")
        let count = checkpoint.tensors["optimiser.step"]?.integer
        guard let count, (0...Int64(Int32.max)).contains(count), squares.allSatisfy({ $0 >= 0 }) else {
            throw ModelError.unsuitableFile(
                name: checkpoint.name, reason: "the optimiser's state is unsound. Start from an earlier checkpoint.")
        }
        let plan = runner.plan
        for (part, region) in [(values, plan.weights), (means, plan.means), (squares, plan.squares)] {
            part.withUnsafeBufferPointer { runner.backend.upload($0, to: region) }
        }
        zeroGradients()
        stepCount = Int(count)
        isPacked = false
    }
}
