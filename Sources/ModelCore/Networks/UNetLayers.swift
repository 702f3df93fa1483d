/// What MONAI's UNet may be told beside its levels. As it stands here: MONAI's defaults in three dimensions.
public struct UNetLayers: Hashable, Sendable {
    public enum Activation: Hashable, Sendable {
        /// With one slope, which is learnt.
        case prelu
        case relu
        case leakyReLU(slope: Float)
    }

    public enum Norm: Hashable, Sendable {
        /// Without affine and running statistics.
        case instance
        /// With both.
        case batch
        case none
    }

    /// 2 or 3. In two dimensions every kernel and stride is 1 along depth.
    public var dimensions = 3
    /// Odd, at most 7.
    public var kernel = PerAxis(3)
    public var upKernel = PerAxis(3)
    public var activation = Activation.prelu
    public var norm = Norm.instance

    public init() {}

    /// - Throws: `ModelError.invalidConfiguration` naming the setting.
    func validate() throws {
        func require(_ condition: Bool, _ message: String) throws {
            if !condition { throw ModelError.invalidConfiguration(message) }
        }
        try require(dimensions == 2 || dimensions == 3, "spatial_dims is \(dimensions), not 2 or 3")
        for (key, kernel) in [("kernel_size", kernel), ("up_kernel_size", upKernel)] {
            try require(
                kernel.all.allSatisfy { (1...7).contains($0) && $0 % 2 == 1 },
                "\(key) is \(kernel), not 1, 3, 5 or 7 along every axis")
            try require(dimensions == 3 || kernel.depth == 1, "\(key) has a depth in two dimensions")
        }
        if case .leakyReLU(let slope) = activation {
            try require(slope.isFinite, "act has a negative_slope of \(slope)")
        }
    }
}
