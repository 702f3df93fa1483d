import CKernels

/// A run of whole blocks (or planar channels) of a stored value: concatenation is two views of one value. Or two such
/// runs, of values of one size, as the parts of one tensor.
struct ValueView {
    var value: Int
    var firstBlock: Int
    var layout: quintet_layout
    /// Where the second part lies when that is not right behind the first.
    var second: (value: Int, firstBlock: Int)?

    /// Both as one tensor, this one's channels first. Neither may have parts already.
    func joined(with other: ValueView) -> ValueView {
        var both = self
        both.layout.split = layout.channels
        both.layout.channels += other.layout.channels
        both.second = (other.value, other.firstBlock)
        return both
    }

    var values: [Int] { second.map { [value, $0.value] } ?? [value] }
}

/// One step of a network's computation. Forward and backward are lists of these, made once for a network and a size:
/// so memory can be planned ahead, and fusing steps is a rewriting of a list.
enum Operation {
    /// statistics: those of the norm behind it, summed up while the result is written; of its first part where it has
    /// two.
    case convolve(
        layer: Int, ConvolutionDirection, from: ValueView, bias: Int?, to: ValueView, accumulate: Bool,
        statistics: Int?)
    case weightGradient(layer: Int, fine: ValueView, coarse: ValueView)
    case biasGradient(ValueView, parameter: Int)
    case normActivate(ValueView, statistics: Int, slope: Int, residual: ValueView?, to: ValueView)
    case normActivateGradient(ValueView, statistics: Int, slope: Int, from: ValueView, to: ValueView)
    case add(ValueView, to: ValueView)
    /// The loss and its gradient with respect to the logits.
    case loss(logits: ValueView, gradient: ValueView)

    /// Everything read or written.
    var values: [Int] {
        switch self {
        case .convolve(_, _, let from, _, let to, _, _): from.values + to.values
        case .weightGradient(_, let fine, let coarse): fine.values + coarse.values
        case .biasGradient(let view, _): [view.value]
        case .normActivate(let view, _, _, let residual, let to):
            [view.value, to.value] + (residual.map { [$0.value] } ?? [])
        case .normActivateGradient(let view, _, _, let from, let to): [view.value, from.value, to.value]
        case .add(let from, let to): [from.value, to.value]
        case .loss(let logits, let gradient): [logits.value, gradient.value]
        }
    }
}

/// A convolution of the network: its shape and its weight among the parameters, or the first of the weights that make
/// up its own.
struct LayerShape {
    var shape: quintet_convolution
    var weight: Int
    var needsForwardWeights = false
    var needsTransposedWeights = false
}

/// A value with a place of its own, before it has one.
struct ValueShape {
    var shape: TensorShape3D
    var planar: Bool
    /// Blocks of 16 channels, or planar channels.
    var blockCount: Int
}

/// What a network computes for one input size: operations over values, and what they need.
struct NetworkProgram {
    var operations: [Operation] = []
    var values: [ValueShape] = []
    var layers: [LayerShape] = []
    /// Layouts of the normed tensors, one for each set of statistics.
    var statistics: [quintet_layout] = []
    var input: ValueView
    var logits: ValueView
}
