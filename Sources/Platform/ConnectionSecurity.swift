/// How a connection is protected.
public enum ConnectionSecurity: Sendable {
    /// Not at all: on loopback only, where other users of the machine still can connect. `NetworkLoop` dials nothing
    /// else so; `CoordinatorServer` listens nowhere else so.
    case plaintext
    /// TLS 1.3 with the cluster's token as a pre-shared key, and nothing else: no certificates, no older version, no
    /// going back to plaintext. Each handshake makes fresh keys (Diffie-Hellman), so recorded traffic stays closed
    /// when the token leaks later. A listener takes every one of the tokens (two, while an old one is being
    /// replaced); a dialler shows one after the other until one is taken.
    case preSharedKeys([ClusterToken])

    /// - Parameter tokenFiles: none for plaintext.
    /// - Throws: `TokenError`, `FileError`.
    public init(tokenFiles: [String]) throws {
        self = tokenFiles.isEmpty ? .plaintext : .preSharedKeys(try tokenFiles.map { try ClusterToken.load(file: $0) })
    }

    /// Whether there is anything to show before one is let in.
    public var hasToken: Bool { if case .preSharedKeys = self { true } else { false } }

    /// Whether a text is one of the tokens, as their files have them.
    public func takes(_ text: String) -> Bool {
        guard case .preSharedKeys(let tokens) = self else { return false }
        return tokens.map { $0.isWritten(as: text) }.contains(true)
    }
}
