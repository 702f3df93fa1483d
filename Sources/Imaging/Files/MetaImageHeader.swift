import Numerics

/// The text header of a MetaImage file (.mha, or .mhd with its data apart), checked.
///
/// Points that programs disagree about: the three triples of `TransformMatrix` are the directions of the axes x, y, z
/// in turn (as ITK reads them), the patient's axes are LPS whatever `AnatomicalOrientation` says, and
/// `CenterOfRotation` has no influence (both as ITK).
struct MetaImageHeader {
    enum DataPlace: Equatable {
        /// In this file, behind the header.
        case local
        /// In another file of the same folder.
        case file(String)
    }

    private(set) var shape = VolumeShape(depth: 1, height: 1, width: 1)
    private(set) var geometry = Geometry(spacing: Spacing(zMM: 1, yMM: 1, xMM: 1))
    private(set) var type = VoxelType.int16
    private(set) var isBigEndian = false
    private(set) var isCompressed = false
    private(set) var dataPlace = DataPlace.local
    /// Bytes to leave out before the voxels; -1: the voxels are the file's last bytes.
    private(set) var skippedByteCount = 0
    /// Bytes of the text, where local data begin.
    private(set) var byteCount = 0
    private(set) var hasOrientation = false

    private static let keyByteCountMax = 200
    private let name: String
    private var fields: [String: String] = [:]

    /// - Parameter start: the file's first bytes, up to `ImageLimits.metaHeaderByteCountMax`.
    init(checking start: [UInt8], name: String) throws(ImageFileError) {
        self.name = name
        try readFields(start)
        try checkKind()
        try readSize()
        try readPlace()
        try readVoxels()
        try readData()
    }

    /// Is this the beginning of a MetaImage header? Its first line is "Key = value" with a key of the format.
    static func isLikely(_ start: [UInt8]) -> Bool {
        guard let end = start.firstIndex(of: UInt8(ascii: "=")), end < 64 else { return false }
        let key = String(decoding: start[..<end], as: UTF8.self).filter { $0 != " " && $0 != "\t" }
        return ["ObjectType", "NDims", "Comment", "ObjectSubType", "BinaryData", "DimSize"].contains(key)
    }

    // MARK: Fields

    /// "Key = value" lines; ElementDataFile is the last one, and what follows it are data.
    private mutating func readFields(_ start: [UInt8]) throws(ImageFileError) {
        var position = 0
        while let end = start[position...].firstIndex(of: 10) {
            let line = String(decoding: start[position ..< end], as: UTF8.self)
            position = end + 1
            let parts = line.split(separator: "=", maxSplits: 1).map(Self.trimmed)
            if parts.count < 2 {
                if Self.trimmed(line[...]).isEmpty { continue }
                throw .damaged(name, "its header has a line without \"=\"")
            }
            guard parts[0].utf8.count <= Self.keyByteCountMax else {
                throw .damaged(name, "its header has a key of \(parts[0].utf8.count) bytes")
            }
            guard fields.updateValue(parts[1], forKey: parts[0]) == nil else {
                throw .damaged(name, "its header says \(parts[0].printable(most: 40)) twice")
            }
            if parts[0] == "ElementDataFile" {
                byteCount = position
                return
            }
        }
        throw .damaged(name, "its MetaImage header does not come to ElementDataFile")
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        let isBlank = { (c: Character) in c == " " || c == "\t" || c == "\r" || c == "\r\n" }
        while let last = text.last, isBlank(last) { text.removeLast() }
        return String(text.drop(while: isBlank))
    }

    private func value(_ keys: String...) -> String? { keys.lazy.compactMap { fields[$0] }.first }

    private func isTrue(_ keys: String...) throws(ImageFileError) -> Bool {
        guard let (key, text) = keys.lazy.compactMap({ key in fields[key].map { (key, $0) } }).first else {
            return false
        }
        switch text.lowercased() {
        case "true", "t", "1", "yes": return true
        case "false", "f", "0", "no": return false
        default: throw .damaged(name, "its header says \(key) = \(text.printable(most: 40))")
        }
    }

    /// Exactly `count` finite numbers.
    private func numbers(_ key: String, _ text: String, _ count: Int) throws(ImageFileError) -> [Double] {
        let words = text.split { $0 == " " || $0 == "\t" }
        let values = words.prefix(16).compactMap { Double($0) }
        guard words.count == count, values.count == count, values.allSatisfy(\.isFinite) else {
            throw .damaged(name, "its header says \(key) = \(text.printable(most: 60))")
        }
        return values
    }

    private func unsupported(_ what: String, _ remedy: String) -> ImageFileError {
        ImageFileError(name, .unsupported, what, remedy: remedy)
    }

    // MARK: Meaning

    private func checkKind() throws(ImageFileError) {
        if let kind = fields["ObjectType"], kind != "Image" {
            throw unsupported("is a MetaIO \(kind.printable(most: 40))", "a CT is of ObjectType Image")
        }
        guard fields["NDims"] == "3" else {
            let count = fields["NDims"]?.printable(most: 40) ?? "unknown"
            throw unsupported("has \(count) dimensions", "a CT volume has 3")
        }
        if fields["BinaryData"] != nil, try !isTrue("BinaryData") {
            throw unsupported("stores its voxels as text", "save it as binary")
        }
        if let channels = fields["ElementNumberOfChannels"], channels != "1" {
            throw unsupported("has \(channels.printable(most: 40)) channels", "a CT has one")
        }
        let slope = fields["ElementToIntensityFunctionSlope"] ?? "1"
        let offset = fields["ElementToIntensityFunctionOffset"] ?? "0"
        guard Double(slope) == 1, Double(offset) == 0 else {
            throw unsupported(
                "has an ElementToIntensityFunction, which most programs ignore", "save it in Hounsfield units")
        }
    }

    private mutating func readSize() throws(ImageFileError) {
        guard let text = fields["DimSize"] else { throw .damaged(name, "its header has no DimSize") }
        let words = text.split { $0 == " " || $0 == "\t" }
        let sizes = words.prefix(4).compactMap { Int($0) }
        guard words.count == 3, sizes.count == 3 else {
            throw .damaged(name, "its header says DimSize = \(text.printable(most: 60))")
        }
        shape = try checkedShape(x: sizes[0], y: sizes[1], z: sizes[2], name: name)
    }

    private mutating func readPlace() throws(ImageFileError) {
        guard let spacingText = value("ElementSpacing", "ElementSize") else {
            throw .damaged(name, "its header has no ElementSpacing")
        }
        let spacing = try numbers("ElementSpacing", spacingText, 3)
        let directionText = value("TransformMatrix", "Rotation", "Orientation")
        let offsetText = value("Offset", "Position", "Origin")
        hasOrientation = directionText != nil
        let directions = try numbers("TransformMatrix", directionText ?? "1 0 0 0 1 0 0 0 1", 9)
        let offset = try numbers("Offset", offsetText ?? "0 0 0", 3)
        var affine: [Double] = []
        for row in 0..<3 {
            // LPS to RAS: the first two axes point the other way.
            let sign: Double = row < 2 ? -1 : 1
            for axis in 0..<3 { affine.append(sign * directions[3 * axis + row] * spacing[axis]) }
            affine.append(sign * offset[row])
        }
        geometry = try Geometry(checking: affine, name: name)
    }

    private mutating func readVoxels() throws(ImageFileError) {
        let types: [String: VoxelType] = [
            "MET_CHAR": .int8, "MET_UCHAR": .uint8, "MET_SHORT": .int16, "MET_USHORT": .uint16, "MET_INT": .int32,
            "MET_UINT": .uint32, "MET_LONG": .int32, "MET_ULONG": .uint32, "MET_LONG_LONG": .int64,
            "MET_ULONG_LONG": .uint64, "MET_FLOAT": .float32, "MET_DOUBLE": .float64,
        ]
        let text = fields["ElementType"] ?? "no ElementType"
        guard let type = types[text] else {
            throw unsupported("has voxels of type \(text.printable(most: 40))", "a CT has MET_SHORT or MET_FLOAT")
        }
        self.type = type
        isBigEndian = try isTrue("ElementByteOrderMSB", "BinaryDataByteOrderMSB")
        isCompressed = try isTrue("CompressedData")
    }

    private mutating func readData() throws(ImageFileError) {
        let text = fields["HeaderSize"] ?? "0"
        guard let size = Int(text), size >= -1, size <= ImageLimits.dataOffsetMax else {
            throw .damaged(name, "its header says HeaderSize = \(text.printable(most: 40))")
        }
        guard size >= 0 || !isCompressed else {
            throw unsupported("has compressed data and HeaderSize = -1", "save it again")
        }
        skippedByteCount = size
        let file = fields["ElementDataFile"] ?? ""
        switch file {
        case "LOCAL", "Local", "local": dataPlace = .local
        case let list where list == "LIST" || list.hasPrefix("LIST ") || list.contains("%"):
            throw unsupported("keeps each slice in a file of its own", "save it as one .mha file")
        case "", ".", "..": throw .damaged(name, "its header names no data file")
        // By bytes: a slash with an accent is another character, and a slash all the same.
        case let path where path.utf8.contains(where: { $0 < 0x20 || $0 == 0x2F || $0 == 0x5C || $0 == 0x7F }):
            throw unsupported(
                "names a data file outside its folder (\(path.printable(most: 80)))",
                "put the data beside the header and name them without a path")
        default: dataPlace = .file(file)
        }
    }
}
