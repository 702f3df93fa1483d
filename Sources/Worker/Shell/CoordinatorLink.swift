import Platform
import Protocol

/// One connection to the coordinator: bytes in and out as messages.
struct CoordinatorLink {
    let connection: ConnectionID
    var isConnected = false
    private var decoder = FrameDecoder()
    private var hasSent = false

    init(_ connection: ConnectionID) { self.connection = connection }

    /// The magic bytes go before the first message.
    /// - Throws: `ProtocolError` when the message breaks a limit.
    mutating func bytes(of message: Message, requestID: RequestID) throws(ProtocolError) -> [UInt8] {
        let frame = try MessageCoding.encode(message, requestID: requestID)
        defer { hasSent = true }
        return hasSent ? frame : FrameEncoder.magic + frame
    }

    mutating func received(_ bytes: [UInt8]) { decoder.append(bytes) }

    /// The next whole message; nil until more bytes come. After a welcome larger frames are allowed.
    /// - Throws: `ProtocolError`: the connection cannot be trusted any more.
    mutating func next() throws(ProtocolError) -> (requestID: RequestID, message: Message)? {
        guard let frame = try decoder.next() else { return nil }
        let decoded = try MessageCoding.decode(frame)
        if case .welcome = decoded.message { decoder.frameBytesMax = Limits.frameBytesMax }
        return decoded
    }
}
