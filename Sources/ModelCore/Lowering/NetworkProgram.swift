import CKernels

/// A run of whole blocks (or planar channels) of a stored value: concatenation is two views of one value. Or two such
/// runs, of values of one size, as the parts of one tensor.
struct ValueView: Sendable {
    /// Where something begins.
    struct Place: Hashable, Sendable {
        var value: Int
        var firstBlock: Int
    }

    var value: Int
    var firstBlock: Int
    var layout: quintet_layout
    /// Where the second part lies when that is not right behind the first.
    var second: Place?

    var place: Place { Place(value: value, firstBlock: firstBlock) }

    /// Both as one tensor, this one's channels first. Neither may have parts already.
    func joined(with other: ValueView) -> ValueView {
        var both = self
        both.layout.split = layout.channels
        both.layout.channels += other.layout.channels
        both.second = other.place
        return both
    }

    var values: [Int] { second.map { [value, $0.value] } ?? [value] }

    func isSame(as other: ValueView) -> Bool { place == other.place }
}

extension quintet_layout {
    /// Blocks of 16 channels, each part's rounded up, or planar channels.
    var blockCount: Int {
        func up(_ channels: Int32) -> Int { Int((channels + 15) / 16) }
        return planar != 0 ? Int(channels) : up(split) + up(channels - split)
    }
}

/// A convolution of the network: its shape and its weight among the parameters, or the first of the weights that make
/// up its own.
struct LayerShape {
    var shape: quintet_convolution
    var weight: Int
    /// Regions of the weights that it is computed with and of their gradient, where those are made of the parameters.
    var standardised: Int?
    var standardisedGradient: Int?
    var needsForwardWeights = false
    var needsTransposedWeights = false
}

/// A value with a place of its own, before it has one.
struct ValueShape {
    var shape: TensorShape3D
    var planar: Bool
    /// Whether its planes are the samples of a batch.
    var flat: Bool
    /// Blocks of 16 channels, or planar channels.
    var blockCount: Int

    init(_ layout: quintet_layout) {
        shape = TensorShape3D(depth: Int(layout.depth), height: Int(layout.height), width: Int(layout.width))
        planar = layout.planar != 0
        flat = layout.flat != 0
        blockCount = layout.blockCount
    }
}

/// What a network computes for one input size: operations over values, and what they need.
struct NetworkProgram {
    var operations: [any Operation] = []
    /// So many of them are the forward pass.
    var forwardCount = 0
    var values: [ValueShape] = []
    var layers: [LayerShape] = []
    /// Layouts of the normed tensors, one for each set of statistics.
    var statistics: [quintet_layout] = []
    /// Floats of memory that stays from operation to operation.
    var regions: [Int] = []
    /// What the output should be, where that is an image.
    var targetImage: ValueView?
    var input: ValueView
    /// What the forward pass gives.
    var output: ValueView

    init(input: ValueView, output: ValueView) {
        self.input = input
        self.output = output
    }
}
