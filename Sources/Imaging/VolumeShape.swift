/// Size of a volume in voxels. Axis order everywhere is (z, y, x) = (depth, height, width), C order, x fastest.
public struct VolumeShape: Hashable, Sendable, Codable, CustomStringConvertible {
    public var depth: Int
    public var height: Int
    public var width: Int

    public init(depth: Int, height: Int, width: Int) {
        self.depth = depth
        self.height = height
        self.width = width
    }

    /// Within `ImageLimits`, at least one voxel: what may be allocated for a shape from outside.
    var isStorable: Bool {
        let sizes = [depth, height, width]
        guard sizes.allSatisfy({ (1...ImageLimits.voxelCountMax).contains($0) }) else { return false }
        let (plane, overflowsPlane) = depth.multipliedReportingOverflow(by: height)
        let (total, overflows) = plane.multipliedReportingOverflow(by: width)
        return !overflowsPlane && !overflows && total <= ImageLimits.voxelCountMax
    }

    public var voxelCount: Int { depth * height * width }
    public var sliceVoxelCount: Int { height * width }

    /// Index of a voxel in C order.
    @inlinable public func index(z: Int, y: Int, x: Int) -> Int { (z * height + y) * width + x }

    public var description: String { "\(depth)x\(height)x\(width)" }
}
