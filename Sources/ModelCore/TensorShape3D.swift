/// The size of a volume in voxels, in the order in which it lies in memory: width runs fastest.
public struct TensorShape3D: Hashable, Codable, Sendable, CustomStringConvertible {
    public var depth: Int
    public var height: Int
    public var width: Int

    public init(depth: Int, height: Int, width: Int) {
        self.depth = depth
        self.height = height
        self.width = width
    }

    /// Sizes are limited so that no product below overflows: 2^16 a side.
    package static let sideMax = 1 << 16

    public var voxelCount: Int { depth * height * width }
    public var description: String { "\(depth)x\(height)x\(width)" }
}
