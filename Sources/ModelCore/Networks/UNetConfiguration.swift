/// What MONAI's `monai.networks.nets.UNet` is told at its construction, as far as it may vary here;
/// `UNetMetadata.swift` has what is fixed.
public struct UNetConfiguration: Hashable, Sendable {
    public let inChannels: Int
    public let outChannels: Int
    /// Channels of every level, the top first; at least two.
    public let channels: [Int]
    /// Stride from one level to the next; one fewer than `channels`.
    public let strides: [PerAxis]
    /// MONAI's `num_res_units`.
    public let residualUnits: Int
    public let layers: UNetLayers

    /// Bounds on what a file or a user may ask for.
    package enum Limits {
        static let channelsMax = 4096
        static let levelsMax = 12
        static let strideMax = 16
        static let residualUnitsMax = 16
        static let strideProductMax = 4096
    }

    /// MONAI's defaults in three dimensions, with the same strides along every axis.
    ///
    /// - Throws: `ModelError.invalidConfiguration` naming the value at fault.
    public init(inChannels: Int, outChannels: Int, channels: [Int], strides: [Int], residualUnits: Int) throws {
        try self.init(
            inChannels: inChannels, outChannels: outChannels, channels: channels, strides: strides.map { PerAxis($0) },
            residualUnits: residualUnits, layers: UNetLayers())
    }

    /// - Throws: `ModelError.invalidConfiguration` naming the value at fault.
    public init(
        inChannels: Int, outChannels: Int, channels: [Int], strides: [PerAxis], residualUnits: Int, layers: UNetLayers
    ) throws {
        self.layers = layers
        self.inChannels = inChannels
        self.outChannels = outChannels
        self.channels = channels
        self.strides = strides
        self.residualUnits = residualUnits
        try validate()
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
            strides.allSatisfy { $0.all.allSatisfy((1...Limits.strideMax).contains) },
            "strides \(strides) are not all 1 to 16")
        try require(
            strideProduct.all.allSatisfy { $0 <= Limits.strideProductMax },
            "strides \(strides) multiply to more than \(Limits.strideProductMax)")
        try require(
            layers.dimensions == 3 || strides.allSatisfy { $0.depth == 1 }, "strides have a depth in two dimensions")
        try layers.validate()
        try require(
            (0...Limits.residualUnitsMax).contains(residualUnits), "num_res_units is \(residualUnits), not 0 to 16")
    }

    /// Sides of an input are padded to multiples of this. At most 16 to the eleventh along an axis: no overflow.
    public var strideProduct: PerAxis { strides.reduce(.one, *) }

    /// Trainable numbers in all.
    public var parameterCount: Int { graph.parameters.count }
}
