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
    let backend: any Backend
    /// For benchmarks: told each part of a step before it runs, and nil after the last of those that follow at once.
    var observer: ((StepPart?) -> Void)?
    var plan: MemoryPlan { backend.plan }

    /// Runs what is no operation of the program, under its name.
    func observed(_ part: SidePart, _ body: () -> Void) {
        observer?(.side(part))
        body()
        observer?(nil)
    }

    /// - Throws: `ModelError.unsuitableShape`, `.outOfMemory`.
    init(_ graph: Graph, shape: TensorShape3D, loss: (any LossLayer)?, pool: ThreadPool) throws {
        backend = try CPUBackend(plan: Self.plan(graph, shape: shape, loss: loss), pool: pool)
    }

    /// - Parameters:
    ///   - graph: rewritten.
    ///   - shape: padded here to multiples of what the graph divides sides by.
    ///   - loss: what training makes small; nil for answers.
    /// - Throws: `ModelError.unsuitableShape`.
    static func plan(_ graph: Graph, shape: TensorShape3D, loss: (any LossLayer)?) throws -> MemoryPlan {
        let sides = [shape.depth, shape.height, shape.width]
        guard sides.allSatisfy((1...TensorShape3D.sideMax).contains) else {
            throw ModelError.unsuitableShape("An input of \(shape) voxels is impossible: each side must be 1 to 65536.")
        }
        // Statistics of a channel are those of the whole volume, and a batch in two dimensions lies in one.
        guard !graph.isFlat || shape.depth == 1 || !graph.layers.contains(where: { $0 is NormActivationLayer }) else {
            throw ModelError.unsuitableShape(
                "A network in two dimensions with instance norm takes one image at a time.")
        }
        let padded = shape.rounded(upToMultipleOf: graph.sideDivisor)
        let program = Lowering.program(of: graph, shape: padded, loss: loss)
        // Offsets within a tensor are 32 bits wide in the kernels.
        guard program.values.allSatisfy({ MemoryPlan.floatCount($0) <= Int(Int32.max) }) else {
            throw ModelError.unsuitableShape(
                "An input of \(shape) is too large for this network in one piece. Use a smaller slab.")
        }
        return MemoryPlan(program, parameters: graph.parameters, training: loss != nil)
    }

    var arenaByteCount: Int { plan.floatCount * MemoryLayout<Float>.stride }

    /// Rearranges the weights for the kernels; needed after every change of theirs.
    func pack() { observed(.packWeights) { backend.packWeights() } }

    /// plain [C, D, H, W] of `size` into the program's input.
    func importInput(_ plain: UnsafeBufferPointer<Float>, size: TensorShape3D) {
        observed(.importInput) { backend.importValue(plain.baseAddress!, size: size, to: plan.program.input) }
    }

    /// Runs the whole program.
    ///
    /// - Parameter lossScale: what the loss's gradient is multiplied by.
    /// - Returns: the loss's figures when the program has a loss.
    func run(lossScale: Double = 1) -> quintet_loss_figures? {
        backend.lossScale = lossScale
        backend.lossFigures = nil
        for (index, operation) in plan.program.operations.enumerated() {
            observer?(.operation(index))
            backend.run(operation)
        }
        observer?(nil)
        return backend.lossFigures
    }
}
