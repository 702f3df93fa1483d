import CKernels

/// Group or batch norm with a scale and a shift of every channel, and an activation before or behind it:
/// after((before(x) - mean) / sqrt(variance + 1e-5) * scale + shift). Nothing but x and the result is kept.
struct AffineNormLayer: Layer {
    enum Kind: Sendable {
        /// Statistics of each sample and group of neighbouring channels.
        case group(count: Int)
        /// Statistics of each channel over the whole batch; answers take the running ones, whose places among the
        /// parameters these are, as is the number of batches that they come from.
        case batch(mean: Int, variance: Int, batches: Int)
    }

    var input: Graph.Value
    var output: Graph.Value
    var kind: Kind
    var before: quintet_activation
    var after: quintet_activation
    /// Places among the parameters.
    var scale: Int
    var shift: Int

    var inputs: [Graph.Value] { [input] }
    var keepsLayout: Bool { true }

    func place(_ lowering: inout Lowering) {
        if !lowering.isTraining, lowering.isReadOnce(input) { lowering.share(input, with: output) }
    }

    private func norm(_ layout: quintet_layout) -> quintet_affine_norm {
        var norm = quintet_affine_norm(layout: layout, groups: layout.channels, batch: 0, before: before, after: after)
        switch kind {
        case .group(let count): norm.groups = Int32(count)
        case .batch: norm.batch = 1
        }
        return norm
    }

    func appendForward(_ lowering: inout Lowering) {
        let from = lowering.view(of: input)
        var norm = norm(from.layout)
        let statistics = lowering.region(Int(quintet_affine_norm_floats(&norm)))
        lowering.rememberRegion(statistics, of: output)
        lowering.append(AffineNorm(
            norm: norm, statisticsRegion: statistics, kind: kind, isTraining: lowering.isTraining, from: from,
            scale: scale, shift: shift, to: lowering.view(of: output)))
    }

    func appendBackward(_ lowering: inout Lowering) {
        let gradient = lowering.takeGradient(of: output), input = lowering.view(of: input)
        let statistics = lowering.region(of: output), norm = norm(input.layout)
        lowering.setGradient(of: self.input, from: gradient) { lowering, to in
            lowering.append(AffineNormGradient(
                norm: norm, statisticsRegion: statistics, input: input, scale: scale, shift: shift, from: gradient,
                to: to))
        }
    }
}

extension quintet_activation {
    static var none: quintet_activation { .init(kind: Int32(QUINTET_IDENTITY), slope: 0) }
    static var relu: quintet_activation { .init(kind: Int32(QUINTET_RELU), slope: 0) }
    /// x * sigmoid(x).
    static var swish: quintet_activation { .init(kind: Int32(QUINTET_SWISH), slope: 0) }
}

extension Graph {
    /// Swish, then group norm with `name.weight` and `name.bias` in the state dict.
    package mutating func swishGroupNorm(_ name: String, _ input: Value, groups: Int) -> Value {
        precondition(channels(input) % groups == 0)
        return affineNorm(name, input, .group(count: groups), before: .swish, after: .none)
    }

    /// Batch norm, then ReLU.
    package mutating func batchNormReLU(_ name: String, _ input: Value) -> Value {
        batchNorm(name, input, after: .relu)
    }

    /// Batch norm: `name.weight`, `.bias`, `.running_mean`, `.running_var` and `.num_batches_tracked`.
    mutating func batchNorm(_ name: String, _ input: Value, after: quintet_activation = .none) -> Value {
        let channels = channels(input)
        let scale = parameters.add(name + ".weight", [channels], .constant(1))
        let shift = parameters.add(name + ".bias", [channels], .constant(0))
        let kind = AffineNormLayer.Kind.batch(
            mean: parameters.add(name + ".running_mean", [channels], .statistic(0)),
            variance: parameters.add(name + ".running_var", [channels], .statistic(1)),
            batches: parameters.add(name + ".num_batches_tracked", [], .count))
        return add(AffineNormLayer(
            input: input, output: value(like: input), kind: kind, before: .none, after: after, scale: scale,
            shift: shift))
    }

    private mutating func affineNorm(
        _ name: String, _ input: Value, _ kind: AffineNormLayer.Kind, before: quintet_activation,
        after: quintet_activation
    ) -> Value {
        let scale = parameters.add(name + ".weight", [channels(input)], .constant(1))
        let shift = parameters.add(name + ".bias", [channels(input)], .constant(0))
        return add(AffineNormLayer(
            input: input, output: value(like: input), kind: kind, before: before, after: after, scale: scale,
            shift: shift))
    }
}
