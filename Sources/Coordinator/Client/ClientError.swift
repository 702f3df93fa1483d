import Protocol

/// Why a client could not do what it was asked for.
public enum ClientError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Nobody answers at the address, or not as a coordinator.
    case unreachable(address: String, reason: String)
    /// The coordinator turned the request down; it may be worth trying again for `diskFull` and `shuttingDown`.
    case refused(Refusal)
    /// The coordinator answered something else than was asked.
    case violation(String)
    /// What arrived are not the bytes that the digest names.
    case damaged(name: String)
    /// `CoordinatorClient.isStopped` said so while something was waited for. What was submitted goes on.
    case interrupted

    public var description: String {
        switch self {
        case .unreachable(let address, let reason):
            return "the coordinator at \(address) cannot be reached: \(reason)"
        case .refused(let refusal) where refusal.code == .version: return VersionNegotiation.explanation(of: refusal)
        case .refused(let refusal): return refusal.message
        case .interrupted: return "interrupted while waiting for the coordinator"
        case .violation(let what): return "the coordinator broke the protocol: \(what); are both of the same version?"
        case .damaged(let name):
            return "'\(name)' arrived damaged: its bytes are not those that were made; try again, and check the disk "
                + "of the coordinator"
        }
    }
}
