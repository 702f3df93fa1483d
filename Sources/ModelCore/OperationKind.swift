import CKernels

/// What of the kernels an operation of a network passes through: the algorithm, and the turns that its shapes, its
/// parts and its neighbours make it take. Two operations of one kind differ by sizes only.
///
/// The proof of arithmetic (`Recipes/ArithmeticProof`) is held against the kinds of the presets' networks.
package struct OperationKind: Hashable, Sendable, Comparable, CustomStringConvertible {
    private let text: String
    private var additions: Set<Addition> = []

    /// What an operation does beside what it does without.
    private enum Addition: String, CaseIterable {
        /// What a task takes at once reaches over the tensor's end somewhere; its first tiles are whole.
        case reachesOver = "over the end"
        /// One side's blocks lie in two places.
        case liesApart = "apart"
        /// The sums of a gradient are made in parts and then added up.
        case isInParts = "in parts"
    }

    /// "forward winograd k3 s1, statistics on the way, several blocks to several blocks, over the end".
    package var description: String {
        ([text] + Addition.allCases.filter(additions.contains).map(\.rawValue)).joined(separator: ", ")
    }

    /// This kind, and those whose every turn it takes too: the same without some of what it does in addition.
    package var included: Set<OperationKind> {
        additions.reduce(into: [self]) { kinds, addition in
            for var kind in kinds {
                kind.additions.remove(addition)
                kinds.insert(kind)
            }
        }
    }

    package static func < (a: Self, b: Self) -> Bool { a.description < b.description }

    /// The kinds of a network's operations at one size.
    ///
    /// - Throws: `ModelError.unsuitableShape`.
    package static func all(
        _ configuration: UNetConfiguration, shape: TensorShape3D, training: Bool
    ) throws -> Set<OperationKind> {
        let program = try NetworkRunner.plan(configuration, shape: shape, training: training).program
        var kinds = Set(program.operations.map { OperationKind($0, in: program) })
        kinds.insert(OperationKind(training ? "adam" : "softmax", program.logits))
        return kinds
    }

    private init(_ words: String, _ view: ValueView, _ traits: [String] = []) {
        var traits = traits
        if view.layout.planar != 0 { traits.append("planar") }
        text = ([words] + traits).joined(separator: ", ")
    }

    private init(_ operation: Operation, in program: NetworkProgram) {
        switch operation {
        case .convolve(let layer, let direction, let from, let bias, let to, let accumulate, let statistics):
            var traits = bias == nil ? [] : ["bias"]
            if accumulate { traits.append("added") }
            if statistics != nil {
                let slots = withUnsafePointer(to: program.layers[layer].shape) {
                    quintet_result_is_summed($0, direction.rawValue)
                }
                traits.append(slots != 0 ? "statistics on the way" : "statistics afterwards")
            }
            let words = direction == .forward ? "forward" : "transposed"
            self.init(words, program.layers[layer].shape, direction.rawValue, from, to, traits)
        case .weightGradient(let layer, let fine, let coarse):
            let shape = program.layers[layer].shape
            let slots = withUnsafePointer(to: shape) { quintet_gradient_slots($0) }
            self.init("weight gradient", shape, Int32(QUINTET_WEIGHT_GRADIENT), fine, coarse, [])
            if slots > 1 { additions.insert(.isInParts) }
        case .biasGradient(let view, _): self.init("bias gradient", view)
        case .normActivate(let view, _, _, let residual, let to):
            var traits = view.isSame(as: to) ? ["in place"] : []
            if let residual { traits.append(residual.isSame(as: to) ? "residual in place" : "residual") }
            self.init("norm activate", view, traits)
        case .normActivateGradient(let view, _, _, let from, let to):
            self.init("norm activate gradient", view, from.isSame(as: to) ? ["in place"] : [])
        case .add(let view, _): self.init("add", view)
        case .loss(let view, _): self.init("loss of \(view.layout.channels) classes", view)
        }
    }

    private init(
        _ words: String, _ shape: quintet_convolution, _ operation: Int32, _ from: ValueView, _ to: ValueView,
        _ traits: [String]
    ) {
        let algorithm = withUnsafePointer(to: shape) { quintet_algorithm_of($0, operation) }
        func blocks(_ view: ValueView) -> String {
            if view.layout.planar != 0 { return "\(view.layout.channels) planar" }
            return UNetProgram.blocks(view.layout) == 1 ? "one block" : "several blocks"
        }
        text = (["\(words) \(Self.name(algorithm)) k\(shape.kernel) s\(shape.stride)"] + traits
            + ["\(blocks(from)) to \(blocks(to))"]).joined(separator: ", ")
        if Self.reachesOver(algorithm, shape) { additions.insert(.reachesOver) }
        if from.second != nil || to.second != nil { additions.insert(.liesApart) }
    }

    private static func name(_ algorithm: quintet_algorithm) -> String {
        switch algorithm {
        case QUINTET_PLAIN: "plain"
        case QUINTET_DIRECT: "direct"
        case QUINTET_WINOGRAD: "winograd"
        case QUINTET_FEW_TILES: "few tiles"
        case QUINTET_PARITY: "parity"
        case QUINTET_PLANAR_TO_BLOCKED: "planar and blocked"
        case QUINTET_TURNED_ROWS: "turned rows"
        case QUINTET_PLANAR: "planar"
        default: preconditionFailure("an algorithm without a name: \(algorithm)")
        }
    }

    /// A tile, or 16 rows or voxels of a row.
    private static func reachesOver(_ algorithm: quintet_algorithm, _ shape: quintet_convolution) -> Bool {
        let coarse = shape.coarse
        switch algorithm {
        case QUINTET_WINOGRAD, QUINTET_FEW_TILES, QUINTET_PARITY:
            return coarse.depth % 2 != 0 || coarse.height % 4 != 0 || coarse.width % 4 != 0
        case QUINTET_PLANAR_TO_BLOCKED, QUINTET_TURNED_ROWS, QUINTET_PLANAR:
            return coarse.height % 16 != 0 || coarse.width % 16 != 0
        default: return false
        }
    }
}

extension ValueView {
    fileprivate func isSame(as other: ValueView) -> Bool {
        value == other.value && firstBlock == other.firstBlock
    }
}
