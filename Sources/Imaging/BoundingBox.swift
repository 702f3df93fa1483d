/// A box of voxels: half-open ranges on each axis.
public struct BoundingBox: Hashable, Sendable {
    public var z: Range<Int>
    public var y: Range<Int>
    public var x: Range<Int>

    public init(z: Range<Int>, y: Range<Int>, x: Range<Int>) {
        self.z = z
        self.y = y
        self.x = x
    }

    /// The box of a whole volume.
    public init(of shape: VolumeShape) {
        self.init(z: 0..<shape.depth, y: 0..<shape.height, x: 0..<shape.width)
    }

    public var shape: VolumeShape { VolumeShape(depth: z.count, height: y.count, width: x.count) }

    /// The box with `margin` voxels more on every side (fewer where negative), cut to the volume.
    public func grown(by margin: (z: Int, y: Int, x: Int), within shape: VolumeShape) -> BoundingBox {
        func grow(_ range: Range<Int>, _ margin: Int, _ size: Int) -> Range<Int> {
            let lower = min(max(range.lowerBound - margin, 0), size)
            return lower..<max(lower, min(range.upperBound + margin, size))
        }
        return BoundingBox(
            z: grow(z, margin.z, shape.depth), y: grow(y, margin.y, shape.height), x: grow(x, margin.x, shape.width))
    }
}
