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
    /// What in the file contradicts what, by which rule it was decided, and the remedy: a sentence each, without the
    /// file's name, which the caller puts before it.
    public var warnings: [String] = []
}

extension ImageSource {
    private enum CodingKeys: String, CodingKey {
        case name, format, shape, geometry, orientation, isOrientationKnown, voxelType, slope, intercept, header
        case warnings
    }

    /// Stored or sent sources are checked like a file's header.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decode(String.self, forKey: .name)
        format = try container.decode(String.self, forKey: .format)
        shape = try container.decode(VolumeShape.self, forKey: .shape)
        geometry = try container.decode(Geometry.self, forKey: .geometry)
        orientation = try container.decode(Orientation.self, forKey: .orientation)
        isOrientationKnown = try container.decode(Bool.self, forKey: .isOrientationKnown)
        voxelType = try container.decode(VoxelType.self, forKey: .voxelType)
        slope = try container.decode(Double.self, forKey: .slope)
        intercept = try container.decode(Double.self, forKey: .intercept)
        header = try container.decode([UInt8].self, forKey: .header)
        warnings = try container.decodeIfPresent([String].self, forKey: .warnings) ?? []
        let checked = try NIfTIHeader(checking: header, name: name)
        guard checked.shape == shape, !checked.swapsBytes else {
            throw DecodingError.dataCorruptedError(
                forKey: .header, in: container, debugDescription: "the header of \(name) is of another grid")
        }
    }

    /// Without warnings the same bytes as before there were any.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(format, forKey: .format)
        try container.encode(shape, forKey: .shape)
        try container.encode(geometry, forKey: .geometry)
        try container.encode(orientation, forKey: .orientation)
        try container.encode(isOrientationKnown, forKey: .isOrientationKnown)
        try container.encode(voxelType, forKey: .voxelType)
        try container.encode(slope, forKey: .slope)
        try container.encode(intercept, forKey: .intercept)
        try container.encode(header, forKey: .header)
        if !warnings.isEmpty { try container.encode(warnings, forKey: .warnings) }
    }
}

/// A volume as it is stored in its file (no axis moved), in Hounsfield units.
public struct LoadedImage: Sendable {
    public var volume: Volume<Float>
    public var source: ImageSource

    public init(volume: Volume<Float>, source: ImageSource) {
        self.volume = volume
        self.source = source
    }
}
