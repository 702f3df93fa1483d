import Numerics

/// CT volumes in any format that is read here.
public enum ImageFile {
    /// Reads a volume in Hounsfield units, in the order it is stored in.
    ///
    /// What the file is, is decided by its bytes: a blob without an extension is read as well.
    /// - Parameter name: what its owner calls it, for messages; the path's last part when nil.
    /// - Throws: `ImageFileError`, whose description names the file and says what to do.
    public static func read(path: String, name: String? = nil) throws(ImageFileError) -> LoadedImage {
        let name = name ?? LocalFile.fileName(of: path)
        return try read(ByteInput(path: path, name: name), path: path)
    }

    /// A file that stands by itself, such as a blob: it may name no other file beside it, since what lies there is
    /// someone else's.
    /// - Throws: `ImageFileError`.
    public static func read(single path: String, name: String) throws(ImageFileError) -> LoadedImage {
        try read(ByteInput(path: path, name: name), path: nil)
    }

    /// Several such files, side by side on the pool's threads: most of the time is zlib's, which has one.
    /// - Throws: the first one's `ImageFileError`.
    package static func read(
        singles: [(path: String, name: String)], pool: ThreadPool
    ) throws(ImageFileError) -> [LoadedImage] {
        var images = [Result<LoadedImage, ImageFileError>?](repeating: nil, count: singles.count)
        images.withUnsafeMutableBufferPointer { images in
            // Each task writes its own element.
            nonisolated(unsafe) let images = images
            pool.run(taskCount: singles.count) { number in
                images[number] = Result { () throws(ImageFileError) in
                    try read(single: singles[number].path, name: singles[number].name)
                }
            }
        }
        var all: [LoadedImage] = []
        for image in images { all.append(try image!.get()) }
        return all
    }

    /// A single file in memory (.nii, .nii.gz, .mha).
    public static func read(bytes: [UInt8], name: String) throws(ImageFileError) -> LoadedImage {
        try read(ByteInput(bytes: bytes, name: name), path: nil)
    }

    private static func read(_ input: ByteInput, path: String?) throws(ImageFileError) -> LoadedImage {
        try refuseForeign(input)
        return MetaImageHeader.isLikely(try input.peek(64))
            ? try MetaImageFile.read(input, path: path) : try NIfTIFile.read(input, path: path)
    }

    private static func refuseForeign(_ input: ByteInput) throws(ImageFileError) {
        guard input.byteCount > 0 else {
            throw ImageFileError(input.name, .damaged, "is empty", remedy: "get the file again from its source")
        }
        if let kind = try foreignKind(input) {
            throw ImageFileError(input.name, .foreign, "is \(kind.what), no CT volume", remedy: kind.remedy)
        }
    }

    /// A volume that is kept in two files (.hdr with .img, .mhd with its data) as the bytes of one, for sending it
    /// elsewhere: header and stored voxels unchanged. nil when the file stands by itself and can be sent as it is.
    /// - Throws: `ImageFileError`.
    public static func joined(path: String, name: String? = nil) throws(ImageFileError) -> [UInt8]? {
        let input = try ByteInput(path: path, name: name ?? LocalFile.fileName(of: path))
        try refuseForeign(input)
        return MetaImageHeader.isLikely(try input.peek(64))
            ? try MetaImageFile.joined(input, path: path) : try NIfTIFile.joined(input, path: path)
    }

    /// A volume's size by its header alone; of the voxels nothing is read.
    /// - Throws: `ImageFileError` for a header that cannot be one.
    public static func shape(path: String, name: String? = nil) throws(ImageFileError) -> VolumeShape {
        let input = try ByteInput(path: path, name: name ?? LocalFile.fileName(of: path))
        try refuseForeign(input)
        return MetaImageHeader.isLikely(try input.peek(64))
            ? try MetaImageFile.shape(input) : try NIfTIFile.shape(input, path: path)
    }

    /// Does the name look like a file to read? The extension alone decides: for choosing files in a folder. A .img or
    /// .raw belongs to its header and is not read by itself.
    public static func isReadable(_ name: String) -> Bool {
        let lowercased = name.lowercased()
        let isHidden = LocalFile.fileName(of: name).hasPrefix(".")
        return !isHidden && extensions.contains { lowercased.hasSuffix($0) }
    }

    /// "scan.nii.gz" -> "scan".
    public static func stem(_ name: String) -> String {
        let file = LocalFile.fileName(of: name)
        let lowercased = file.lowercased()
        let cut = extensions.filter { lowercased.hasSuffix($0) }.map(\.count).max() ?? 0
        return String(file.dropLast(cut))
    }

    private static let extensions = [".nii", ".nii.gz", ".hdr", ".hdr.gz", ".mha", ".mhd"]

    /// Names what is neither NIfTI nor MetaImage; nil when it may be one of them.
    private static func foreignKind(_ input: ByteInput) throws(ImageFileError) -> (what: String, remedy: String)? {
        let start = try input.peek(352)
        if let pointer = FilePointer.kind(start) { return pointer }
        let export = "name a .nii, .nii.gz, .hdr, .mha or .mhd file"
        if start.count >= 132, Array(start[128..<132]) == Array("DICM".utf8) {
            return ("one DICOM slice", "name the folder of its series")
        }
        let signatures: [([UInt8], String, String)] = [
            ([0x89, 0x50, 0x4e, 0x47], "a PNG picture", export),
            ([0xff, 0xd8, 0xff], "a JPEG picture", export),
            (Array("GIF8".utf8), "a GIF picture", export),
            (Array("II*\0".utf8), "a TIFF picture", export),
            (Array("MM\0*".utf8), "a TIFF picture", export),
            (Array("PK\u{3}\u{4}".utf8), "a ZIP archive", "unpack it first"),
            (Array("NRRD".utf8), "an NRRD file", "convert it to .nii.gz (3D Slicer: Save)"),
            (Array("%PDF".utf8), "a PDF document", export),
            ([0x89, 0x48, 0x44, 0x46], "an HDF5 file", "export it as .nii.gz"),
        ]
        if let known = signatures.first(where: { start.starts(with: $0.0) }) { return (known.1, known.2) }
        if MetaImageHeader.isLikely(start) { return nil }
        let isText = start.allSatisfy { (32..<127).contains($0) || (9..<14).contains($0) || $0 >= 128 }
        return isText ? ("text", export) : nil
    }
}
