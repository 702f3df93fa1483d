import CZlib

/// Inflates a gzip stream (of one or more members) or a zlib stream piece by piece: memory stays at a few hundred
/// kilobytes whatever the stream claims, and the caller decides how many bytes it wants.
final class Inflater {
    private let input: ByteInput
    private let stream: UnsafeMutablePointer<z_stream>
    private let buffer: UnsafeMutableRawBufferPointer
    private let firstOffset: Int
    private var atEnd = false

    init(_ input: ByteInput) {
        self.input = input
        self.firstOffset = input.offset
        let byteCount = min(ImageLimits.pieceByteCount, max(input.remainingByteCount, 1))
        self.buffer = .allocate(byteCount: byteCount, alignment: 16)
        self.stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // 15 bits of window + 32: gzip or zlib, by its first bytes.
        let code = inflateInit2_(stream, 15 + 32, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(code == Z_OK, "zlib gives no inflater: \(code)")
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
        buffer.deallocate()
    }

    /// Bytes of the input that were compressed data, so far.
    var consumedByteCount: Int { input.offset - firstOffset - Int(stream.pointee.avail_in) }

    /// At most `target.count` bytes; 0 at the end of the stream, whose checksum has then been verified.
    func read(into target: UnsafeMutableRawBufferPointer) throws(ImageFileError) -> Int {
        guard !atEnd, target.count > 0 else { return 0 }
        let wanted = min(target.count, 1 << 30)
        stream.pointee.next_out = target.baseAddress!.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(wanted)
        while stream.pointee.avail_out == UInt32(wanted), !atEnd {
            guard try hasInput() else {
                throw .damaged(input.name, "its compressed data end too early")
            }
            let code = inflate(stream, Z_NO_FLUSH)
            switch code {
            case Z_OK, Z_BUF_ERROR: break
            case Z_STREAM_END: try startNextMember()
            default:
                throw .damaged(input.name, "its compressed data are broken (checksum or code \(code))")
            }
        }
        return wanted - Int(stream.pointee.avail_out)
    }

    private func hasInput() throws(ImageFileError) -> Bool {
        if stream.pointee.avail_in > 0 { return true }
        let count = try input.read(into: buffer)
        stream.pointee.next_in = buffer.baseAddress!.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_in = UInt32(count)
        return count > 0
    }

    /// A gzip file may consist of several members, and some programs fill its last block with zeros. Anything else
    /// behind it is no part of the image, and makes a file look larger than what is inflated of it.
    private func startNextMember() throws(ImageFileError) {
        guard try hasInput() else { return atEnd = true }
        if stream.pointee.next_in.pointee == 0x1f {
            inflateReset(stream)
            return
        }
        var padding = 0
        while try hasInput() {
            let rest = UnsafeBufferPointer(start: stream.pointee.next_in, count: Int(stream.pointee.avail_in))
            padding += rest.count
            guard padding <= ImageLimits.trailingByteCountMax, rest.allSatisfy({ $0 == 0 }) else {
                throw .damaged(input.name, "it has bytes behind its compressed data that belong to nothing")
            }
            stream.pointee.avail_in = 0
        }
        atEnd = true
    }
}

/// Compressed streams by zlib, without time and name: the same input gives the same bytes under
/// the same version of zlib.
package enum Deflate {
    /// The parts, one after the other, as one gzip member; system 255, unknown.
    /// - Parameter isOfRuns: only runs of one byte are looked for, which is all that there is in a mask: a quarter to a
    ///   half of the time, and lungs even get smaller.
    package static func gzip(_ parts: [UnsafeRawBufferPointer], isOfRuns: Bool = false) -> [UInt8] {
        var output: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]
        compress(parts, windowBits: -15, strategy: isOfRuns ? Z_RLE : Z_DEFAULT_STRATEGY, into: &output)
        var (checksum, byteCount) = (crc32(0, nil, 0), UInt(0))
        for part in parts where part.count > 0 {
            checksum = crc32_z(checksum, part.baseAddress!.assumingMemoryBound(to: UInt8.self), part.count)
            byteCount &+= UInt(part.count)
        }
        for word in [UInt(checksum), byteCount] {
            output += (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * UInt($0))) }
        }
        return output
    }

    /// A zlib stream, as PNG wants it.
    static func zlib(_ bytes: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        bytes.withUnsafeBytes { compress([$0], windowBits: 15, strategy: Z_DEFAULT_STRATEGY, into: &output) }
        return output
    }

    /// CRC-32.
    static func checksum(_ bytes: [UInt8]) -> UInt32 {
        bytes.withUnsafeBufferPointer { UInt32(crc32_z(0, $0.baseAddress, $0.count)) }
    }

    private static func compress(
        _ parts: [UnsafeRawBufferPointer], windowBits: Int32, strategy: Int32, into output: inout [UInt8]
    ) {
        var stream = z_stream()
        withUnsafeMutablePointer(to: &stream) { stream in
            let code = deflateInit2_(
                stream, 6, Z_DEFLATED, windowBits, 8, strategy, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size))
            precondition(code == Z_OK, "zlib gives no deflater: \(code)")
            var buffer = [UInt8](repeating: 0, count: ImageLimits.pieceByteCount)
            for part in parts {
                var offset = 0
                while offset < part.count {
                    let count = min(part.count - offset, 1 << 30)
                    feed(stream, part.baseAddress! + offset, count, Z_NO_FLUSH, &buffer, &output)
                    offset += count
                }
            }
            feed(stream, nil, 0, Z_FINISH, &buffer, &output)
            deflateEnd(stream)
        }
    }

    private static func feed(
        _ stream: UnsafeMutablePointer<z_stream>, _ bytes: UnsafeRawPointer?, _ count: Int, _ flush: Int32,
        _ buffer: inout [UInt8], _ output: inout [UInt8]
    ) {
        stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(count)
        repeat {
            let size = buffer.count
            let made = buffer.withUnsafeMutableBufferPointer { target in
                stream.pointee.next_out = target.baseAddress
                stream.pointee.avail_out = UInt32(size)
                let code = deflate(stream, flush)
                precondition(code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR, "deflate: \(code)")
                return size - Int(stream.pointee.avail_out)
            }
            output += buffer[..<made]
        } while stream.pointee.avail_out == 0
    }
}
