import Numerics

/// NIfTI-1 in and out: .nii, .nii.gz, .hdr with .img, either of them compressed.
///
/// Voxels stay in the file's order, which is this program's: x fastest. Reading applies slope and intercept.
public enum NIfTIFile {
    /// - Throws: `ImageFileError`, before memory is spent on a file that cannot be what it claims.
    public static func read(path: String, name: String? = nil) throws(ImageFileError) -> LoadedImage {
        let name = name ?? LocalFile.fileName(of: path)
        return try read(ByteInput(path: path, name: name), path: path)
    }

    /// A single file (.nii or .nii.gz) in memory.
    public static func read(bytes: [UInt8], name: String) throws(ImageFileError) -> LoadedImage {
        try read(ByteInput(bytes: bytes, name: name), path: nil)
    }

    static func read(_ input: ByteInput, path: String?) throws(ImageFileError) -> LoadedImage {
        let stream = try openStream(input)
        let header = try NIfTIHeader(
            checking: stream.read(NIfTIHeader.byteCount), name: input.name, path: path)
        let place = try NIfTIPlace(header, name: input.name)
        let voxels: [Float]
        if header.isSingleFile {
            voxels = try readVoxels(stream, header, position: NIfTIHeader.byteCount)
        } else {
            voxels = try readVoxels(openStream(openCompanion(of: path, input.name)), header, position: 0)
        }
        let source = ImageSource(
            name: input.name, format: "NIfTI-1", shape: header.shape, geometry: place.geometry,
            orientation: Orientation(nearestTo: place.geometry),
            isOrientationKnown: header.sformCode > 0 || header.qformCode > 0, voxelType: header.type,
            slope: header.scaling.slope, intercept: header.scaling.intercept, header: place.header.bytes,
            warnings: header.warnings + place.warnings + place.geometry.shearWarnings)
        return LoadedImage(
            volume: Volume(shape: header.shape, geometry: place.geometry, voxels: voxels), source: source)
    }

    /// See `ImageFile.shape`.
    static func shape(_ input: ByteInput, path: String?) throws(ImageFileError) -> VolumeShape {
        let header = try NIfTIHeader(
            checking: try openStream(input).read(NIfTIHeader.byteCount), name: input.name, path: path)
        _ = try NIfTIPlace(header, name: input.name)
        return header.shape
    }

    /// See `ImageFile.joined`.
    static func joined(_ input: ByteInput, path: String) throws(ImageFileError) -> [UInt8]? {
        let raw = try openStream(input).read(NIfTIHeader.byteCount)
        let header = try NIfTIHeader(checking: raw, name: input.name, path: path)
        if header.isSingleFile { return nil }
        let stream = try openStream(openCompanion(of: path, input.name))
        let byteCount = try seekVoxels(stream, header, position: 0)
        let voxels = try stream.read(byteCount)
        guard voxels.count == byteCount else { throw .damaged(stream.name, "it is cut short") }
        try VoxelReader.checkEnd(stream)
        return header.singleFileFront(raw: raw) + voxels
    }

    private static func openStream(_ input: ByteInput) throws(ImageFileError) -> ByteStream {
        try input.peek(2) == [0x1f, 0x8b] ? ByteStream(inflated: input) : ByteStream(input)
    }

    private static func readVoxels(
        _ stream: ByteStream, _ header: NIfTIHeader, position: Int
    ) throws(ImageFileError) -> [Float] {
        _ = try seekVoxels(stream, header, position: position)
        let decoder = VoxelDecoder(type: header.type, swapsBytes: header.swapsBytes, scaling: header.scaling)
        return try VoxelReader.read(stream, shape: header.shape, decoder: decoder)
    }

    /// Moves on to the voxels once it is certain that the file can hold them; returns their bytes.
    private static func seekVoxels(
        _ stream: ByteStream, _ header: NIfTIHeader, position: Int
    ) throws(ImageFileError) -> Int {
        let byteCount = header.shape.voxelCount * header.type.byteCount
        try VoxelReader.checkClaim(
            stream.input, storedFrom: 0, storedByteCount: stream.input.byteCount, isCompressed: stream.isInflated,
            bytesBefore: header.dataOffset, voxelByteCount: byteCount)
        let gap = header.dataOffset - position
        guard try stream.skip(gap) == gap else {
            throw .damaged(stream.name, "it ends before its voxels: it is cut short")
        }
        return byteCount
    }

    /// scan.hdr(.gz) -> scan.img or scan.img.gz in the same folder.
    private static func openCompanion(of path: String?, _ name: String) throws(ImageFileError) -> ByteInput {
        let remedy = "put the .img file beside the .hdr file, under the same name"
        guard let path else {
            throw ImageFileError(
                name, .unsupported, "is the header of a pair of files", remedy: "join them into one .nii.gz file")
        }
        let lowercased = path.lowercased()
        let cut = lowercased.hasSuffix(".hdr.gz") ? 7 : (lowercased.hasSuffix(".hdr") ? 4 : 0)
        let stem = path.dropLast(cut)
        for candidate in ["\(stem).img", "\(stem).img.gz", "\(stem).IMG"] where cut > 0 && LocalFile.exists(candidate) {
            let voxels = try ByteInput(path: candidate, name: LocalFile.fileName(of: candidate))
            try FilePointer.refuse(voxels)
            return voxels
        }
        throw ImageFileError(name, .unreachable, "is a NIfTI header without its .img file", remedy: remedy)
    }

    // MARK: Writing

    /// What every file says of its maker where nothing more is known.
    public static let program = "quintet"
    /// The header's field has 80 bytes, the last of them 0.
    public static let descriptionByteCountMax = 79

    /// One file's bytes, without time and name: the same input gives the same bytes. Compressed, they also depend on
    /// the machine's version of zlib.
    /// - Parameters:
    ///   - source: the file whose grid this is; its sform, qform and sizes are repeated to the bit. The volume must be
    ///     in that file's own order. nil: sform and qform are made from the volume's geometry.
    ///   - slope: stored value * slope + intercept = meaning.
    ///   - isCompressed: gzip, for a name that ends in .gz.
    ///   - isMask: the voxels are runs of one value, see `Deflate.gzip`.
    ///   - description: what made it, as the header says it; printable ASCII, at most `descriptionByteCountMax`.
    public static func encode<Voxel: NIfTIVoxel>(
        _ volume: Volume<Voxel>, like source: ImageSource? = nil, slope: Float = 1, intercept: Float = 0,
        isCompressed: Bool = true, isMask: Bool = false, description: String = program
    ) -> [UInt8] {
        let shape = volume.shape
        precondition(max(shape.depth, shape.height, shape.width) <= ImageLimits.axisVoxelCountMax)
        precondition(source == nil || source!.shape == shape, "a volume of \(shape) is not on the grid of its source")
        let grid = source.map { NIfTIHeader(trusted: $0.header) }
            ?? NIfTIHeader(shape: shape, geometry: volume.geometry)
        let header = grid.prepared(
            for: Voxel.niftiType, slope: slope, intercept: intercept, description: description)
        let front = header.bytes + [0, 0, 0, 0]
        return front.withUnsafeBytes { front in
            volume.voxels.withUnsafeBytes { voxels in
                isCompressed
                    ? Deflate.gzip([front, voxels], isOfRuns: isMask) : Array(front) + Array(voxels)
            }
        }
    }

    /// Masks on one file's grid, each as `encode` makes it, side by side.
    public static func encode(
        masks: [Mask], like source: ImageSource, description: String = program, pool: ThreadPool
    ) -> [[UInt8]] {
        var encoded = [[UInt8]](repeating: [], count: masks.count)
        encoded.withUnsafeMutableBufferPointer { encoded in
            // Each task writes its own element.
            nonisolated(unsafe) let encoded = encoded
            pool.run(taskCount: masks.count) {
                encoded[$0] = encode(masks[$0], like: source, isMask: true, description: description)
            }
        }
        return encoded
    }

    /// Writes a file whole or not at all; compressed when the name ends in .gz.
    /// - Throws: `ImageFileError` (disk full, no permission).
    public static func write<Voxel: NIfTIVoxel>(
        _ volume: Volume<Voxel>, to path: String, like source: ImageSource? = nil, slope: Float = 1,
        intercept: Float = 0
    ) throws(ImageFileError) {
        let bytes = encode(
            volume, like: source, slope: slope, intercept: intercept,
            isCompressed: path.lowercased().hasSuffix(".gz"))
        try LocalFile.land(bytes, at: path)
    }
}

/// What can be a voxel of a NIfTI file written here. Stored in memory order: this program runs on little-endian
/// machines (x86-64, ARM64).
public protocol NIfTIVoxel: Sendable {
    static var niftiType: VoxelType { get }
}

extension UInt8: NIfTIVoxel { public static var niftiType: VoxelType { .uint8 } }
extension Int16: NIfTIVoxel { public static var niftiType: VoxelType { .int16 } }
extension UInt16: NIfTIVoxel { public static var niftiType: VoxelType { .uint16 } }
extension Float: NIfTIVoxel { public static var niftiType: VoxelType { .float32 } }
