import CZlib
import Numerics

/// Inflates a gzip stream (of one or more members) or a zlib stream piece by piece: memory stays at a few hundred
/// kilobytes whatever the stream claims, and the caller decides how many bytes it wants.
final class Inflater {
    private let input: ByteInput
    private let stream: UnsafeMutablePointer<z_stream>
    private let buffer: UnsafeMutableRawBufferPointer
    private var atEnd = false

    init(_ input: ByteInput) {
        self.input = input
        self.buffer = .allocate(byteCount: ImageLimits.pieceByteCount, alignment: 16)
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

    /// A gzip file may consist of several members; what follows without a gzip magic is not ours.
    private func startNextMember() throws(ImageFileError) {
        if try hasInput(), stream.pointee.next_in.pointee == 0x1f {
            inflateReset(stream)
        } else {
            atEnd = true
        }
    }
}

/// Compressed streams around `DeflateEncoder`: the same bytes for the same input on every machine.
package enum Deflate {
    /// One gzip member without time, name and system.
    package static func gzip(_ bytes: [UInt8], pool: ThreadPool?) -> [UInt8] {
        var output: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]
        output += raw(bytes, pool: pool)
        for word in [checksum(bytes), UInt32(truncatingIfNeeded: bytes.count)] {
            withUnsafeBytes(of: word.littleEndian) { output += $0 }
        }
        return output
    }

    /// A zlib stream, as PNG wants it.
    package static func zlib(_ bytes: [UInt8]) -> [UInt8] {
        let checksum = bytes.withUnsafeBufferPointer { UInt32(adler32_z(1, $0.baseAddress, $0.count)) }
        return [0x78, 0x9c] + raw(bytes, pool: nil) + withUnsafeBytes(of: checksum.bigEndian) { Array($0) }
    }

    /// CRC-32.
    package static func checksum(_ bytes: [UInt8]) -> UInt32 {
        bytes.withUnsafeBufferPointer { UInt32(crc32_z(0, $0.baseAddress, $0.count)) }
    }

    private static func raw(_ bytes: [UInt8], pool: ThreadPool?) -> [UInt8] {
        let size = DeflateEncoder.pieceByteCount
        let pieceCount = max(1, (bytes.count + size - 1) / size)
        var pieces = [[UInt8]](repeating: [], count: pieceCount)
        bytes.withUnsafeBytes { input in
            pieces.withUnsafeMutableBufferPointer { pieces in
                let slots = SharedPointer(pieces.baseAddress!)
                let encode = { (index: Int) in
                    let range = index * size ..< min((index + 1) * size, input.count)
                    slots.pointer[index] = DeflateEncoder.encode(input, range, isLast: index == pieceCount - 1)
                }
                if let pool { pool.run(taskCount: pieceCount, encode) } else { (0 ..< pieceCount).forEach(encode) }
            }
        }
        return Array(pieces.joined())
    }
}
