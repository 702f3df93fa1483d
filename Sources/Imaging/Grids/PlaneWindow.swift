/// The part of each slice that is kept, `height` x `width` voxels from (`startY`, `startX`) on; it may reach beyond the
/// slice on any side, where it is filled.
public struct PlaneWindow: Hashable, Sendable, Codable {
    public var startY: Int
    public var startX: Int
    public var height: Int
    public var width: Int

    public init(startY: Int, startX: Int, height: Int, width: Int) {
        precondition(height > 0 && width > 0)
        (self.startY, self.startX, self.height, self.width) = (startY, startX, height, width)
    }

    /// Stored or sent windows are checked like any number from outside.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let keys = [CodingKeys.startY, .startX, .height, .width]
        let numbers = try keys.map { try container.decode(Int.self, forKey: $0) }
        let limit = ImageLimits.axisVoxelCountMax
        guard numbers[..<2].allSatisfy({ (-limit...limit).contains($0) }),
            numbers[2...].allSatisfy({ (1...limit).contains($0) })
        else {
            throw DecodingError.dataCorruptedError(
                forKey: .height, in: container, debugDescription: "a window beyond the limits of an image")
        }
        self.init(startY: numbers[0], startX: numbers[1], height: numbers[2], width: numbers[3])
    }

    /// The window of this size whose middle is the box's middle (rounded down).
    public init(centredOn box: VoxelBox, height: Int, width: Int) {
        self.init(
            startY: (box.y.lowerBound + box.y.upperBound) / 2 - height / 2,
            startX: (box.x.lowerBound + box.x.upperBound) / 2 - width / 2, height: height, width: width)
    }

    /// Cuts the window out of every slice.
    public func cut<Element>(_ volume: Volume<Element>, fill: Element) -> Volume<Element> {
        let shape = VolumeShape(depth: volume.shape.depth, height: height, width: width)
        let geometry = volume.geometry.stepped(
            origin: (0, Double(startY), Double(startX)), step: (1, 1, 1))
        var result = Volume(repeating: fill, shape: shape, geometry: geometry)
        Self.copy(volume, into: &result, shiftY: -startY, shiftX: -startX)
        return result
    }

    /// Puts cut slices back where they were, in slices of `planeHeight` x `planeWidth`; the rest is filled.
    public func restore<Element>(
        _ volume: Volume<Element>, planeHeight: Int, planeWidth: Int, fill: Element
    ) -> Volume<Element> {
        precondition(volume.shape.height == height && volume.shape.width == width)
        let shape = VolumeShape(depth: volume.shape.depth, height: planeHeight, width: planeWidth)
        let geometry = volume.geometry.stepped(
            origin: (0, Double(-startY), Double(-startX)), step: (1, 1, 1))
        var result = Volume(repeating: fill, shape: shape, geometry: geometry)
        Self.copy(volume, into: &result, shiftY: startY, shiftX: startX)
        return result
    }

    /// Copies what both have: source (y, x) goes to target (y + shiftY, x + shiftX).
    private static func copy<Element>(
        _ source: Volume<Element>, into target: inout Volume<Element>, shiftY: Int, shiftX: Int
    ) {
        let (from, to) = (source.shape, target.shape)
        let low = max(0, -shiftX), high = min(from.width, to.width - shiftX)
        guard low < high else { return }
        source.voxels.withUnsafeBufferPointer { input in
            target.voxels.withUnsafeMutableBufferPointer { output in
                for z in 0 ..< from.depth {
                    for y in max(0, -shiftY) ..< max(max(0, -shiftY), min(from.height, to.height - shiftY)) {
                        let start = from.index(z: z, y: y, x: low)
                        let goal = to.index(z: z, y: y + shiftY, x: low + shiftX)
                        (output.baseAddress! + goal).update(from: input.baseAddress! + start, count: high - low)
                    }
                }
            }
        }
    }
}
