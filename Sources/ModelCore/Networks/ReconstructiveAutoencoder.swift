/// The autoencoder that restores images in DRAEM (Zavrtanik et al. 2021): its reconstructive sub-network, which the
/// liver paper's ablation has in place of a U-Net (its Table 2 and Fig. 4). In two dimensions; blocks as in
/// `DiscriminativeUNetConfiguration`, and nothing passes by its narrowest level.
package struct ReconstructiveAutoencoderConfiguration: FlatNetworkDescription {
    package let inChannels: Int
    package let outChannels: Int
    /// Channels of the top level; below 2, 4, 8, 8 times as many.
    package let baseWidth: Int

    /// - Throws: `ModelError.invalidConfiguration`.
    package init(inChannels: Int = 1, outChannels: Int = 1, baseWidth: Int) throws {
        for (name, count, most) in [
            ("in_channels", inChannels, 16), ("out_channels", outChannels, 16), ("base_width", baseWidth, 512),
        ] where !(1...most).contains(count) {
            throw ModelError.invalidConfiguration("\(name) is \(count), not 1 to \(most)")
        }
        (self.inChannels, self.outChannels, self.baseWidth) = (inChannels, outChannels, baseWidth)
    }

    package static let architecture = "DRAEM.ReconstructiveSubNetwork"

    package var metadata: [String: String] {
        [
            "architecture": Self.architecture, "in_channels": "\(inChannels)", "out_channels": "\(outChannels)",
            "base_width": "\(baseWidth)",
        ]
    }

    package init(metadata: [String: String]) throws {
        let settings = NetworkSettings(metadata: metadata)
        try settings.require("architecture", Self.architecture)
        try self.init(
            inChannels: settings.number("in_channels"), outChannels: settings.number("out_channels"),
            baseWidth: settings.number("base_width"))
    }

    package func append(to graph: inout Graph, input: Graph.Value, prefix: String) -> Graph.Value {
        let multiples = [1, 2, 4, 8, 8]
        var value = input
        for (level, multiple) in multiples.enumerated() {
            if level > 0 { value = graph.maximumPool(value) }
            let name = "\(prefix)encoder.block\(level + 1)"
            value = graph.activated("\(name).0", "\(name).1", value, multiple * baseWidth)
            value = graph.activated("\(name).3", "\(name).4", value, multiple * baseWidth)
        }
        for (place, (multiple, next)) in zip([8, 4, 2, 1], [4, 2, 1, 1]).enumerated() {
            let up = "\(prefix)decoder.up\(place + 1)", block = "\(prefix)decoder.db\(place + 1)"
            value = graph.upsampleByCorners(value)
            value = graph.activated("\(up).1", "\(up).2", value, multiple * baseWidth)
            value = graph.activated("\(block).0", "\(block).1", value, multiple * baseWidth)
            value = graph.activated("\(block).3", "\(block).4", value, next * baseWidth)
        }
        return graph.plainConvolution("\(prefix)decoder.fin_out.0", value, channels: outChannels)
    }
}
