/// A NIfTI-1 header as 348 bytes in little-endian order, checked field by field before anything else sees it
/// (nifti_clib trusts sizes, and multiplies them without looking).
struct NIfTIHeader: Hashable, Sendable {
    /// Where each field lies (nifti1.h).
    enum Field {
        static let dimensions = 40, intent = 56, datatype = 70, bitsPerVoxel = 72, pixelSizes = 76
        static let dataOffset = 108, slope = 112, intercept = 116, units = 123, displayRange = 124
        static let description = 148, qformCode = 252, sformCode = 254, quaternion = 256, sform = 280
        static let intentName = 328, magic = 344
    }
    static let byteCount = 348
    /// Header and the four bytes that say there are no extensions.
    static let singleFileOffset = 352

    private(set) var bytes: [UInt8]
    /// The voxels are stored in the other byte order than this machine's.
    private(set) var swapsBytes = false
    /// Header and voxels in one file, or apart in .hdr and .img.
    private(set) var isSingleFile = true
    /// What is wrong in it and how it was taken, as in `ImageSource.warnings`; `bytes` are mended accordingly.
    private(set) var warnings: [String] = []

    // MARK: Reading

    /// - Parameters:
    ///   - raw: the file's first 348 bytes, or fewer when it has not more.
    ///   - path: nil for a file that is not on disk, whose name then counts.
    init(checking raw: [UInt8], name: String, path: String? = nil) throws(ImageFileError) {
        guard raw.count == Self.byteCount else {
            throw .damaged(name, "it has \(raw.count) bytes, less than a NIfTI header")
        }
        bytes = raw
        try checkKind(name)
        if int32(0) != Self.byteCount {
            bytes = NIfTILibrary.swapped(raw)
            swapsBytes = true
        }
        try checkDimensions(name)
        try checkType(name)
        try checkNumbers(name)
        checkMagic(place: path ?? name)
    }

    private func checkKind(_ name: String) throws(ImageFileError) {
        let size = UInt32(truncatingIfNeeded: int32(0))
        let magic = Array(bytes[Field.magic...])
        if size == 540 || size.byteSwapped == 540 {
            throw ImageFileError(
                name, .unsupported, "is a NIfTI-2 file",
                remedy: "convert it to NIfTI-1 (nifti_tool, or nibabel's Nifti1Image)")
        }
        guard size == 348 || size.byteSwapped == 348 else {
            throw .damaged(name, "does not begin like a NIfTI header")
        }
        if magic == [0, 0, 0, 0] {
            throw ImageFileError(
                name, .unsupported, "is an Analyze 7.5 file, which does not say which side is left",
                remedy: "convert it to NIfTI-1 with the orientation known")
        }
        guard magic == Array("n+1\0".utf8) || magic == Array("ni1\0".utf8) else {
            throw .damaged(name, "has no NIfTI magic")
        }
    }

    /// The magic of a pair belongs to a .hdr with its .img. In one file nibabel and SimpleITK read on all the same.
    private mutating func checkMagic(place: String) {
        guard bytes[Field.magic + 1] == UInt8(ascii: "i") else { return }
        let lowercased = place.lowercased()
        isSingleFile = !lowercased.hasSuffix(".hdr") && !lowercased.hasSuffix(".hdr.gz")
        guard isSingleFile else { return }
        bytes.replaceSubrange(Field.magic..., with: "n+1\0".utf8)
        warnings.append("Its magic is that of a pair of files (ni1) although it is one: read as nibabel and SimpleITK "
            + "read it, with the voxels from byte \(dataOffset) on; save it again.")
    }

    private mutating func checkDimensions(_ name: String) throws(ImageFileError) {
        let count = int16(Field.dimensions)
        guard (1...7).contains(count) else { throw .damaged(name, "its header claims \(count) dimensions") }
        guard count >= 3 else {
            throw ImageFileError(
                name, .unsupported, "has \(count) dimensions", remedy: "a CT volume has 3: stack the slices first")
        }
        var sizes = (1...count).map { int16(Field.dimensions + 2 * $0) }
        _ = try checkedShape(x: sizes[0], y: sizes[1], z: sizes[2], name: name)
        for index in sizes.indices.dropFirst(3) where sizes[index] == 0 {
            sizes[index] = 1
            set(Field.dimensions + 2 * (index + 1), UInt16(1))
            warnings.append("It says 0 frames along dimension \(index + 1): taken as 1, as SimpleITK does; "
                + "save it again with 3 dimensions.")
        }
        for (axis, size) in sizes.enumerated().dropFirst(3) where size != 1 {
            throw ImageFileError(
                name, size < 1 ? .damaged : .unsupported,
                "its header claims \(size) frames along dimension \(axis + 1)",
                remedy: "a CT volume has one: extract it (fslroi, or nibabel's four_to_three)")
        }
    }

    private mutating func checkType(_ name: String) throws(ImageFileError) {
        let (code, bits) = (int16(Field.datatype), int16(Field.bitsPerVoxel))
        guard let type = VoxelType(niftiCode: code) else {
            throw ImageFileError(
                name, .unsupported, "has voxels of NIfTI data type \(code), which is no type of a CT",
                remedy: "convert it to int16 or float32")
        }
        guard bits != 8 * type.byteCount else { return }
        set(Field.bitsPerVoxel, UInt16(8 * type.byteCount))
        warnings.append("Its bitpix of \(bits) contradicts its datatype: \(type.rawValue) counts, as in nibabel and "
            + "SimpleITK; save it again.")
    }

    private mutating func checkNumbers(_ name: String) throws(ImageFileError) {
        try checkScaling(name)
        let offset = float(Field.dataOffset)
        // NaN is in no range.
        guard (0...Float(ImageLimits.dataOffsetMax)).contains(offset), offset == offset.rounded() else {
            throw .damaged(name, "its header says that the voxels begin at byte \(offset)")
        }
        guard bytes[Field.magic + 1] != UInt8(ascii: "+") || offset == 0 || Int(offset) >= Self.singleFileOffset else {
            throw .damaged(name, "its header says that the voxels begin at byte \(offset), inside the header")
        }
    }

    /// nifti1.h: a slope of 0 means that values are not scaled. nibabel takes one that is no number likewise.
    private mutating func checkScaling(_ name: String) throws(ImageFileError) {
        guard slope == 0 || !slope.isFinite else {
            guard intercept.isFinite else { throw .damaged(name, "its header's intercept is not a number") }
            return
        }
        let isAdded = intercept.isFinite && intercept != 0
        guard isAdded || slope != 0 else { return }
        warnings.append("Its scl_slope is \(slope): values are taken as stored, as nibabel does"
            + (isAdded ? ", where SimpleITK adds its scl_inter of \(intercept)" : " and SimpleITK too")
            + "; save it again with the scaling that is meant.")
    }

    // MARK: What it says

    var shape: VolumeShape {
        VolumeShape(
            depth: int16(Field.dimensions + 6), height: int16(Field.dimensions + 4), width: int16(Field.dimensions + 2))
    }
    var type: VoxelType { VoxelType(niftiCode: int16(Field.datatype))! }
    var qformCode: Int { int16(Field.qformCode) }
    var sformCode: Int { int16(Field.sformCode) }
    private var slope: Float { float(Field.slope) }
    private var intercept: Float { float(Field.intercept) }

    /// A slope of 0 or none at all means that values are not scaled, the intercept included.
    var scaling: VoxelScaling {
        slope == 0 || !slope.isFinite
            ? VoxelScaling() : VoxelScaling(slope: Double(slope), intercept: Double(intercept))
    }

    /// Where the voxels begin in their file.
    var dataOffset: Int {
        let offset = Int(float(Field.dataOffset))
        return isSingleFile ? max(offset, Self.singleFileOffset) : offset
    }

    // MARK: Writing

    /// A header for a volume on a grid that no NIfTI file has given: sform and qform from the geometry.
    init(shape: VolumeShape, geometry: Geometry) {
        bytes = NIfTILibrary.makeHeader(shape: shape, datatype: VoxelType.uint8.niftiCode)
        let spacing = geometry.spacing
        let frame = Rotation.quaternion(of: geometry)
        let sizes = [frame.handedness, spacing.xMM, spacing.yMM, spacing.zMM]
        for (index, size) in sizes.enumerated() { set(Field.pixelSizes + 4 * index, Float(size).bitPattern) }
        let offset = [geometry.affine[3], geometry.affine[7], geometry.affine[11]]
        for (index, value) in (frame.quaternion + offset + geometry.affine).enumerated() {
            set(Field.quaternion + 4 * index, Float(value).bitPattern)
        }
        // Scanner coordinates, millimetres and seconds.
        set(Field.qformCode, UInt16(1))
        set(Field.sformCode, UInt16(1))
        bytes[Field.units] = 2 | 8
    }

    /// The same grid, to the bit, for other voxels in one file.
    func prepared(for type: VoxelType, slope: Float, intercept: Float, description: String) -> NIfTIHeader {
        let words = Array(description.utf8)
        precondition(words.count <= NIfTIFile.descriptionByteCountMax, "\(description) is too long for a header")
        var header = self
        header.swapsBytes = false
        header.set(Field.dimensions, UInt16(3))
        for axis in 4...7 { header.set(Field.dimensions + 2 * axis, UInt16(1)) }
        for index in Field.intent ..< Field.datatype { header.bytes[index] = 0 }
        header.set(Field.datatype, UInt16(type.niftiCode))
        header.set(Field.bitsPerVoxel, UInt16(8 * type.byteCount))
        header.set(Field.dataOffset, Float(Self.singleFileOffset).bitPattern)
        header.set(Field.slope, slope.bitPattern)
        header.set(Field.intercept, intercept.bitPattern)
        for index in Field.displayRange ..< Field.qformCode { header.bytes[index] = 0 }
        for index in Field.intentName ..< Field.magic { header.bytes[index] = 0 }
        header.bytes.replaceSubrange(Field.magic..., with: "n+1\0".utf8)
        header.bytes.replaceSubrange(Field.description ..< Field.description + words.count, with: words)
        return header
    }

    /// The front of one file for a header that was apart from its voxels; the file's byte order stays.
    func singleFileFront(raw: [UInt8]) -> [UInt8] {
        var front = raw
        let offset = Float(Self.singleFileOffset).bitPattern
        let stored = swapsBytes ? offset.bigEndian : offset.littleEndian
        withUnsafeBytes(of: stored) { front.replaceSubrange(Field.dataOffset ..< Field.dataOffset + 4, with: $0) }
        front.replaceSubrange(Field.magic..., with: "n+1\0".utf8)
        return front + [0, 0, 0, 0]
    }

    /// Reads back bytes that were checked before.
    init(trusted bytes: [UInt8]) { self.bytes = bytes }

    func int16(_ offset: Int) -> Int { Int(load(offset, Int16.self)) }
    private func int32(_ offset: Int) -> Int { Int(load(offset, Int32.self)) }
    func float(_ offset: Int) -> Float { Float(bitPattern: load(offset, UInt32.self)) }

    private func load<Word: FixedWidthInteger>(_ offset: Int, _: Word.Type) -> Word {
        bytes.withUnsafeBytes { Word(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Word.self)) }
    }

    mutating func set<Word: FixedWidthInteger>(_ offset: Int, _ word: Word) {
        withUnsafeBytes(of: word.littleEndian) { bytes.replaceSubrange(offset ..< offset + $0.count, with: $0) }
    }
}

extension VoxelType {
    /// NIfTI's number for it (nifti1.h).
    var niftiCode: Int {
        switch self {
        case .uint8: 2
        case .int16: 4
        case .int32: 8
        case .float32: 16
        case .float64: 64
        case .int8: 256
        case .uint16: 512
        case .uint32: 768
        case .int64: 1024
        case .uint64: 1280
        }
    }

    init?(niftiCode: Int) {
        guard let type = VoxelType.allCases.first(where: { $0.niftiCode == niftiCode }) else { return nil }
        self = type
    }
}
