/// Everything about a volume's file that is needed to write a mask on exactly the file's own grid. Small; stored with
/// prepared volumes.
public struct ImageSource: Hashable, Sendable, Codable {
    /// The file as its owner calls it, for messages.
    public var name: String
    /// "NIfTI-1" or "MetaImage".
    public var format: String
    /// In the file's own order.
    public var shape: VolumeShape
    /// Of the file's own order: shape and affine belong to the voxels as they are stored.
    public var geometry: Geometry
    /// Which way the stored axes run in the patient.
    public var orientation: Orientation
    /// False when the file does not say how the patient lies (NIfTI with neither sform nor qform): left and right
    /// are then a guess.
    public var isOrientationKnown: Bool
    public var voxelType: VoxelType
    /// Stored value * slope + intercept = HU.
    public var slope: Double
    public var intercept: Double
    /// The NIfTI header that puts another volume on this very grid, to the bit (348 bytes, little-endian).
    var header: [UInt8]
}

/// A volume as it is stored in its file (no axis moved), in Hounsfield units.
public struct LoadedImage: Sendable {
    public var volume: Volume<Float>
    public var source: ImageSource

    /// The same as 0 and 1: any value above 0 is inside.
    public var mask: Mask {
        volume.with(volume.voxels.map { $0 > 0 ? 1 : 0 })
    }
}
