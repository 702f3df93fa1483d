import CKernels

/// Pooling or up-sampling by 2 along some axes.
struct ResamplingLayer: Layer {
    enum Kind: Int32, Sendable {
        case maximumPooling, averagePooling
        /// Of a pixel's neighbours, as PyTorch's Upsample with align_corners False and True; "linear" in 2 and 3
        /// dimensions.
        case nearest, linear, linearCorners

        var isPooling: Bool { self == .maximumPooling || self == .averagePooling }
        /// The kernels' number.
        var number: Int32 {
            switch self {
            case .maximumPooling: Int32(QUINTET_MAXIMUM)
            case .averagePooling: Int32(QUINTET_AVERAGE)
            case .nearest: Int32(QUINTET_NEAREST)
            case .linear: Int32(QUINTET_LINEAR)
            case .linearCorners: Int32(QUINTET_LINEAR_CORNERS)
            }
        }
        var words: String {
            switch self {
            case .maximumPooling: "maximum pooling"
            case .averagePooling: "average pooling"
            case .nearest, .linear, .linearCorners: "up-sampling"
            }
        }
    }

    var input: Graph.Value
    var output: Graph.Value
    var kind: Kind
    /// 1 or 2.
    var factor: PerAxis

    var inputs: [Graph.Value] { [input] }

    private func resampling(_ lowering: inout Lowering) -> quintet_resampling {
        let from = lowering.view(of: input).layout, to = lowering.view(of: output).layout
        return quintet_resampling(
            fine: kind.isPooling ? from : to, coarse: kind.isPooling ? to : from,
            depth_factor: Int32(factor.depth), height_factor: Int32(factor.height), width_factor: Int32(factor.width))
    }

    func appendForward(_ lowering: inout Lowering) {
        lowering.append(Resample(
            resampling: resampling(&lowering), kind: kind, from: lowering.view(of: input),
            to: lowering.view(of: output)))
    }

    func appendBackward(_ lowering: inout Lowering) {
        let gradient = lowering.takeGradient(of: output), resampling = resampling(&lowering)
        let input = kind == .maximumPooling ? lowering.view(of: input) : nil
        lowering.addToGradient(of: self.input, reading: gradient) { lowering, to, accumulate in
            lowering.append(ResampleGradient(
                resampling: resampling, kind: kind, input: input, from: gradient, to: to, accumulate: accumulate))
        }
        lowering.release(gradient)
    }
}

extension Graph {
    private var factorOfTwo: PerAxis { isFlat ? PerAxis(depth: 1, height: 2, width: 2) : PerAxis(2) }

    /// The largest of 2 values along each axis.
    package mutating func maximumPool(_ input: Value) -> Value { pool(input, .maximumPooling) }
    /// The mean of 2 values along each axis.
    package mutating func averagePool(_ input: Value) -> Value { pool(input, .averagePooling) }

    private mutating func pool(_ input: Value, _ kind: ResamplingLayer.Kind) -> Value {
        let output = value(channels: channels(input), divisor: divisor(input) * factorOfTwo)
        return add(ResamplingLayer(input: input, output: output, kind: kind, factor: factorOfTwo))
    }

    /// Twice as many values along each axis, between the positions at which the corners coincide (align_corners).
    package mutating func upsampleByCorners(_ input: Value) -> Value {
        let output = value(channels: channels(input), divisor: divisor(input) / factorOfTwo)
        return add(ResamplingLayer(input: input, output: output, kind: .linearCorners, factor: factorOfTwo))
    }
}
