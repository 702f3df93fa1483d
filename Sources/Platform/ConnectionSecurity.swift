/// How a connection is protected.
public enum ConnectionSecurity: Sendable {
    /// Not at all: for loopback and for networks that keep everyone else out.
    case plaintext
}
