/// The U-Net that segments in stage 2 of the two-stage liver recipe (method B): the discriminative sub-network of DRAEM
/// (Zavrtanik et al. 2021). In two dimensions; a block is twice a 3x3 convolution, batch norm and ReLU; maximum pooling
/// on the way down, bilinear up-sampling and a convolution on the way up.
package struct DiscriminativeUNetConfiguration: NetworkDescription {
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

    package var graph: Graph {
        var graph = Graph(inputChannels: inChannels, isFlat: true)
        let multiples = [1, 2, 4, 8, 8, 8]
        var value = graph.input, skips: [Graph.Value] = []
        for (level, multiple) in multiples.enumerated() {
            if level > 0 { value = graph.maximumPool(value) }
            let name = "encoder_segment.block\(level + 1)"
            value = Self.activated("\(name).0", "\(name).1", value, multiple * baseChannels, in: &graph)
            value = Self.activated("\(name).3", "\(name).4", value, multiple * baseChannels, in: &graph)
            skips.append(value)
        }
        for (place, level) in (0..<5).reversed().enumerated() {
            let channels = [8, 4, 2, 1, 1][place] * baseChannels, suffix = place == 0 ? "_b" : "\(place)"
            let up = "decoder_segment.up\(suffix)", block = "decoder_segment.db\(suffix)"
            value = graph.upsampleByCorners(value)
            value = Self.activated("\(up).1", "\(up).2", value, channels, in: &graph)
            value = graph.concatenation(value, skips[level])
            value = Self.activated("\(block).0", "\(block).1", value, channels, in: &graph)
            value = Self.activated("\(block).3", "\(block).4", value, channels, in: &graph)
        }
        graph.output = graph.convolution(
            "decoder_segment.fin_out.0", value, channels: outChannels, kernel: Self.kernel)
        return graph.rewritten()
    }

    private static let kernel = PerAxis(depth: 1, height: 3, width: 3)

    private static func activated(
        _ convolution: String, _ norm: String, _ input: Graph.Value, _ channels: Int, in graph: inout Graph
    ) -> Graph.Value {
        let convolved = graph.convolution(convolution, input, channels: channels, kernel: kernel)
        return graph.batchNormReLU(norm, convolved)
    }
}
