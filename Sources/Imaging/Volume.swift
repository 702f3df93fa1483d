/// A voxel grid with its values and its place in the patient.
///
/// `voxels` is in C order (z, y, x), x fastest. Hot loops take `voxels.withUnsafeBufferPointer`.
@frozen public struct Volume<Element: Sendable>: Sendable {
    public var shape: VolumeShape
    public var geometry: Geometry
    public var voxels: [Element]

    public init(shape: VolumeShape, geometry: Geometry, voxels: [Element]) {
        precondition(voxels.count == shape.voxelCount, "a volume of \(shape) has \(shape.voxelCount) voxels")
        self.shape = shape
        self.geometry = geometry
        self.voxels = voxels
    }

    public init(repeating value: Element, shape: VolumeShape, geometry: Geometry) {
        self.init(shape: shape, geometry: geometry, voxels: Array(repeating: value, count: shape.voxelCount))
    }

    @inlinable public subscript(z: Int, y: Int, x: Int) -> Element {
        get { voxels[shape.index(z: z, y: y, x: x)] }
        set { voxels[shape.index(z: z, y: y, x: x)] = newValue }
    }

    /// The same grid with other values.
    public func with<Other>(_ values: [Other]) -> Volume<Other> {
        Volume<Other>(shape: shape, geometry: geometry, voxels: values)
    }
}

/// A mask holds 0 or 1 in every voxel.
public typealias Mask = Volume<UInt8>
