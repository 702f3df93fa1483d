/// MetaImage in: .mha, and .mhd with its .raw or .zraw in the same folder, compressed or not (LUNA16 comes so).
public enum MetaImageFile {
    /// - Throws: `ImageFileError`, before memory is spent on a file that cannot be what it claims.
    public static func read(path: String, name: String? = nil) throws(ImageFileError) -> LoadedImage {
        let name = name ?? LocalFile.fileName(of: path)
        return try read(ByteInput(path: path, name: name), path: path)
    }

    /// A single file (.mha) in memory.
    public static func read(bytes: [UInt8], name: String) throws(ImageFileError) -> LoadedImage {
        try read(ByteInput(bytes: bytes, name: name), path: nil)
    }

    /// See `ImageFile.shape`.
    static func shape(_ input: ByteInput) throws(ImageFileError) -> VolumeShape {
        try MetaImageHeader(checking: input.peek(ImageLimits.metaHeaderByteCountMax), name: input.name).shape
    }

    static func read(_ input: ByteInput, path: String?) throws(ImageFileError) -> LoadedImage {
        let header = try MetaImageHeader(checking: input.peek(ImageLimits.metaHeaderByteCountMax), name: input.name)
        let data = try openData(header, input, path: path)
        let decoder = VoxelDecoder(type: header.type, swapsBytes: header.isBigEndian, scaling: VoxelScaling())
        let byteCount = header.shape.voxelCount * header.type.byteCount
        if header.skippedByteCount < 0 {
            guard byteCount <= data.remainingByteCount else {
                throw .damaged(data.name, "it has fewer bytes than its \(header.shape) voxels: it is cut short")
            }
            data.seek(to: data.byteCount - byteCount)
        }
        let skipped = max(header.skippedByteCount, 0)
        try VoxelReader.checkClaim(
            data, storedFrom: min(data.offset + skipped, data.byteCount), storedByteCount: data.remainingByteCount,
            isCompressed: header.isCompressed, bytesBefore: skipped, voxelByteCount: byteCount)
        // HeaderSize counts stored bytes, before decompression.
        data.seek(to: min(data.offset + skipped, data.byteCount))
        let stream = header.isCompressed ? ByteStream(inflated: data) : ByteStream(data)
        let voxels = try VoxelReader.read(stream, shape: header.shape, decoder: decoder)
        let source = ImageSource(
            name: input.name, format: "MetaImage", shape: header.shape, geometry: header.geometry,
            orientation: Orientation(nearestTo: header.geometry), isOrientationKnown: header.hasOrientation,
            voxelType: header.type, slope: 1, intercept: 0,
            header: NIfTIHeader(shape: header.shape, geometry: header.geometry).bytes,
            warnings: header.warnings + header.geometry.shearWarnings)
        return LoadedImage(
            volume: Volume(shape: header.shape, geometry: header.geometry, voxels: voxels), source: source)
    }

    /// See `ImageFile.joined`.
    static func joined(_ input: ByteInput, path: String) throws(ImageFileError) -> [UInt8]? {
        let start = try input.peek(ImageLimits.metaHeaderByteCountMax)
        let header = try MetaImageHeader(checking: start, name: input.name)
        if header.dataPlace == .local { return nil }
        let data = try openData(header, input, path: path)
        let claim = header.shape.voxelCount * header.type.byteCount
        guard header.isCompressed || data.byteCount >= claim + max(header.skippedByteCount, 0) else {
            throw .damaged(
                data.name, "it has \(data.byteCount) bytes where its header claims \(claim): it is cut short")
        }
        guard data.byteCount <= claim + ImageLimits.dataOffsetMax else {
            throw .damaged(data.name, "it has far more bytes than its header claims")
        }
        var front = Array(start[..<header.byteCount])
        front.removeSubrange(front[..<(front.count - 1)].lastIndex(of: 10).map { $0 + 1 }!...)
        return front + Array("ElementDataFile = LOCAL\n".utf8) + (try ByteStream(data).read(data.byteCount))
    }

    /// The bytes the voxels are in, standing at the first of them.
    private static func openData(
        _ header: MetaImageHeader, _ input: ByteInput, path: String?
    ) throws(ImageFileError) -> ByteInput {
        guard case .file(let file) = header.dataPlace else {
            input.seek(to: header.byteCount)
            return input
        }
        guard let path else {
            throw ImageFileError(
                input.name, .unsupported, "is a header whose voxels are in \(file)",
                remedy: "join them in one .mha file")
        }
        let place = "\(LocalFile.folderName(of: path))/\(file)"
        guard LocalFile.exists(place) else {
            throw ImageFileError(
                input.name, .unreachable, "its voxels are missing: there is no \(file) beside it",
                remedy: "put that file into the same folder")
        }
        let voxels = try ByteInput(path: place, name: file)
        try FilePointer.refuse(voxels)
        return voxels
    }
}
