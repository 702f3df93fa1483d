/// A box of voxels: half-open ranges along each axis.
public struct VoxelBox: Hashable, Sendable, Codable {
    public var z: Range<Int>
    public var y: Range<Int>
    public var x: Range<Int>

    public init(z: Range<Int>, y: Range<Int>, x: Range<Int>) {
        (self.z, self.y, self.x) = (z, y, x)
    }

    var isEmpty: Bool { z.isEmpty || y.isEmpty || x.isEmpty }

    /// The smallest box that holds both.
    package func union(_ other: VoxelBox) -> VoxelBox {
        func both(_ a: Range<Int>, _ b: Range<Int>) -> Range<Int> {
            min(a.lowerBound, b.lowerBound)..<max(a.upperBound, b.upperBound)
        }
        return VoxelBox(z: both(z, other.z), y: both(y, other.y), x: both(x, other.x))
    }
}

extension Volume where Element == UInt8 {
    /// The smallest box around everything above 0; nil when there is nothing.
    public func boundingBox() -> VoxelBox? {
        var (z, y, x) = (AxisExtent(), AxisExtent(), AxisExtent())
        voxels.withUnsafeBufferPointer { voxels in
            for depth in 0 ..< shape.depth {
                for height in 0 ..< shape.height {
                    let start = shape.index(z: depth, y: height, x: 0)
                    let end = start + shape.width, first = voxels.firstSet(from: start, to: end)
                    guard first < end else { continue }
                    z.include(depth)
                    y.include(height)
                    x.include(first - start)
                    var last = end - 1
                    while voxels[last] == 0 { last -= 1 }
                    x.include(last - start)
                }
            }
        }
        guard z.low <= z.high else { return nil }
        return VoxelBox(z: z.range, y: y.range, x: x.range)
    }
}

private struct AxisExtent {
    var low = Int.max
    var high = Int.min
    var range: Range<Int> { low ..< high + 1 }

    mutating func include(_ index: Int) {
        low = min(low, index)
        high = max(high, index)
    }
}
