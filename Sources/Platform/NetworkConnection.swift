import Glibc

/// One connection of a `NetworkLoop`: its socket, what waits to be sent, and how far it is.
final class NetworkConnection {
    enum Phase {
        /// `others` are the addresses to try after this one.
        case connecting(others: [SocketAddress], deadline: UInt64)
        /// TLS is being agreed.
        case handshaking(deadline: UInt64)
        case open
        /// The last bytes are being sent, then our side ends; what comes in is thrown away.
        case closing(deadline: UInt64)
        /// Our side has ended; waits for the peer's end, so that the kernel does not drop our last bytes.
        case lingering(deadline: UInt64)
    }

    let id: ConnectionID
    let isDialled: Bool
    var descriptor: Int32
    var peer: String
    var phase: Phase
    /// Not yet handed to the kernel.
    var output = ByteQueue()
    /// Something was queued since `drained` was last reported.
    var isDrainAwaited = false
    var isReadingPaused = false

    init(id: ConnectionID, isDialled: Bool, descriptor: Int32, peer: String, phase: Phase) {
        self.id = id
        self.isDialled = isDialled
        self.descriptor = descriptor
        self.peer = peer
        self.phase = phase
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func closeSocket() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }

    var queuedByteCount: Int { output.count }

    var isOpen: Bool { if case .open = phase { true } else { false } }

    /// Whether the caller of the loop knows it: connected to it, or reported as accepted.
    var isAnnounced: Bool {
        switch phase {
        case .connecting, .handshaking: isDialled
        case .open, .closing, .lingering: true
        }
    }

    var deadline: UInt64? {
        switch phase {
        case .connecting(_, let deadline), .handshaking(let deadline), .closing(let deadline),
            .lingering(let deadline):
            deadline
        case .open: nil
        }
    }

    /// Whether a peer asks for more than it takes, so that it is not listened to for now. Never so on the dialling
    /// side: if both sides stopped reading, neither would go on.
    func isOverfull(queuedByteCountMax: Int) -> Bool { !isDialled && queuedByteCount > queuedByteCountMax }

    func pollEvents(queuedByteCountMax: Int) -> Int16 {
        let output = queuedByteCount > 0 ? Int16(POLLOUT) : 0
        switch phase {
        case .connecting: return Int16(POLLOUT)
        case .handshaking, .closing, .lingering: return Int16(POLLIN) | output
        case .open:
            let isListenedTo = !isReadingPaused && !isOverfull(queuedByteCountMax: queuedByteCountMax)
            return (isListenedTo ? Int16(POLLIN) : 0) | output
        }
    }
}
