/// Writes a payload: little-endian numbers, texts and lists with their length in front, every bound checked.
struct ByteWriter {
    private(set) var bytes: [UInt8]

    /// - Parameter headerCount: zero bytes left in front for a header.
    init(headerCount: Int = 0) { bytes = [UInt8](repeating: 0, count: headerCount) }

    mutating func reserve(_ count: Int) { bytes.reserveCapacity(bytes.count + count) }

    mutating func write<Number: FixedWidthInteger>(_ number: Number) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func write(_ flag: Bool) { bytes.append(flag ? 1 : 0) }

    mutating func write(_ value: Double) { write(value.bitPattern) }

    mutating func write(_ digest: ContentDigest) { bytes += digest.bytes }

    /// A name or another single line.
    mutating func write(label: String, _ field: String, max: Int) throws(ProtocolError) {
        try write(text: label, field, max: max, allowed: .label)
    }

    /// A text that may have several lines.
    mutating func write(text: String, _ field: String, max: Int) throws(ProtocolError) {
        try write(text: text, field, max: max, allowed: .text)
    }

    private mutating func write(
        text: String, _ field: String, max: Int, allowed: TextKind
    ) throws(ProtocolError) {
        let characters = Array(text.utf8)
        guard characters.count <= max else {
            throw .overLimit(field: field, count: UInt64(characters.count), limit: UInt64(max))
        }
        guard allowed.accepts(characters) else { throw .invalidText(field: field) }
        writeCount(characters.count, max: max)
        bytes += characters
    }

    mutating func write(data: [UInt8], _ field: String, max: Int) throws(ProtocolError) {
        guard data.count <= max else {
            throw .overLimit(field: field, count: UInt64(data.count), limit: UInt64(max))
        }
        reserve(data.count + 4)
        writeCount(data.count, max: max)
        bytes += data
    }

    mutating func write<Element>(
        list: [Element], _ field: String, max: Int,
        _ body: (inout ByteWriter, Element) throws(ProtocolError) -> Void
    ) throws(ProtocolError) {
        guard list.count <= max else {
            throw .overLimit(field: field, count: UInt64(list.count), limit: UInt64(max))
        }
        writeCount(list.count, max: max)
        for element in list { try body(&self, element) }
    }

    mutating func write<Value>(
        optional: Value?, _ body: (inout ByteWriter, Value) throws(ProtocolError) -> Void
    ) throws(ProtocolError) {
        write(optional != nil)
        if let optional { try body(&self, optional) }
    }

    /// One byte where the bound fits in one, else two, else four.
    private mutating func writeCount(_ count: Int, max: Int) {
        switch max {
        case ...0xFF: write(UInt8(count))
        case ...0xFFFF: write(UInt16(count))
        default: write(UInt32(count))
        }
    }
}

/// Which characters a text may have. Control characters are refused everywhere: names and messages of peers end up
/// on terminals and in logs, where an escape sequence would be obeyed.
enum TextKind {
    /// One line.
    case label
    /// Tab and the ends of lines besides.
    case text

    /// - Parameter characters: UTF-8.
    func accepts(_ characters: some Collection<UInt8>) -> Bool {
        var previous: UInt8 = 0
        for byte in characters {
            if byte < 0x20 {
                guard self == .text, byte == 9 || byte == 10 || byte == 13 else { return false }
            }
            // DEL, and U+0080 to U+009F, which are C2 80 to C2 9F.
            if byte == 0x7F || previous == 0xC2 && byte < 0xA0 { return false }
            previous = byte
        }
        return true
    }
}
