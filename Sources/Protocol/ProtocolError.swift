/// What is wrong with bytes that a peer sent, or with a message that shall be sent.
public enum ProtocolError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The connection did not begin with "QNTT": the peer is another program, or speaks TLS where we do not.
    case foreignProtocol
    /// A frame that announces more bytes than allowed.
    case frameTooLarge(byteCount: UInt64, limit: Int)
    case checksumMismatch(expected: UInt32, found: UInt32)
    /// The frame's flags, which version 1 does not use.
    case unknownFlags(UInt16)
    case unknownType(UInt16)
    /// The payload ends inside this field.
    case truncated(field: String)
    /// Bytes after the message's last field.
    case trailingBytes(count: Int, message: String)
    /// A text, list or number above its bound in `Limits`.
    case overLimit(field: String, count: UInt64, limit: UInt64)
    /// Not UTF-8, or with control characters.
    case invalidText(field: String)
    /// A value that means nothing in this field.
    case invalidValue(field: String, value: String)

    public var description: String {
        switch self {
        case .foreignProtocol:
            "the peer does not speak the Quintet protocol, or only one side was given the cluster's token; "
                + "check host, port and --token-file"
        case .frameTooLarge(let byteCount, let limit):
            "a frame of \(byteCount) bytes; at most \(limit) are allowed here"
        case .checksumMismatch(let expected, let found):
            "a damaged frame: its checksum is \(hexadecimal(found)), its bytes give \(hexadecimal(expected))"
        case .unknownFlags(let flags): "a frame with unknown flags \(flags)"
        case .unknownType(let type): "a message of unknown type \(type)"
        case .truncated(let field): "the message ends inside \(field)"
        case .trailingBytes(let count, let message): "\(count) bytes too many after \(message)"
        case .overLimit(let field, let count, let limit): "\(field) has \(count); at most \(limit) are allowed"
        case .invalidText(let field): "\(field) is not UTF-8 text, or has control characters in it"
        case .invalidValue(let field, let value): "\(field) cannot be \(value)"
        }
    }

    /// The code of the refusal that answers it.
    public var refusalCode: RefusalCode {
        switch self {
        case .frameTooLarge, .overLimit: .limit
        default: .malformed
        }
    }

    public var refusal: Refusal { Refusal(code: refusalCode, message: description) }
}

private func hexadecimal(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
}
