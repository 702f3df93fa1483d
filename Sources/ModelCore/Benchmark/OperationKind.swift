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
        let loss: DiceCrossEntropy? = training ? DiceCrossEntropy() : nil
        let program = try NetworkRunner.plan(configuration.graph, shape: shape, loss: loss).program
        var kinds = Set(program.operations.map { $0.kind(program) })
        kinds.insert(OperationKind(training ? "adam" : "softmax", program.output))
        return kinds
    }

    /// Of an operation on one tensor.
    init(_ words: String, _ view: ValueView, _ traits: [String] = []) {
        var traits = traits
        if view.layout.planar != 0 { traits.append("planar") }
        text = ([words] + traits).joined(separator: ", ")
    }

    /// Of an operation of a convolution.
    init(
        _ words: String, _ shape: quintet_convolution, _ operation: Int32, _ from: ValueView, _ to: ValueView,
        _ traits: [String], isInParts: Bool = false
    ) {
        let algorithm = withUnsafePointer(to: shape) { quintet_algorithm_of($0, operation) }
        func blocks(_ view: ValueView) -> String {
            if view.layout.planar != 0 { return "\(view.layout.channels) planar" }
            return view.layout.blockCount == 1 ? "one block" : "several blocks"
        }
        text = (["\(words) \(Self.name(algorithm)) k\(PerAxis(shape.kernel)) s\(PerAxis(shape.stride))"] + traits
            + ["\(blocks(from)) to \(blocks(to))"]).joined(separator: ", ")
        if Self.reachesOver(algorithm, shape) { additions.insert(.reachesOver) }
        if isInParts { additions.insert(.isInParts) }
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
        case QUINTET_FLAT_PRODUCTS: "flat products"
        case QUINTET_FLAT_TILES: "flat tiles"
        case QUINTET_FLAT_POINTS: "flat points"
        case QUINTET_BLOCKED_TO_PLANAR: "blocked to planar"
        default: preconditionFailure("an algorithm without a name: \(algorithm)")
        }
    }

    /// A tile, or 16 rows or voxels of a row.
    private static func reachesOver(_ algorithm: quintet_algorithm, _ shape: quintet_convolution) -> Bool {
        let coarse = shape.coarse
        switch algorithm {
        case QUINTET_WINOGRAD, QUINTET_FEW_TILES, QUINTET_PARITY:
            return coarse.depth % 2 != 0 || coarse.height % 4 != 0 || coarse.width % 4 != 0
        case QUINTET_FLAT_TILES, QUINTET_FLAT_POINTS: return coarse.height % 4 != 0 || coarse.width % 4 != 0
        case QUINTET_PLANAR_TO_BLOCKED, QUINTET_TURNED_ROWS, QUINTET_PLANAR, QUINTET_BLOCKED_TO_PLANAR:
            return coarse.height % 16 != 0 || coarse.width % 16 != 0
        default: return false
        }
    }
}
