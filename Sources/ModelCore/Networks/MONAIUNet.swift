/// MONAI's `monai.networks.nets.UNet` (method A3): levels of a way down, a level below beside a skip connection, and a
/// way up. Layers stand in the order of its `named_parameters()`, under the names of its state dict.
struct MONAIUNet {
    private let configuration: UNetConfiguration
    private var graph: Graph

    /// The network as its description says it, before rewritings.
    static func graph(_ configuration: UNetConfiguration) -> Graph {
        var network = MONAIUNet(configuration)
        network.graph.output = network.level(0, "model", network.graph.input, outputs: configuration.outChannels)
        return network.graph
    }

    private init(_ configuration: UNetConfiguration) {
        self.configuration = configuration
        graph = Graph(inputChannels: configuration.inChannels, isFlat: configuration.layers.dimensions == 2)
    }

    private mutating func level(_ index: Int, _ name: String, _ input: Graph.Value, outputs: Int) -> Graph.Value {
        let own = configuration.channels[index], stride = configuration.strides[index]
        let isBottom = index + 2 == configuration.channels.count
        let skip = down(name + ".0", input, channels: own, stride: stride)
        let deep = isBottom
            ? down(name + ".1.submodule", skip, channels: configuration.channels[index + 1], stride: .one)
            : level(index + 1, name + ".1.submodule", skip, outputs: own)
        let both = graph.concatenation(skip, deep)
        return up(name + ".2", both, channels: outputs, stride: stride, isTop: index == 0)
    }

    private var layers: UNetLayers { configuration.layers }

    private mutating func down(_ name: String, _ input: Graph.Value, channels: Int, stride: PerAxis) -> Graph.Value {
        configuration.residualUnits > 0
            ? residualUnit(name, input, channels: channels, stride: stride, units: configuration.residualUnits)
            : activated(name, input, channels: channels, stride: stride)
    }

    private mutating func up(
        _ name: String, _ input: Graph.Value, channels: Int, stride: PerAxis, isTop: Bool
    ) -> Graph.Value {
        guard configuration.residualUnits > 0 else {
            return isTop
                ? graph.transposedConvolution(
                    name + ".conv", input, channels: channels, kernel: layers.upKernel, stride: stride)
                : activated(name, input, channels: channels, stride: stride, isTransposed: true)
        }
        let middle = activated(name + ".0", input, channels: channels, stride: stride, isTransposed: true)
        guard isTop else { return residualUnit(name + ".1", middle, channels: channels, stride: .one, units: 1) }
        // The last one is a bare convolution beside the identity.
        let convolved = graph.convolution(
            name + ".1.conv.unit0.conv", middle, channels: channels, kernel: layers.kernel)
        return graph.sum(convolved, middle)
    }

    /// Convolution, norm, activation.
    private mutating func activated(
        _ name: String, _ input: Graph.Value, channels: Int, stride: PerAxis, isTransposed: Bool = false
    ) -> Graph.Value {
        let raw = isTransposed
            ? graph.transposedConvolution(
                name + ".conv", input, channels: channels, kernel: layers.upKernel, stride: stride)
            : graph.convolution(name + ".conv", input, channels: channels, kernel: layers.kernel, stride: stride)
        func slope() -> Slope {
            switch layers.activation {
            case .prelu: .parameter(graph.parameters.add(name + ".adn.A.weight", [1], .constant(0.25)))
            case .relu: .fixed(0)
            case .leakyReLU(let slope): .fixed(slope)
            }
        }
        switch layers.norm {
        case .instance: return graph.instanceNorm(raw, slope: slope())
        case .batch:
            let normed = graph.batchNorm(name + ".adn.N", raw)
            return graph.activation(normed, slope: slope())
        case .none: return graph.activation(raw, slope: slope())
        }
    }

    /// MONAI's ResidualUnit: `units` activated convolutions, the first with the stride, beside a residual path: the
    /// input itself, or a convolution where sizes or channels differ.
    private mutating func residualUnit(
        _ name: String, _ input: Graph.Value, channels: Int, stride: PerAxis, units: Int
    ) -> Graph.Value {
        var value = input
        for unit in 0..<units {
            value = activated(
                "\(name).conv.unit\(unit)", value, channels: channels, stride: unit == 0 ? stride : .one)
        }
        guard stride != .one || graph.channels(input) != channels else { return graph.sum(value, input) }
        let path = graph.convolution(
            name + ".residual", input, channels: channels,
            kernel: stride == .one ? .one : layers.kernel, stride: stride)
        return graph.sum(value, path)
    }
}

extension UNetConfiguration {
    package var plainGraph: Graph { MONAIUNet.graph(self) }
}
