/// Reads what `ByteWriter` wrote. The bytes come from outside: nothing is allocated for a count or a length before
/// the bytes that it announces are known to be there.
struct ByteReader {
    private let bytes: [UInt8]
    private var position: Int

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        self.position = 0
    }

    var remaining: Int { bytes.count - position }

    mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(
        _ field: String, as: Number.Type = Number.self
    ) throws(ProtocolError) -> Number {
        let size = MemoryLayout<Number>.size
        guard remaining >= size else { throw .truncated(field: field) }
        defer { position += size }
        return bytes.withUnsafeBytes {
            Number(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: Number.self))
        }
    }

    mutating func flag(_ field: String) throws(ProtocolError) -> Bool {
        let value: UInt8 = try number(field)
        guard value <= 1 else { throw .invalidValue(field: field, value: "\(value)") }
        return value == 1
    }

    mutating func double(_ field: String) throws(ProtocolError) -> Double {
        Double(bitPattern: try number(field))
    }

    mutating func digest(_ field: String) throws(ProtocolError) -> ContentDigest {
        ContentDigest(bytes: Array(try slice(32, field)))
    }

    mutating func code<Code: RawRepresentable>(
        _ field: String, as: Code.Type = Code.self
    ) throws(ProtocolError) -> Code where Code.RawValue == UInt8 {
        let value: UInt8 = try number(field)
        guard let code = Code(rawValue: value) else { throw .invalidValue(field: field, value: "\(value)") }
        return code
    }

    mutating func label(_ field: String, max: Int) throws(ProtocolError) -> String {
        try text(field, max: max, allowed: .label)
    }

    mutating func text(_ field: String, max: Int) throws(ProtocolError) -> String {
        try text(field, max: max, allowed: .text)
    }

    private mutating func text(_ field: String, max: Int, allowed: TextKind) throws(ProtocolError) -> String {
        let characters = try slice(count(field, max: max), field)
        guard allowed.accepts(characters), let text = String(validating: characters, as: UTF8.self) else {
            throw .invalidText(field: field)
        }
        return text
    }

    mutating func data(_ field: String, max: Int) throws(ProtocolError) -> [UInt8] {
        Array(try slice(count(field, max: max), field))
    }

    /// - Parameter elementBytesMin: the bytes of the smallest element, at least 1.
    mutating func list<Element>(
        _ field: String, max: Int, elementBytesMin: Int,
        _ body: (inout ByteReader) throws(ProtocolError) -> Element
    ) throws(ProtocolError) -> [Element] {
        let count = try count(field, max: max)
        guard count * elementBytesMin <= remaining else { throw .truncated(field: field) }
        var list: [Element] = []
        list.reserveCapacity(count)
        for _ in 0..<count { list.append(try body(&self)) }
        return list
    }

    mutating func optional<Value>(
        _ field: String, _ body: (inout ByteReader) throws(ProtocolError) -> Value
    ) throws(ProtocolError) -> Value? {
        try flag(field) ? try body(&self) : nil
    }

    /// Everything up to the end, unread.
    mutating func skipRest() { position = bytes.count }

    func finish(_ message: String) throws(ProtocolError) {
        guard remaining == 0 else { throw .trailingBytes(count: remaining, message: message) }
    }

    private mutating func count(_ field: String, max: Int) throws(ProtocolError) -> Int {
        let count =
            switch max {
            case ...0xFF: Int(try number(field, as: UInt8.self))
            case ...0xFFFF: Int(try number(field, as: UInt16.self))
            default: Int(try number(field, as: UInt32.self))
            }
        guard count <= max else { throw .overLimit(field: field, count: UInt64(count), limit: UInt64(max)) }
        return count
    }

    private mutating func slice(_ count: Int, _ field: String) throws(ProtocolError) -> ArraySlice<UInt8> {
        guard count <= remaining else { throw .truncated(field: field) }
        defer { position += count }
        return bytes[position..<position + count]
    }
}
