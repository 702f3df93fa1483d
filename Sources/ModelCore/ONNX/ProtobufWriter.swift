/// Writes protocol buffers (https://protobuf.dev/programming-guides/encoding): fields one behind the other, each its
/// number, its kind and its content. What a number means is in the schema of the format that is written.
package struct ProtobufWriter {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    private mutating func variable(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private mutating func key(_ field: Int, _ kind: UInt64) { variable(UInt64(field) << 3 | kind) }

    /// An int32, int64 or enumeration; negative ones take ten bytes.
    package mutating func write(_ field: Int, _ value: Int) {
        key(field, 0)
        variable(UInt64(bitPattern: Int64(value)))
    }

    package mutating func write(_ field: Int, _ value: Double) {
        key(field, 1)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func write(_ field: Int, _ value: Float) {
        key(field, 5)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func write(_ field: Int, _ content: [UInt8]) {
        key(field, 2)
        variable(UInt64(content.count))
        bytes += content
    }

    package mutating func write(_ field: Int, _ text: String) { write(field, Array(text.utf8)) }

    /// A message within the message.
    package mutating func write(_ field: Int, _ fill: (inout ProtobufWriter) -> Void) {
        var inner = ProtobufWriter()
        fill(&inner)
        write(field, inner.bytes)
    }
}
