/// Cuts a peer's bytes into frames, however they arrive. It holds at most one frame and what was appended with it.
///
///     decoder.append(bytes)
///     while let frame = try decoder.next() { ... }
///
/// The first error is final: a stream in which one frame is damaged has no place to go on from.
public struct FrameDecoder: Sendable {
    /// Bytes that one frame may have, header included. Starts at `Limits.frameBytesMaxBeforeWelcome`; raise it when
    /// the peer has been welcomed.
    public var frameBytesMax: Int
    private var buffer: [UInt8] = []
    /// How much of `buffer` has been handed out.
    private var consumed = 0
    private var magicAwaited: Bool
    private var failure: ProtocolError?

    /// - Parameter magicAwaited: false to begin in the middle of a connection.
    public init(frameBytesMax: Int = Limits.frameBytesMaxBeforeWelcome, magicAwaited: Bool = true) {
        self.frameBytesMax = frameBytesMax
        self.magicAwaited = magicAwaited
    }

    /// True between a frame's first byte and its last: then `Limits.frameMilliseconds` runs. True before the first
    /// byte of a connection, too.
    public var isInsideFrame: Bool { magicAwaited || buffer.count > consumed }

    public mutating func append(_ bytes: [UInt8]) {
        guard failure == nil else { return }
        if consumed == buffer.count {
            buffer = bytes
            consumed = 0
        } else {
            // Moves the rest at most once a call, and only when at least half of the buffer is used up.
            if consumed > buffer.count / 2 {
                buffer.removeSubrange(..<consumed)
                consumed = 0
            }
            buffer += bytes
        }
    }

    /// The next whole frame; nil until more bytes come.
    public mutating func next() throws(ProtocolError) -> Frame? {
        if let failure { throw failure }
        do throws(ProtocolError) {
            return try takeFrame()
        } catch {
            failure = error
            buffer = []
            consumed = 0
            throw error
        }
    }

    private mutating func takeFrame() throws(ProtocolError) -> Frame? {
        if magicAwaited {
            let available = min(buffer.count - consumed, Limits.magicBytes)
            guard buffer[consumed..<consumed + available].elementsEqual(FrameEncoder.magic[..<available]) else {
                throw .foreignProtocol
            }
            guard available == Limits.magicBytes else { return nil }
            consumed += available
            magicAwaited = false
        }
        let available = buffer.count - consumed
        // A length that is too great is refused with its four bytes, before anything is kept for it.
        guard available >= 4 else { return nil }
        let length = number(at: 0, as: UInt32.self)
        let byteCount = UInt64(length) + UInt64(Limits.frameHeaderBytes)
        guard byteCount <= UInt64(frameBytesMax) else {
            throw .frameTooLarge(byteCount: byteCount, limit: frameBytesMax)
        }
        guard available >= Int(byteCount) else { return nil }
        return try takeWholeFrame(byteCount: Int(byteCount))
    }

    private mutating func takeWholeFrame(byteCount: Int) throws(ProtocolError) -> Frame {
        let range = consumed..<consumed + byteCount
        let expected = buffer.withUnsafeBytes { frameChecksum(UnsafeRawBufferPointer(rebasing: $0[range])) }
        let found = number(at: 12, as: UInt32.self)
        guard found == expected else { throw .checksumMismatch(expected: expected, found: found) }
        let flags = number(at: 6, as: UInt16.self)
        guard flags == 0 else { throw .unknownFlags(flags) }
        let frame = Frame(
            type: number(at: 4, as: UInt16.self), requestID: number(at: 8, as: UInt32.self),
            payload: Array(buffer[range.dropFirst(Limits.frameHeaderBytes)]))
        consumed = range.upperBound
        return frame
    }

    private func number<Number: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as: Number.Type) -> Number {
        buffer.withUnsafeBytes {
            Number(littleEndian: $0.loadUnaligned(fromByteOffset: consumed + offset, as: Number.self))
        }
    }
}
