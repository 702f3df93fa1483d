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
    /// Bytes behind the voxels, in a file as it is or in a compressed stream, and zeros behind a compressed stream:
    /// some programs and tapes fill a last block. More than that is another image than the header speaks of.
    public static let trailingByteCountMax = 64 << 10
    /// Deflate cannot do better; a claim beyond it is a lie.
    public static let deflateRatioMax = 1032
    /// Beyond this many bytes of voxels a compressed file must be at least `bulkRatioMax` times smaller, no more:
    /// CT compresses 2 to 5 times, masks 50 to 300 times; only a bomb or an empty image does 1000.
    public static let unquestionedByteCount = 512 << 20
    public static let bulkRatioMax = 512
    /// A claim of this many times a file's own size is tried before memory is spent on it: how many bytes of the file
    /// are compressed data shows only by inflating them.
    static let trustedRatioMax = 64
    /// Where a volume may lie, on each axis: no scanner's coordinates go so far.
    public static let offsetMM = -1_000_000.0...1_000_000.0
    /// Voxels are read and converted in pieces of this size.
    static let pieceByteCount = 1 << 18
}
