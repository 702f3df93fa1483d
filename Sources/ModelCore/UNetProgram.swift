import CKernels

/// MONAI's UNet as a list of operations.
///
/// Each part of the network is a method that appends its forward operations and returns what appends its backward
/// ones. A backward part takes the gradient of its output, which it may use up, and gives the gradient of its input:
/// added into the view it is told (a skip connection's), or into one of its own choice.
struct UNetProgram {
    /// (gradient of the output, where to add the gradient of the input) -> gradient of the input.
    typealias Backward = (inout UNetProgram, ValueView, ValueView?) -> ValueView
    /// Of two outputs: (gradient of the first, of the second, where to add the gradient of the input).
    typealias BackwardOfTwo = (inout UNetProgram, ValueView, ValueView, ValueView?) -> ValueView

    private let parameters: UNetParameters
    private let configuration: UNetConfiguration
    /// The backward pass asks for what the norms were given; without one, norms work in place.
    private let isTraining: Bool
    private var program: NetworkProgram

    /// - Parameter shape: sides are multiples of the strides' product.
    static func make(
        _ configuration: UNetConfiguration, parameters: UNetParameters, shape: TensorShape3D, training: Bool
    ) -> NetworkProgram {
        var builder = UNetProgram(configuration, parameters, shape, isTraining: training)
        let outputs = builder.value(shape, channels: configuration.outChannels, planar: builder.isOutputPlanar)
        let input = builder.program.input
        let backward = builder.level(0, "model", input: input, output: outputs)
        builder.program.logits = outputs
        if training {
            let gradient = builder.value(like: outputs)
            builder.program.operations.append(.loss(logits: outputs, gradient: gradient))
            _ = backward(&builder, gradient, nil)
        }
        return builder.program
    }

    private var isOutputPlanar: Bool { configuration.outChannels <= planarChannelsMax }

    private init(
        _ configuration: UNetConfiguration, _ parameters: UNetParameters, _ shape: TensorShape3D, isTraining: Bool
    ) {
        self.configuration = configuration
        self.isTraining = isTraining
        self.parameters = parameters
        // An identity around the first layer would have to add a planar tensor to a blocked one: blocked both, then.
        let identity = configuration.strides[0] == 1 && configuration.inChannels == configuration.channels[0]
        let planar = configuration.inChannels <= planarChannelsMax && !identity
        let layout = Self.layout(shape, channels: configuration.inChannels, planar: planar)
        let view = ValueView(value: 0, firstBlock: 0, layout: layout)
        program = NetworkProgram(input: view, logits: view)
        program.values.append(ValueShape(shape: shape, planar: planar, blockCount: Self.blocks(layout)))
    }

    // MARK: Values

    private static func layout(_ shape: TensorShape3D, channels: Int, planar: Bool, split: Int = 0) -> quintet_layout {
        quintet_layout(
            channels: Int32(channels), depth: Int32(shape.depth), height: Int32(shape.height),
            width: Int32(shape.width), planar: planar ? 1 : 0, split: Int32(split), gap: 0)
    }

    static func blocks(_ layout: quintet_layout) -> Int {
        func up(_ channels: Int32) -> Int { Int((channels + 15) / 16) }
        return layout.planar != 0 ? Int(layout.channels) : up(layout.split) + up(layout.channels - layout.split)
    }

    private mutating func value(
        _ shape: TensorShape3D, channels: Int, planar: Bool = false, split: Int = 0
    ) -> ValueView {
        let layout = Self.layout(shape, channels: channels, planar: planar, split: split)
        program.values.append(ValueShape(shape: shape, planar: planar, blockCount: Self.blocks(layout)))
        return ValueView(value: program.values.count - 1, firstBlock: 0, layout: layout)
    }

    private mutating func value(like view: ValueView) -> ValueView {
        let shape = program.values[view.value].shape
        return value(
            shape, channels: Int(view.layout.channels), planar: view.layout.planar != 0, split: Int(view.layout.split))
    }

    /// The two parts of a concatenation.
    private func parts(_ whole: ValueView) -> (ValueView, ValueView) {
        var first = whole, second = whole
        first.layout.channels = whole.layout.split
        first.layout.split = 0
        second.layout.channels = whole.layout.channels - whole.layout.split
        second.layout.split = 0
        second.firstBlock = whole.firstBlock + Self.blocks(first.layout)
        return (first, second)
    }

    // MARK: Convolutions

    private mutating func layer(fine: ValueView, coarse: ValueView, kernel: Int, stride: Int, _ name: String) -> Int {
        let shape = quintet_convolution(
            fine: fine.layout, coarse: coarse.layout, kernel: Int32(kernel), stride: Int32(stride))
        program.layers.append(LayerShape(shape: shape, weight: parameters[name + ".weight"]))
        return program.layers.count - 1
    }

    private mutating func convolve(
        _ layer: Int, _ direction: ConvolutionDirection, _ from: ValueView, bias: Int? = nil, to: ValueView,
        accumulate: Bool = false, statistics: Int? = nil
    ) {
        if direction == .forward { program.layers[layer].needsForwardWeights = true }
        if direction == .transposed { program.layers[layer].needsTransposedWeights = true }
        program.operations.append(
            .convolve(
                layer: layer, direction, from: from, bias: bias, to: to, accumulate: accumulate,
                statistics: statistics))
    }

    /// Room for the statistics of a norm's input.
    private mutating func statistics(of raw: ValueView) -> Int {
        program.statistics.append(raw.layout)
        return program.statistics.count - 1
    }

    /// One convolution, plain or transposed, with its bias where nothing normalises it away afterwards: instance norm
    /// takes the mean off, so that a bias before it changes nothing and its gradient is zero.
    ///
    /// - Parameter statistics: of the norm behind it, nil without one.
    private mutating func convolution(
        _ name: String, _ input: ValueView, kernel: Int = 3, stride: Int, transposed: Bool = false, statistics: Int?,
        to output: ValueView
    ) -> Backward {
        let (fine, coarse) = transposed ? (output, input) : (input, output)
        let layer = layer(fine: fine, coarse: coarse, kernel: kernel, stride: stride, name)
        let forward: ConvolutionDirection = transposed ? .transposed : .forward
        let bias = statistics == nil ? parameters[name + ".bias"] : nil
        convolve(layer, forward, input, bias: bias, to: output, statistics: statistics)
        return { builder, gradient, target in
            if let bias { builder.program.operations.append(.biasGradient(gradient, parameter: bias)) }
            return builder.gradients(layer, input: input, gradient: gradient, transposed: transposed, target: target)
        }
    }

    /// Of a layer's weights and, unless that is the network's, of its input.
    private mutating func gradients(
        _ layer: Int, input: ValueView, gradient: ValueView, transposed: Bool = false, target: ValueView?
    ) -> ValueView {
        let (fine, coarse) = transposed ? (gradient, input) : (input, gradient)
        program.operations.append(.weightGradient(layer: layer, fine: fine, coarse: coarse))
        if input.value == program.input.value { return input }
        let to = target ?? value(like: input)
        convolve(layer, transposed ? .forward : .transposed, gradient, to: to, accumulate: target != nil)
        return to
    }

    /// Convolution, instance norm, PReLU.
    private mutating func activated(
        _ name: String, _ input: ValueView, stride: Int, transposed: Bool = false, isInPlace: Bool = false,
        to output: ValueView
    ) -> Backward {
        let raw = isTraining ? value(like: output) : output, statistics = statistics(of: raw)
        let convolution = convolution(
            name + ".conv", input, stride: stride, transposed: transposed, statistics: statistics, to: raw)
        let norm = normed(name, raw, statistics: statistics, isInPlace: isInPlace, to: output)
        return { builder, gradient, target in convolution(&builder, norm(&builder, gradient, nil), target) }
    }

    /// Instance norm, PReLU; plus `residual` when given.
    ///
    /// - Parameter isInPlace: nobody else asks for the gradient of the output: the norm's takes its place.
    private mutating func normed(
        _ name: String, _ raw: ValueView, statistics: Int, residual: ValueView? = nil, isInPlace: Bool = false,
        to output: ValueView
    ) -> Backward {
        let slope = parameters[name + ".adn.A.weight"]
        program.operations.append(
            .normActivate(raw, statistics: statistics, slope: slope, residual: residual, to: output))
        return { builder, gradient, _ in
            let rawGradient = isInPlace ? gradient : builder.value(like: raw)
            builder.program.operations.append(
                .normActivateGradient(raw, statistics: statistics, slope: slope, from: gradient, to: rawGradient))
            return rawGradient
        }
    }

    // MARK: Blocks

    /// MONAI's ResidualUnit: `units` activated convolutions, the first with the stride, beside a residual path.
    private mutating func residualUnit(
        _ name: String, _ input: ValueView, stride: Int, units: Int, to output: ValueView
    ) -> Backward {
        let isIdentity = stride == 1 && input.layout.channels == output.layout.channels
        // What the last norm adds stands in the output, unless it is the input.
        let endsInPlace = isIdentity && !isTraining
        func isLast(_ unit: Int) -> Bool { unit == units - 1 }
        var raw = isLast(0) && endsInPlace ? output : value(like: output), statistics = statistics(of: raw)
        let beginning = isIdentity
            ? beginning(name, input, to: raw, statistics)
            : beginning(name, input, stride: stride, to: raw, statistics, residual: output)
        var chain: [Backward] = []
        for unit in 0..<units {
            let next = isLast(unit) ? output : isTraining ? value(like: output) : raw
            chain.append(
                normed(
                    "\(name).conv.unit\(unit)", raw, statistics: statistics,
                    residual: isLast(unit) ? (isIdentity ? input : output) : nil, isInPlace: !isLast(unit), to: next))
            if isLast(unit) { break }
            raw = isLast(unit + 1) && endsInPlace ? output : value(like: output)
            statistics = self.statistics(of: raw)
            let convolved = "\(name).conv.unit\(unit + 1).conv"
            chain.append(convolution(convolved, next, stride: 1, statistics: statistics, to: raw))
        }
        return { [chain] builder, gradient, target in
            var chainGradient = gradient
            for backward in chain.reversed() { chainGradient = backward(&builder, chainGradient, nil) }
            return beginning(&builder, chainGradient, gradient, target)
        }
    }

    /// The first convolution of a residual unit whose residual path is the input itself.
    private mutating func beginning(
        _ name: String, _ input: ValueView, to raw: ValueView, _ statistics: Int
    ) -> BackwardOfTwo {
        let convolution = convolution(name + ".conv.unit0.conv", input, stride: 1, statistics: statistics, to: raw)
        return { builder, gradient, residualGradient, target in
            guard let target else { return convolution(&builder, gradient, residualGradient) }
            builder.program.operations.append(.add(residualGradient, to: target))
            return convolution(&builder, gradient, target)
        }
    }

    /// The first convolution of a residual unit and the one on its residual path. With a stride both have a kernel of 3
    /// and are one convolution to the channels of both, which reads its input once. It has the first one's bias too,
    /// which the norm takes off again.
    private mutating func beginning(
        _ name: String, _ input: ValueView, stride: Int, to raw: ValueView, _ statistics: Int, residual: ValueView
    ) -> BackwardOfTwo {
        let main = name + ".conv.unit0.conv", beside = name + ".residual"
        guard stride > 1 else {
            let path = convolution(beside, input, kernel: 1, stride: 1, statistics: nil, to: residual)
            let convolution = convolution(main, input, stride: 1, statistics: statistics, to: raw)
            return { builder, gradient, residualGradient, target in
                convolution(&builder, gradient, path(&builder, residualGradient, target))
            }
        }
        let both = raw.joined(with: residual)
        let layer = layer(fine: input, coarse: both, kernel: 3, stride: stride, main)
        convolve(layer, .forward, input, bias: parameters[main + ".bias"], to: both, statistics: statistics)
        let bias = parameters[beside + ".bias"]
        return { builder, gradient, residualGradient, target in
            builder.program.operations.append(.biasGradient(residualGradient, parameter: bias))
            return builder.gradients(
                layer, input: input, gradient: gradient.joined(with: residualGradient), target: target)
        }
    }

    /// The last residual unit of the top: one bare convolution plus identity.
    private mutating func bareResidualUnit(_ name: String, _ input: ValueView, to output: ValueView) -> Backward {
        let convolution = convolution(name + ".conv.unit0.conv", input, stride: 1, statistics: nil, to: output)
        program.operations.append(.add(input, to: output))
        return { builder, gradient, target in
            let sum = convolution(&builder, gradient, target)
            builder.program.operations.append(.add(gradient, to: sum))
            return sum
        }
    }

    private mutating func down(_ name: String, _ input: ValueView, stride: Int, to output: ValueView) -> Backward {
        configuration.residualUnits > 0
            ? residualUnit(name, input, stride: stride, units: configuration.residualUnits, to: output)
            : activated(name, input, stride: stride, to: output)
    }

    private mutating func up(
        _ name: String, _ input: ValueView, stride: Int, isTop: Bool, to output: ValueView
    ) -> Backward {
        guard configuration.residualUnits > 0 else {
            return isTop
                ? convolution(name + ".conv", input, stride: stride, transposed: true, statistics: nil, to: output)
                : activated(name, input, stride: stride, transposed: true, to: output)
        }
        let middle = value(like: output)
        let first = activated(name + ".0", input, stride: stride, transposed: true, isInPlace: true, to: middle)
        let second = isTop
            ? bareResidualUnit(name + ".1", middle, to: output)
            : residualUnit(name + ".1", middle, stride: 1, units: 1, to: output)
        return { builder, gradient, target in first(&builder, second(&builder, gradient, nil), target) }
    }

    /// A level: down, the level below beside a skip connection, up.
    private mutating func level(_ index: Int, _ name: String, input: ValueView, output: ValueView) -> Backward {
        let own = configuration.channels[index], stride = configuration.strides[index]
        let isBottom = index + 2 == configuration.channels.count
        let shape = program.values[input.value].shape.divided(by: stride)
        let below = isBottom ? configuration.channels[index + 1] : own
        let joined = value(shape, channels: own + below, split: own), (skip, deep) = parts(joined)
        let down = down(name + ".0", input, stride: stride, to: skip)
        let submodule = isBottom
            ? self.down(name + ".1.submodule", skip, stride: 1, to: deep)
            : level(index + 1, name + ".1.submodule", input: skip, output: deep)
        let up = up(name + ".2", joined, stride: stride, isTop: index == 0, to: output)
        return { builder, gradient, target in
            let (skip, deep) = builder.parts(up(&builder, gradient, nil))
            _ = submodule(&builder, deep, skip)
            return down(&builder, skip, target)
        }
    }
}

/// Channels up to which a network's input and output lie planar (`PLANAR_CHANNELS_MAX` of the kernels).
let planarChannelsMax = 4
