/// A DICOM file in explicit little endian, read by the standard (PS3.5, 7.1 and 7.5) and by nothing of DCMTK's: what
/// the program has written through that is held against this.
struct DicomElements {
    private var values: [UInt32: [UInt8]] = [:]
    private var sequences: [UInt32: [DicomElements]] = [:]

    struct Malformed: Error {}

    /// - Parameter file: with its preamble.
    init(file: [UInt8]) throws {
        guard file.count > 132, file[128..<132].elementsEqual("DICM".utf8) else { throw Malformed() }
        var reader = Reader(bytes: file[132...])
        try self.init(&reader)
    }

    private struct Reader {
        var bytes: ArraySlice<UInt8>

        mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
            guard count <= bytes.count else { throw Malformed() }
            defer { bytes = bytes.dropFirst(count) }
            return bytes.prefix(count)
        }

        mutating func number(_ byteCount: Int) throws -> Int {
            try take(byteCount).reversed().reduce(0) { $0 << 8 | Int($1) }
        }

        mutating func tag() throws -> UInt32 { try UInt32(number(2)) << 16 | UInt32(number(2)) }
    }

    private init(_ reader: inout Reader) throws {
        while !reader.bytes.isEmpty {
            let tag = try reader.tag(), vr = String(decoding: try reader.take(2), as: UTF8.self)
            let isLong = ["OB", "OW", "SQ", "UN", "UT", "UC", "UR", "OD", "OF", "OL"].contains(vr)
            if isLong { _ = try reader.take(2) }
            let content = try reader.take(reader.number(isLong ? 4 : 2))
            guard vr == "SQ" else { values[tag] = Array(content); continue }
            var items = Reader(bytes: content)
            sequences[tag] = []
            while !items.bytes.isEmpty {
                guard try items.tag() == 0xFFFE_E000 else { throw Malformed() }
                var item = Reader(bytes: try items.take(items.number(4)))
                sequences[tag]!.append(try DicomElements(&item))
            }
        }
    }

    /// Without what makes it even.
    func text(_ tag: UInt32) -> String {
        var bytes = values[tag] ?? []
        while let last = bytes.last, last == 0 || last == 32 { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    func numbers(_ tag: UInt32) -> [Double] { text(tag).split(separator: "\\").compactMap { Double($0) } }
    func whole(_ tag: UInt32) -> Int { bytes(tag).reversed().reduce(0) { $0 << 8 | Int($1) } }
    func bytes(_ tag: UInt32) -> [UInt8] { values[tag] ?? [] }
    func items(_ tag: UInt32) -> [DicomElements] { sequences[tag] ?? [] }
}
