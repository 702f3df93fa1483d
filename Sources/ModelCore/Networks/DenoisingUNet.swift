/// The U-Net that restores slices in stage 1 of the two-stage liver recipe (method B; the denoising autoencoder of
/// Kascenas et al. 2021): in two dimensions, each block twice a mirrored, weight-standardised 3x3 convolution, Swish
/// and group norm; mean pooling on the way down, 2x2 transposed convolutions on the way up, a 1x1 head.
package struct DenoisingUNetConfiguration: FlatNetworkDescription {
    package let inChannels: Int
    package let outChannels: Int
    /// Channels of every level, the top first; each twice the one before.
    package let widths: [Int]

    /// - Throws: `ModelError.invalidConfiguration`.
    package init(inChannels: Int = 1, outChannels: Int = 1, widths: [Int]) throws {
        func require(_ condition: Bool, _ message: String) throws {
            if !condition { throw ModelError.invalidConfiguration(message) }
        }
        try require((1...16).contains(inChannels), "in_channels is \(inChannels), not 1 to 16")
        try require((1...16).contains(outChannels), "n_classes is \(outChannels), not 1 to 16")
        try require((2...8).contains(widths.count), "depth is \(widths.count), not 2 to 8")
        try require((1...1024).contains(widths[0]), "the first width is \(widths[0]), not 1 to 1024")
        try require(
            zip(widths, widths.dropFirst()).allSatisfy { $1 == 2 * $0 },
            "widths \(widths) do not double from level to level")
        (self.inChannels, self.outChannels, self.widths) = (inChannels, outChannels, widths)
    }

    package var metadata: [String: String] {
        [
            "architecture": "denoising.UNet", "in_channels": "\(inChannels)", "n_classes": "\(outChannels)",
            "widths": "\(widths)", "norm": "group", "up_mode": "upconv", "padding": "True",
        ]
    }

    package init(metadata: [String: String]) throws {
        let settings = NetworkSettings(metadata: metadata)
        for (key, wanted) in [
            ("architecture", "denoising.UNet"), ("norm", "group"), ("up_mode", "upconv"), ("padding", "True"),
        ] { try settings.require(key, wanted) }
        try self.init(
            inChannels: settings.number("in_channels"), outChannels: settings.number("n_classes"),
            widths: settings.list("widths"))
    }

    package func append(to graph: inout Graph, input: Graph.Value, prefix: String) -> Graph.Value {
        var value = input, skips: [Graph.Value] = []
        for (level, width) in widths.enumerated() {
            if level > 0 { value = graph.averagePool(value) }
            value = Self.block("\(prefix)down_path.\(level).block", value, width, in: &graph)
            skips.append(value)
        }
        for (place, level) in widths.indices.dropLast().reversed().enumerated() {
            let up = graph.transposedConvolution(
                "\(prefix)up_path.\(place).up", value, channels: widths[level],
                kernel: PerAxis(depth: 1, height: 2, width: 2), stride: PerAxis(depth: 1, height: 2, width: 2))
            let both = graph.concatenation(up, skips[level])
            value = Self.block("\(prefix)up_path.\(place).conv_block.block", both, widths[level], in: &graph)
        }
        return graph.convolution(prefix + "last", value, channels: outChannels, kernel: .one)
    }

    /// Twice mirror, convolution, Swish, norm: modules 0 to 7 of the original's sequence.
    private static func block(
        _ name: String, _ input: Graph.Value, _ width: Int, in graph: inout Graph
    ) -> Graph.Value {
        var value = input
        for first in [0, 4] {
            value = graph.standardisedConvolution("\(name).\(first + 1)", value, channels: width)
            value = graph.swishGroupNorm("\(name).\(first + 3)", value, groups: groupCount(width))
        }
        return value
    }

    /// The original's choice: of all divisors in order the middle one, the upper of two. 8 of 64, 16 of 128 and 256.
    static func groupCount(_ channels: Int) -> Int {
        let divisors = (1...channels).filter { channels % $0 == 0 }
        return divisors[divisors.count / 2]
    }
}
