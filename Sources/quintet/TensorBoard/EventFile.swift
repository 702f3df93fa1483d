import ModelCore
import Platform
import Protocol

/// A file of events as TensorBoard reads it: records of TFRecord (length, its checksum, content, its checksum; all
/// little-endian), each an `Event` of tensorflow/core/util/event.proto in protocol buffers.
package enum EventFile {
    /// CRC-32C, turned by 15 bits and shifted: what TFRecord stores, so that checksums of checksums differ from it.
    package static func maskedChecksum(_ bytes: [UInt8]) -> UInt32 {
        let checksum = CRC32C.checksum(of: bytes)
        return (checksum >> 15 | checksum << 17) &+ 0xA282_EAD8
    }

    /// One record of the file.
    package static func record(_ content: [UInt8]) -> [UInt8] {
        func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
            withUnsafeBytes(of: number.littleEndian) { [UInt8]($0) }
        }
        let length = bytes(UInt64(content.count))
        return length + bytes(maskedChecksum(length)) + content + bytes(maskedChecksum(content))
    }

    /// What a file begins with.
    package static func head(wallSeconds: Double) -> [UInt8] {
        var event = ProtobufWriter()
        event.write(1, wallSeconds)
        event.write(3, "brain.Event:2")
        return record(event.bytes)
    }

    /// Points of one iteration, a curve each; what is no number has none.
    package static func scalars(_ figures: [(tag: String, value: Double)], step: Int, wallSeconds: Double) -> [UInt8] {
        var event = ProtobufWriter()
        event.write(1, wallSeconds)
        event.write(2, step)
        event.write(5) { summary in
            for figure in figures where figure.value.isFinite {
                summary.write(1) {
                    $0.write(1, figure.tag)
                    $0.write(2, Float(figure.value))
                }
            }
        }
        return record(event.bytes)
    }

    /// How much of a file is whole records, and the step of the last one; a crash may have cut what follows.
    package static func whole(_ bytes: [UInt8]) -> (byteCount: Int, lastStep: Int?) {
        var place = 0, lastStep: Int?
        func number(_ count: Int, at start: Int) -> UInt64 {
            bytes[start..<start + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        while bytes.count - place >= 16 {
            let length = number(8, at: place)
            guard length <= UInt64(bytes.count - place - 16),
                number(4, at: place + 8) == UInt64(maskedChecksum(Array(bytes[place..<place + 8])))
            else { break }
            let start = place + 12, end = start + Int(length), content = Array(bytes[start..<end])
            guard number(4, at: end) == UInt64(maskedChecksum(content)) else { break }
            // The step stands behind the wall time, eight bytes and their key, where there is one.
            if content.count > 10, content[9] == 2 << 3 { lastStep = variable(content[10...]) ?? lastStep }
            place = end + 4
        }
        return (place, lastStep)
    }

    private static func variable(_ bytes: ArraySlice<UInt8>) -> Int? {
        var value: UInt64 = 0
        for (place, byte) in bytes.prefix(9).enumerated() {
            value |= UInt64(byte & 0x7F) << UInt64(7 * place)
            if byte < 0x80 { return Int(exactly: value) }
        }
        return nil
    }
}
