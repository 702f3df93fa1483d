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

/// What training makes small.
package enum TrainingLoss: Hashable, Sendable {
    /// MONAI's DiceCELoss (to_onehot_y, softmax; method A3).
    case diceCrossEntropy
    /// Of the softmax, with gamma 2 and alpha 1 (method B).
    case focal
    /// The mean absolute difference from an image (method B).
    case absolute
    /// Both, of a network's image and of its output, in one step: the ablation without two stages.
    case absoluteAndFocal

    var layer: any LossLayer {
        switch self {
        case .diceCrossEntropy: DiceCrossEntropy()
        case .focal: FocalLoss()
        case .absolute: ImageLoss(.absolute)
        case .absoluteAndFocal: LossSum(first: ImageLoss(.absolute), second: FocalLoss())
        }
    }
    var comparesImages: Bool { self == .absolute || self == .absoluteAndFocal }
    var comparesClasses: Bool { self != .absolute }
}

/// Trains a network by a loss and Adam. One thread at a time.
///
///     trainer.zeroGradients()
///     for sample in batch { figures.append(trainer.accumulate(input: ..., target: ..., batchCount: batch.count)) }
///     trainer.update()
///
/// In three dimensions a batch is accumulated sample by sample: exact, for instance norm and Dice are per sample. In
/// two a batch is one sample as deep as it has images. The same calls give the same bytes on any machine and for any
/// number of threads.
package final class Trainer<Network: NetworkDescription> {
    package let configuration: Network
    package let shape: TensorShape3D
    package let loss: TrainingLoss
    package var learningRate: Float
    /// Optimiser steps done.
    package private(set) var stepCount = 0
    private let graph: Graph
    let runner: NetworkRunner
    private var parameters: ParameterTable { graph.parameters }
    private var isPacked = false

    /// - Parameters:
    ///   - model: the weights to start from; copied.
    ///   - shape: of every sample. Sides must be multiples of the strides' product: padding would count as background.
    /// - Throws: `ModelError.unsuitableShape` or `.outOfMemory`.
    package init(
        model: Model<Network>, shape: TensorShape3D, loss: TrainingLoss = .diceCrossEntropy, learningRate: Float,
        pool: ThreadPool
    ) throws {
        let graph = model.configuration.graph, divisor = graph.sideDivisor
        guard shape.isMultiple(of: divisor) else {
            throw ModelError.unsuitableShape(
                "A training sample is \(shape), but this network needs sides that are multiples of \(divisor). "
                    + "Choose such a slab size in the preset.")
        }
        let classCount = graph.channels(graph.output)
        guard !loss.comparesClasses || (2...255).contains(classCount) else {
            throw ModelError.invalidConfiguration(
                "training needs 2 to 255 classes, out_channels is \(classCount)")
        }
        self.graph = graph
        self.loss = loss
        configuration = model.configuration
        self.shape = shape
        self.learningRate = learningRate
        runner = try NetworkRunner(graph, shape: shape, loss: loss.layer, pool: pool)
        model.values.withUnsafeBufferPointer { runner.backend.upload($0, to: runner.plan.weights) }
    }

    /// Bytes of the one block that holds weights, gradients, optimiser and all tensors of a step.
    package var arenaByteCount: Int { runner.arenaByteCount }

    /// What `arenaByteCount` would be, without making anything.
    ///
    /// - Throws: `ModelError.unsuitableShape`.
    package static func arenaByteCount(
        configuration: Network, shape: TensorShape3D, loss: TrainingLoss = .diceCrossEntropy
    ) throws -> Int {
        try NetworkRunner.plan(configuration.graph, shape: shape, loss: loss.layer).floatCount
            * MemoryLayout<Float>.stride
    }

    package func zeroGradients() {
        runner.observed(.zeroGradients) { runner.backend.fill(runner.plan.gradients, with: 0) }
    }

    /// Forward, loss and backward of one sample; gradients add up.
    ///
    /// - Parameters:
    ///   - input: [C, D, H, W]; in two dimensions [N, C, H, W].
    ///   - target: [D, H, W], or [N, H, W]: class numbers below the network's.
    ///   - batchCount: samples of the batch; the loss's gradient is divided by it.
    package func accumulate(
        input: UnsafeBufferPointer<Float>, target: UnsafeBufferPointer<UInt8>, batchCount: Int
    ) -> SampleFigures {
        precondition(!loss.comparesImages, "this loss compares images")
        upload(target)
        return run(input, batchCount: batchCount)
    }

    private func upload(_ target: UnsafeBufferPointer<UInt8>) {
        precondition(target.count == shape.voxelCount, "the target has another size")
        runner.observed(.uploadTarget) {
            // A plain loop: `max()` takes a closure's detour for each of the millions.
            var largest: UInt8 = 0
            for value in target { largest = max(largest, value) }
            precondition(Int(largest) < graph.channels(graph.output), "the target has a class the network has not")
            runner.backend.upload(classes: target)
        }
    }

    private func upload(image: UnsafeBufferPointer<Float>) {
        precondition(
            image.count == graph.channels(graph.image ?? graph.output) * shape.voxelCount,
            "the image has another size")
        runner.observed(.uploadTarget) {
            runner.backend.importValue(image.baseAddress!, size: shape, to: runner.plan.program.targetImage!)
        }
    }

    /// The same for a loss that compares images.
    ///
    /// - Parameter image: what the network should give, [C, D, H, W]; in two dimensions [N, C, H, W].
    package func accumulate(
        input: UnsafeBufferPointer<Float>, image: UnsafeBufferPointer<Float>, batchCount: Int
    ) -> SampleFigures {
        precondition(loss.comparesImages && !loss.comparesClasses, "this loss compares classes")
        upload(image: image)
        return run(input, batchCount: batchCount)
    }

    /// The same for a loss that compares both.
    package func accumulate(
        input: UnsafeBufferPointer<Float>, image: UnsafeBufferPointer<Float>, target: UnsafeBufferPointer<UInt8>,
        batchCount: Int
    ) -> SampleFigures {
        precondition(loss.comparesImages && loss.comparesClasses, "this loss compares one of both")
        upload(image: image)
        upload(target)
        return run(input, batchCount: batchCount)
    }

    private func run(_ input: UnsafeBufferPointer<Float>, batchCount: Int) -> SampleFigures {
        precondition(input.count == graph.channels(graph.input) * shape.voxelCount, "the input has another size")
        precondition(batchCount >= 1)
        if !isPacked { runner.pack() }
        isPacked = true
        runner.importInput(input, size: shape)
        let figures = runner.run(lossScale: 1 / Double(batchCount))!
        return SampleFigures(
            loss: figures.loss, intersection: Int(figures.intersection), predicted: Int(figures.predicted),
            truth: Int(figures.truth))
    }

    /// One Adam step (betas 0.9 and 0.999, epsilon 1e-8) with the gradients accumulated.
    package func update() {
        stepCount += 1
        isPacked = false
        runner.observed(.adam) { runner.backend.adam(learningRate: learningRate, step: stepCount) }
    }

    private func read(_ region: MemoryRegion) -> [Float] {
        [Float](unsafeUninitializedCapacity: region.count) { buffer, count in
            runner.backend.download(region, to: .init(rebasing: buffer[0..<region.count]))
            count = region.count
        }
    }

    /// The weights as they are now, copied out.
    package func model() -> Model<Network> {
        let model = Model(configuration: configuration)
        model.values = read(runner.plan.weights)
        return model
    }

    /// One parameter's gradient, by its name in the state dict.
    package func gradient(_ name: String) -> [Float] {
        read(runner.plan.parameter(parameters[name], of: runner.plan.gradients))
    }

    // MARK: Checkpoints

    /// Everything needed to go on elsewhere with the same bytes: weights under the original network's names, the
    /// optimiser's state under `optimiser.exp_avg.` and `optimiser.exp_avg_sq.`, the step count under `optimiser.step`.
    package func checkpoint(metadata: [String: String] = [:]) -> SafeTensors {
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
    package func restore(_ checkpoint: SafeTensors) throws {
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

/// MONAI's UNet.
package typealias UNetTrainer = Trainer<UNetConfiguration>
