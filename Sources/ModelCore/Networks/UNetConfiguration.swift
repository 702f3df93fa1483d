/// What MONAI's `monai.networks.nets.UNet` is told at its construction, as far as it may vary here;
/// `UNetMetadata.swift` has what is fixed.
public struct UNetConfiguration: Codable, Hashable, Sendable {
    public let inChannels: Int
    public let outChannels: Int
    /// Channels of every level, the top first; at least two.
    public let channels: [Int]
    /// Stride from one level to the next; one fewer than `channels`.
    public let strides: [Int]
    /// MONAI's `num_res_units`.
    public let residualUnits: Int

    /// Bounds on what a file or a user may ask for.
    package enum Limits {
        static let channelsMax = 4096
        static let levelsMax = 12
        static let strideMax = 16
        static let residualUnitsMax = 16
        static let strideProductMax = 4096
    }

    /// - Throws: `ModelError.invalidConfiguration` naming the value at fault.
    public init(inChannels: Int, outChannels: Int, channels: [Int], strides: [Int], residualUnits: Int) throws {
        self.inChannels = inChannels
        self.outChannels = outChannels
        self.channels = channels
        self.strides = strides
        self.residualUnits = residualUnits
        try validate()
    }

    private enum CodingKeys: String, CodingKey {
        case inChannels, outChannels, channels, strides, residualUnits
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            inChannels: values.decode(Int.self, forKey: .inChannels),
            outChannels: values.decode(Int.self, forKey: .outChannels),
            channels: values.decode([Int].self, forKey: .channels),
            strides: values.decode([Int].self, forKey: .strides),
            residualUnits: values.decode(Int.self, forKey: .residualUnits))
    }

    private func validate() throws {
        func require(_ condition: Bool, _ message: String) throws {
            if !condition { throw ModelError.invalidConfiguration(message) }
        }
        let size = 1...Limits.channelsMax
        try require(size.contains(inChannels), "in_channels is \(inChannels), not 1 to \(Limits.channelsMax)")
        try require(size.contains(outChannels), "out_channels is \(outChannels), not 1 to \(Limits.channelsMax)")
        try require(
            (2...Limits.levelsMax).contains(channels.count), "channels has \(channels.count) levels, not 2 to 12")
        try require(channels.allSatisfy(size.contains), "channels \(channels) are not all 1 to \(Limits.channelsMax)")
        try require(
            strides.count == channels.count - 1,
            "strides has \(strides.count) values for \(channels.count) levels; one fewer than levels is needed")
        try require(
            strides.allSatisfy((1...Limits.strideMax).contains), "strides \(strides) are not all 1 to 16")
        try require(
            strides.reduce(1, *) <= Limits.strideProductMax,
            "strides \(strides) multiply to more than \(Limits.strideProductMax)")
        try require(
            (0...Limits.residualUnitsMax).contains(residualUnits), "num_res_units is \(residualUnits), not 0 to 16")
    }

    /// Sides of an input are padded to multiples of this.
    public var strideProduct: Int { strides.reduce(1, *) }

    /// Trainable numbers in all.
    public var parameterCount: Int { graph.parameters.count }
}
