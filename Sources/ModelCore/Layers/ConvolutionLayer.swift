import CKernels

/// A convolution, plain or transposed, with a bias.
struct ConvolutionLayer: Layer {
    var input: Graph.Value
    var output: Graph.Value
    var kernel: PerAxis
    var stride: PerAxis
    /// From coarse to fine: every side grows by the stride.
    var isTransposed = false
    /// Around the input stands what is mirrored at its edges (in the plane), not zeros.
    var isMirrored = false
    /// Each output channel's weights have mean 0 and standard deviation 1 before they are used.
    var isStandardised = false
    /// Places among the parameters.
    var weight: Int
    var bias: Int?

    var inputs: [Graph.Value] { [input] }

    func appendForward(_ lowering: inout Lowering) {
        let from = lowering.view(of: input), to = lowering.view(of: output)
        let statistics = lowering.statisticsBehind(output)
        let layer = lowering.convolution(
            fine: isTransposed ? to : from, coarse: isTransposed ? from : to, kernel: kernel, stride: stride,
            weight: weight, isMirrored: isMirrored, isStandardised: isStandardised)
        lowering.append(Convolve(
            layer: layer, direction: isTransposed ? .transposed : .forward, from: from,
            bias: takesEffect(statistics) ? bias : nil, to: to, accumulate: false, statistics: statistics))
        lowering.remember(layer, of: output)
    }

    /// A norm of every channel takes the mean off, so that a bias before it changes nothing and has no gradient.
    private func takesEffect(_ statistics: Int?) -> Bool { statistics == nil }

    func appendBackward(_ lowering: inout Lowering) {
        let gradient = lowering.takeGradient(of: output), from = lowering.view(of: input)
        if let bias, takesEffect(lowering.statisticsBehind(output)) {
            lowering.append(BiasGradient(of: gradient, parameter: bias))
        }
        lowering.appendGradients(
            ofConvolution: lowering.layer(of: output), input: input, from, gradient, isTransposed: isTransposed)
        lowering.release(gradient)
    }
}

/// Two convolutions of one kernel and stride that read the same: one to the channels of both, which reads its input
/// once (`Graph.joiningConvolutions`). Their weights lie one behind the other.
struct JoinedConvolutionLayer: Layer {
    var first: ConvolutionLayer
    var second: ConvolutionLayer

    var inputs: [Graph.Value] { [first.input] }
    var output: Graph.Value { first.output }
    var outputs: [Graph.Value] { [first.output, second.output] }

    /// It has the first one's bias, too, which the norm behind it takes off again.
    func appendForward(_ lowering: inout Lowering) {
        let from = lowering.view(of: first.input)
        let both = lowering.view(of: first.output).joined(with: lowering.view(of: second.output))
        let layer = lowering.convolution(
            fine: from, coarse: both, kernel: first.kernel, stride: first.stride, weight: first.weight)
        lowering.append(Convolve(
            layer: layer, direction: .forward, from: from, bias: first.bias, to: both, accumulate: false,
            statistics: lowering.statisticsBehind(first.output)))
        lowering.remember(layer, of: first.output)
    }

    func appendBackward(_ lowering: inout Lowering) {
        let one = lowering.takeGradient(of: first.output), other = lowering.takeGradient(of: second.output)
        if let bias = second.bias { lowering.append(BiasGradient(of: other, parameter: bias)) }
        lowering.appendGradients(
            ofConvolution: lowering.layer(of: first.output), input: first.input, lowering.view(of: first.input),
            one.joined(with: other), isTransposed: false)
        lowering.release(one)
        lowering.release(other)
    }
}

extension Lowering {
    /// Of the weights and, unless that is the network's, of the input.
    mutating func appendGradients(
        ofConvolution layer: Int, input: Graph.Value, _ from: ValueView, _ gradient: ValueView, isTransposed: Bool
    ) {
        append(WeightGradient(
            layer: layer, fine: isTransposed ? gradient : from, coarse: isTransposed ? from : gradient))
        addToGradient(of: input, reading: gradient) { lowering, to, accumulate in
            lowering.append(Convolve(
                layer: layer, direction: isTransposed ? .forward : .transposed, from: gradient, bias: nil, to: to,
                accumulate: accumulate, statistics: nil))
        }
    }
}

extension Graph {
    /// A convolution with a bias, `name.weight` and `name.bias` in the state dict. Zeros around the input.
    package mutating func convolution(
        _ name: String, _ input: Value, channels: Int, kernel: PerAxis, stride: PerAxis = .one
    ) -> Value {
        let (weight, bias) = addWeights(
            name, [channels, self.channels(input)], biases: channels, fanChannels: self.channels(input), kernel)
        return add(ConvolutionLayer(
            input: input, output: value(channels: channels, divisor: divisor(input) * stride), kernel: kernel,
            stride: stride, weight: weight, bias: bias))
    }

    /// A transposed convolution with a bias, whose output's sides are the input's times the stride.
    package mutating func transposedConvolution(
        _ name: String, _ input: Value, channels: Int, kernel: PerAxis, stride: PerAxis
    ) -> Value {
        // PyTorch takes the weight's second axis for "in", also where that is a transposed convolution's output.
        let (weight, bias) = addWeights(
            name, [self.channels(input), channels], biases: channels, fanChannels: channels, kernel)
        return add(ConvolutionLayer(
            input: input, output: value(channels: channels, divisor: divisor(input) / stride), kernel: kernel,
            stride: stride, isTransposed: true, weight: weight, bias: bias))
    }

    /// A weight-standardised 3x3 convolution of a network in two dimensions (Qiao et al. 2019), its input mirrored at
    /// the edges.
    package mutating func standardisedConvolution(_ name: String, _ input: Value, channels: Int) -> Value {
        precondition(isFlat)
        let kernel = PerAxis(depth: 1, height: 3, width: 3), inputs = self.channels(input)
        let (weight, bias) = addWeights(name, [channels, inputs], biases: channels, fanChannels: inputs, kernel)
        return add(ConvolutionLayer(
            input: input, output: value(channels: channels, divisor: divisor(input)), kernel: kernel, stride: .one,
            isMirrored: true, isStandardised: true, weight: weight, bias: bias))
    }

    private mutating func addWeights(
        _ name: String, _ channels: [Int], biases: Int, fanChannels: Int, _ kernel: PerAxis
    ) -> (weight: Int, bias: Int) {
        let role = ParameterSpecification.Role.convolution(fanIn: fanChannels * kernel.product)
        return (
            parameters.add(name + ".weight", channels + (isFlat ? Array(kernel.all.dropFirst()) : kernel.all), role),
            parameters.add(name + ".bias", [biases], role)
        )
    }
}
