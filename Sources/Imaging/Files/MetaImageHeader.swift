import Numerics

/// The text header of a MetaImage file (.mha, or .mhd with its data apart), checked.
///
/// Points that programs disagree about: the three triples of `TransformMatrix` are the directions of the axes x, y, z
/// in turn (as ITK reads them), the patient's axes are LPS whatever `AnatomicalOrientation` says, and
/// `CenterOfRotation` has no influence (both as ITK). Like ITK's MetaIO it takes ":" for "=", numbers that go on over
/// several lines, a last line without its end, "./" before a file, and a fourth dimension of one frame. Unlike it, a
/// header without a voxel size is refused: every volume computed from it would be made up.
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
    /// As in `ImageSource.warnings`.
    private(set) var warnings: [String] = []

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
        guard let end = start.firstIndex(where: Self.isSeparator), end < 64 else { return false }
        let key = String(decoding: start[..<end], as: UTF8.self).filter { $0 != " " && $0 != "\t" }
        return ["ObjectType", "NDims", "Comment", "ObjectSubType", "BinaryData", "DimSize"].contains(key)
    }

    // MARK: Fields

    /// "Key = value" or "Key: value" lines; ElementDataFile is the last one, and what follows it are data. A line of
    /// numbers alone goes on with the line before.
    private mutating func readFields(_ start: [UInt8]) throws(ImageFileError) {
        var position = 0
        var last: String?
        while position < start.count {
            let end = start[position...].firstIndex(of: 10) ?? start.count
            // A line that is not over where a header must be is none.
            guard end < start.count || start.count < ImageLimits.metaHeaderByteCountMax else { break }
            let bytes = start[position ..< end]
            let line = String(decoding: bytes, as: UTF8.self)
            position = min(end + 1, start.count)
            guard let separator = bytes.firstIndex(where: Self.isSeparator) else {
                if Self.trimmed(line[...]).isEmpty { continue }
                guard let last, Self.isNumbers(line) else {
                    throw .damaged(name, "its header has a line without \"=\"")
                }
                fields[last]! += " " + Self.trimmed(line[...])
                continue
            }
            let parts = [bytes[..<separator], bytes[(separator + 1)...]].map {
                Self.trimmed(String(decoding: $0, as: UTF8.self)[...])
            }
            last = parts[0]
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

    private static func isSeparator(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "=") || byte == UInt8(ascii: ":") }

    private static func isNumbers(_ line: String) -> Bool {
        trimmed(line[...]).split { $0 == " " || $0 == "\t" }.allSatisfy { Double($0) != nil }
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

    /// One frame along a fourth dimension: it is left out.
    private var hasFrame: Bool { fields["NDims"] == "4" }

    /// Finite numbers for three axes, without those of a fourth one.
    private func axes(_ key: String, _ text: String, square: Bool = false) throws(ImageFileError) -> [Double] {
        guard hasFrame else { return try numbers(key, text, square ? 9 : 3) }
        let all = try numbers(key, text, square ? 16 : 4)
        return square ? (0..<9).map { all[4 * ($0 / 3) + $0 % 3] } : Array(all[..<3])
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
        guard fields["NDims"] == "3" || hasFrame else {
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
        guard words.count == (hasFrame ? 4 : 3), sizes.count == words.count else {
            throw .damaged(name, "its header says DimSize = \(text.printable(most: 60))")
        }
        if hasFrame, sizes[3] != 1 { throw unsupported("has \(sizes[3]) frames", "a CT volume has one: extract it") }
        shape = try checkedShape(x: sizes[0], y: sizes[1], z: sizes[2], name: name)
    }

    private mutating func readPlace() throws(ImageFileError) {
        guard let spacingText = value("ElementSpacing", "ElementSize") else {
            throw .damaged(name, "its header has no ElementSpacing")
        }
        let spacing = try axes("ElementSpacing", spacingText)
        if spacing.contains(where: { $0 < 0 }) {
            warnings.append("Its ElementSpacing \(spacingText.printable(most: 60)) is negative: that axis runs the "
                + "other way, as in ITK; save it again.")
        }
        let directionText = value("TransformMatrix", "Rotation", "Orientation")
        let offsetText = value("Offset", "Position", "Origin")
        hasOrientation = directionText != nil
        if !hasOrientation {
            warnings.append("It does not say how the patient lies (no TransformMatrix): its axes are taken to run to "
                + "the left, to posterior and up, as in ITK.")
        }
        let directions = try directionText.map { text throws(ImageFileError) in
            try axes("TransformMatrix", text, square: true)
        } ?? [1, 0, 0, 0, 1, 0, 0, 0, 1]
        let offset = try offsetText.map { text throws(ImageFileError) in try axes("Offset", text) } ?? [0, 0, 0]
        try checkLengths(directions)
        var affine: [Double] = []
        for row in 0..<3 {
            // LPS to RAS: the first two axes point the other way.
            let sign: Double = row < 2 ? -1 : 1
            for axis in 0..<3 { affine.append(sign * directions[3 * axis + row] * spacing[axis]) }
            affine.append(sign * offset[row])
        }
        geometry = try Geometry(checking: affine, name: name)
    }

    /// A matrix with a scale in it contradicts the spacing: programs that go by the one or by the other differ.
    private func checkLengths(_ directions: [Double]) throws(ImageFileError) {
        let lengths = (0..<3).map { axis in
            directions[3 * axis ..< 3 * axis + 3].map { $0 * $0 }.reduce(0, +).squareRoot()
        }
        guard lengths.allSatisfy({ abs($0 - 1) <= 0.01 }) else {
            throw ImageFileError(
                name, .damaged, "its TransformMatrix has axes of length \(lengths[0]), \(lengths[1]) and \(lengths[2]) "
                    + "beside its ElementSpacing",
                remedy: "save it with directions of length 1 and the voxel size in ElementSpacing")
        }
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
        var file = fields["ElementDataFile"] ?? ""
        while file.utf8.starts(with: "./".utf8) { file = String(decoding: file.utf8.dropFirst(2), as: UTF8.self) }
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
