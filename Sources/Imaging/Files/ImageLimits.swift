/// Every limit on what an image file may ask of this program, in one place.
public enum ImageLimits {
    /// Along one axis; what NIfTI-1 can express.
    public static let axisVoxelCountMax = 32767
    /// In a volume: 8 GiB once it is Float. A CT of 1024x1024x2000 is just below.
    public static let voxelCountMax = 1 << 31
    /// Shortest and longest distance of neighbouring voxels.
    public static let spacingMM = 0.001...1000.0
    /// Bytes before the voxels of a NIfTI file (header extensions).
    public static let dataOffsetMax = 64 << 20
    /// Bytes of a MetaImage header.
    public static let metaHeaderByteCountMax = 64 << 10
    /// Bytes after the voxels that a compressed stream may still hold.
    public static let trailingByteCountMax = 1 << 20
    /// Deflate cannot do better; a claim beyond it is a lie.
    public static let deflateRatioMax = 1032
    /// Beyond this many bytes of voxels a compressed file must be at least `bulkRatioMax` times smaller, no more:
    /// CT compresses 2 to 5 times, masks 50 to 300 times; only a bomb or an empty image does 1000.
    public static let unquestionedByteCount = 512 << 20
    public static let bulkRatioMax = 512
    /// Voxels are read and converted in pieces of this size.
    static let pieceByteCount = 1 << 18
}
