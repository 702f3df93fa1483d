// A frame on the wire, all numbers little-endian:
//
//     offset  0  u32  payload length in bytes
//             4  u16  type of the message
//             6  u16  flags, 0
//             8  u32  request id: an answer repeats its request's; 0 where no answer is awaited
//            12  u32  CRC-32C of the twelve bytes before and of the payload
//            16       payload
//
// In either direction the four bytes "QNTT" come before the first frame, so that a wrong port or a missing token is
// noticed at once and by name. The layout of a frame is the same in every version of the protocol.

/// One frame whose checksum was right; what its payload means is `MessageCoding`'s affair.
public struct Frame: Hashable, Sendable {
    public var type: UInt16
    public var requestID: UInt32
    public var payload: [UInt8]

    public init(type: UInt16, requestID: UInt32, payload: [UInt8]) {
        self.type = type
        self.requestID = requestID
        self.payload = payload
    }
}

/// Frames as bytes: what `FrameDecoder` reads.
public enum FrameEncoder {
    /// The first bytes of a connection, in either direction, before the first frame.
    public static let magic: [UInt8] = Array("QNTT".utf8)

    /// - Throws: `frameTooLarge` for a payload that fits in no frame.
    public static func encode(_ frame: Frame) throws(ProtocolError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Limits.frameHeaderBytes)
        bytes.reserveCapacity(bytes.count + frame.payload.count)
        bytes += frame.payload
        try seal(&bytes, type: frame.type, requestID: frame.requestID)
        return bytes
    }

    /// Fills in the header in front of a payload that was written behind room for it.
    static func seal(_ bytes: inout [UInt8], type: UInt16, requestID: UInt32) throws(ProtocolError) {
        precondition(bytes.count >= Limits.frameHeaderBytes, "no room was left for the header")
        guard bytes.count <= Limits.frameBytesMax else {
            throw .frameTooLarge(byteCount: UInt64(bytes.count), limit: Limits.frameBytesMax)
        }
        let payloadCount = UInt32(bytes.count - Limits.frameHeaderBytes)
        bytes.withUnsafeMutableBytes { buffer in
            buffer.storeBytes(of: payloadCount.littleEndian, toByteOffset: 0, as: UInt32.self)
            buffer.storeBytes(of: type.littleEndian, toByteOffset: 4, as: UInt16.self)
            buffer.storeBytes(of: 0, toByteOffset: 6, as: UInt16.self)
            buffer.storeBytes(of: requestID.littleEndian, toByteOffset: 8, as: UInt32.self)
            let checksum = frameChecksum(UnsafeRawBufferPointer(buffer))
            buffer.storeBytes(of: checksum.littleEndian, toByteOffset: 12, as: UInt32.self)
        }
    }
}

/// - Parameter frame: one whole frame, header included; the checksum's own four bytes are left out.
func frameChecksum(_ frame: UnsafeRawBufferPointer) -> UInt32 {
    var checksum = CRC32C()
    checksum.update(UnsafeRawBufferPointer(rebasing: frame[..<12]))
    checksum.update(UnsafeRawBufferPointer(rebasing: frame[Limits.frameHeaderBytes...]))
    return checksum.value
}
