import CKernels
import Numerics

/// What a step has beside its program's operations.
enum SidePart: String, CaseIterable {
    case zeroGradients = "zero gradients", packWeights = "pack weights", uploadTarget = "upload target"
    case importInput = "import input", softmax, adam
}

/// A part of a step: an operation by its place in the program, or one beside them.
enum StepPart {
    case operation(Int)
    case side(SidePart)
}

/// A program with its memory on a backend: uploads weights, runs operations.
final class NetworkRunner {
    let plan: MemoryPlan
    let backend: any Backend
    /// For benchmarks: told each part of a step before it runs, and nil after the last of those that follow at once.
    var observer: ((StepPart?) -> Void)?

    /// Runs what is no operation of the program, under its name.
    func observed(_ part: SidePart, _ body: () -> Void) {
        observer?(.side(part))
        body()
        observer?(nil)
    }

    init(_ configuration: UNetConfiguration, shape: TensorShape3D, training: Bool, pool: ThreadPool) throws {
        plan = try Self.plan(configuration, shape: shape, training: training)
        backend = try CPUBackend(pool: pool, floatCount: plan.floatCount)
    }

    /// - Parameter shape: padded here to multiples of the strides' product.
    /// - Throws: `ModelError.unsuitableShape`.
    static func plan(_ configuration: UNetConfiguration, shape: TensorShape3D, training: Bool) throws -> MemoryPlan {
        let sides = [shape.depth, shape.height, shape.width]
        guard sides.allSatisfy((1...TensorShape3D.sideMax).contains) else {
            throw ModelError.unsuitableShape("An input of \(shape) voxels is impossible: each side must be 1 to 65536.")
        }
        let padded = shape.rounded(upToMultipleOf: configuration.strideProduct)
        let parameters = UNetParameters(configuration)
        let program = UNetProgram.make(configuration, parameters: parameters, shape: padded, training: training)
        // Offsets within a tensor are 32 bits wide in the kernels.
        guard program.values.allSatisfy({ MemoryPlan.floatCount($0) <= Int(Int32.max) }) else {
            throw ModelError.unsuitableShape(
                "An input of \(shape) is too large for this network in one piece. Use a smaller slab.")
        }
        return MemoryPlan(program, parameters: parameters, training: training)
    }

    var arenaByteCount: Int { plan.floatCount * MemoryLayout<Float>.stride }

    /// Rearranges the weights for the kernels; needed after every change of theirs.
    func pack() {
        observed(.packWeights) {
            for (layer, convolution) in zip(plan.program.layers, plan.convolutions) {
                if layer.needsForwardWeights { backend.pack(convolution, direction: .forward) }
                if layer.needsTransposedWeights { backend.pack(convolution, direction: .transposed) }
            }
        }
    }

    /// plain [C, D, H, W] of `size` into the program's input.
    func importInput(_ plain: UnsafeBufferPointer<Float>, size: TensorShape3D) {
        observed(.importInput) {
            backend.importTensor(plain.baseAddress!, size: size, to: plan.tensor(plan.program.input))
        }
    }

    /// Runs the whole program.
    ///
    /// - Parameter lossScale: what the loss's gradient is multiplied by.
    /// - Returns: the loss's figures when the program has a loss.
    func run(lossScale: Double = 1) -> quintet_loss_figures? {
        var figures: quintet_loss_figures?
        for (index, operation) in plan.program.operations.enumerated() {
            observer?(.operation(index))
            if let result = run(operation, lossScale: lossScale) { figures = result }
        }
        observer?(nil)
        return figures
    }

    private func run(_ operation: Operation, lossScale: Double) -> quintet_loss_figures? {
        switch operation {
        case .convolve(let layer, let direction, let from, let bias, let to, let accumulate, let statistics):
            backend.convolve(
                plan.convolutions[layer], direction, from: plan.tensor(from),
                bias: bias.map { plan.parameter($0, of: plan.weights) }, to: plan.tensor(to), accumulate: accumulate,
                statistics: statistics.map(plan.resultStatistics))
        case .weightGradient(let layer, let fine, let coarse):
            backend.weightGradient(
                plan.convolutions[layer], fine: plan.tensor(fine), coarse: plan.tensor(coarse), scratch: plan.scratch,
                to: plan.parameter(plan.program.layers[layer].weight, of: plan.gradients))
        case .biasGradient(let view, let parameter):
            backend.biasGradient(
                plan.tensor(view), scratch: plan.scratch, to: plan.parameter(parameter, of: plan.gradients))
        case .normActivate(let view, let statistics, let slope, let residual, let to):
            backend.normActivate(
                plan.tensor(view), statistics: plan.statistics[statistics],
                slope: plan.parameter(slope, of: plan.weights), residual: residual.map(plan.tensor),
                to: plan.tensor(to))
        case .normActivateGradient(let view, let statistics, let slope, let from, let to):
            backend.normActivateGradient(
                plan.tensor(view), statistics: plan.statistics[statistics],
                slope: plan.parameter(slope, of: plan.weights), from: plan.tensor(from), scratch: plan.scratch,
                to: plan.tensor(to), slopeGradient: plan.parameter(slope, of: plan.gradients))
        case .add(let from, let to):
            backend.add(plan.tensor(from), to: plan.tensor(to))
        case .loss(let logits, let gradient):
            return backend.diceCrossEntropy(
                logits: plan.tensor(logits), target: plan.target, scale: lossScale, scratch: plan.scratch,
                gradient: plan.tensor(gradient))
        }
        return nil
    }
}
