/// The U-Net that segments in stage 2 of the two-stage liver recipe (method B): the discriminative sub-network of DRAEM
/// (Zavrtanik et al. 2021). In two dimensions; a block is twice a 3x3 convolution, batch norm and ReLU; maximum pooling
/// on the way down, bilinear up-sampling and a convolution on the way up.
package struct DiscriminativeUNetConfiguration: FlatNetworkDescription {
    package let inChannels: Int
    package let outChannels: Int
    /// Channels of the top level; below 2, 4, 8, 8, 8 times as many.
    package let baseChannels: Int

    /// - Throws: `ModelError.invalidConfiguration`.
    package init(inChannels: Int = 2, outChannels: Int = 2, baseChannels: Int) throws {
        for (name, count, most) in [
            ("in_channels", inChannels, 16), ("out_channels", outChannels, 255), ("base_channels", baseChannels, 512),
        ] where !(1...most).contains(count) {
            throw ModelError.invalidConfiguration("\(name) is \(count), not 1 to \(most)")
        }
        (self.inChannels, self.outChannels, self.baseChannels) = (inChannels, outChannels, baseChannels)
    }

    package var metadata: [String: String] {
        [
            "architecture": "DRAEM.DiscriminativeSubNetwork", "in_channels": "\(inChannels)",
            "out_channels": "\(outChannels)", "base_channels": "\(baseChannels)",
        ]
    }

    package init(metadata: [String: String]) throws {
        let settings = NetworkSettings(metadata: metadata)
        try settings.require("architecture", "DRAEM.DiscriminativeSubNetwork")
        try self.init(
            inChannels: settings.number("in_channels"), outChannels: settings.number("out_channels"),
            baseChannels: settings.number("base_channels"))
    }

    package func append(to graph: inout Graph, input: Graph.Value, prefix: String) -> Graph.Value {
        let multiples = [1, 2, 4, 8, 8, 8]
        var value = input, skips: [Graph.Value] = []
        for (level, multiple) in multiples.enumerated() {
            if level > 0 { value = graph.maximumPool(value) }
            let name = "\(prefix)encoder_segment.block\(level + 1)"
            value = graph.activated("\(name).0", "\(name).1", value, multiple * baseChannels)
            value = graph.activated("\(name).3", "\(name).4", value, multiple * baseChannels)
            skips.append(value)
        }
        for (place, level) in (0..<5).reversed().enumerated() {
            let channels = [8, 4, 2, 1, 1][place] * baseChannels, suffix = place == 0 ? "_b" : "\(place)"
            let up = "\(prefix)decoder_segment.up\(suffix)", block = "\(prefix)decoder_segment.db\(suffix)"
            value = graph.upsampleByCorners(value)
            value = graph.activated("\(up).1", "\(up).2", value, channels)
            value = graph.concatenation(value, skips[level])
            value = graph.activated("\(block).0", "\(block).1", value, channels)
            value = graph.activated("\(block).3", "\(block).4", value, channels)
        }
        return graph.plainConvolution("\(prefix)decoder_segment.fin_out.0", value, channels: outChannels)
    }
}

extension Graph {
    /// DRAEM's block: a 3x3 convolution of a network in two dimensions, batch norm, ReLU.
    mutating func activated(_ convolution: String, _ norm: String, _ input: Value, _ channels: Int) -> Value {
        batchNormReLU(norm, plainConvolution(convolution, input, channels: channels))
    }

    mutating func plainConvolution(_ name: String, _ input: Value, channels: Int) -> Value {
        convolution(name, input, channels: channels, kernel: PerAxis(depth: 1, height: 3, width: 3))
    }
}
