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
    /// nil on a plaintext connection.
    private(set) var tls: TLSSession?
    /// The dialling side: where to, and the tokens to show there after this one.
    var dialled: SocketAddress?
    var hasSmallSegments = false
    private(set) var untriedTokens: [ClusterToken] = []
    /// What the caller sent and what neither TLS nor the kernel has taken.
    var output = ByteQueue()
    /// TLS's bytes that the kernel has not taken.
    var encrypted = ByteQueue()
    /// Something was queued since `drained` was last reported.
    var isDrainAwaited = false
    var isReadingPaused = false
    /// Any byte at all.
    var hasReceived = false
    /// Where the peer's connections come from (`SocketAddress.machine`); empty on the dialling side.
    var machine: [UInt8] = []
    /// When the kernel last took bytes, or had none to take.
    private var movedMilliseconds: UInt64 = 0
    /// Since when more waits than may.
    private var overfullSince: UInt64?

    init(id: ConnectionID, isDialled: Bool, descriptor: Int32, peer: String, phase: Phase, tls: TLSSession?) {
        self.id = id
        self.isDialled = isDialled
        self.descriptor = descriptor
        self.peer = peer
        self.phase = phase
        self.tls = tls
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func closeSocket() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }

    /// A handshake from its beginning, with the first of these; what the caller has sent waits on.
    func showNext(of tokens: [ClusterToken]) {
        precondition(!tokens.isEmpty, "TLS with pre-shared keys needs a key")
        tls = TLSContext(tokens: [tokens[0]], isServer: false).makeSession()
        untriedTokens = Array(tokens.dropFirst())
        encrypted.removeAll()
        hasReceived = false
    }

    var queuedByteCount: Int { output.count + encrypted.count }

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

    /// Why a peer that has dialled us and does not take what it asked for has to go; nil while it may stay.
    func sluggishness(at now: UInt64, _ limits: NetworkLimits) -> String? {
        guard !isDialled else { return nil }
        if !isOverfull(queuedByteCountMax: limits.queuedByteCountMax) {
            overfullSince = nil
        } else if overfullSince == nil {
            overfullSince = now
        }
        if movedMilliseconds == 0 { movedMilliseconds = now }
        if now > movedMilliseconds + limits.stalledMilliseconds { return "it takes nothing of what it asked for" }
        if let since = overfullSince, now > since + limits.overfullMilliseconds {
            return "it asks for more than it takes (\(queuedByteCount >> 20) MiB wait for it)"
        }
        return nil
    }

    func pollEvents(queuedByteCountMax: Int) -> Int16 {
        let output = queuedByteCount > 0 ? Int16(POLLOUT) : 0
        switch phase {
        case .connecting: return Int16(POLLOUT)
        // What the caller sent waits for the handshake's end.
        case .handshaking: return Int16(POLLIN) | (encrypted.isEmpty ? 0 : Int16(POLLOUT))
        case .closing, .lingering: return Int16(POLLIN) | output
        case .open:
            let isListenedTo = !isReadingPaused && !isOverfull(queuedByteCountMax: queuedByteCountMax)
            return (isListenedTo ? Int16(POLLIN) : 0) | output
        }
    }
}

// MARK: - Bytes to the kernel

extension NetworkConnection {
    enum Flushing {
        case empty
        /// The kernel takes no more for now.
        case later
        case failed(String)
    }

    /// What one step encrypts: a few records, so that little is held twice.
    private static let encryptedAtOnce = 1 << 16

    /// Hands the kernel as much as it takes of what may be sent in this phase.
    func flush() -> Flushing {
        guard let tls else { return send(&output) }
        while true {
            tls.takeOutgoing(into: &encrypted)
            switch send(&encrypted) {
            case .empty: break
            case .later: return .later
            case .failed(let reason): return .failed(reason)
            }
            if case .handshaking = phase { return .empty }
            if output.isEmpty { return .empty }
            let count = min(output.count, Self.encryptedAtOnce)
            guard output.withFront({ tls.write(UnsafeRawBufferPointer(rebasing: $0[..<count])) }) else {
                return .failed("TLS cannot send any more")
            }
            output.removeFirst(count)
        }
    }

    private func send(_ queue: inout ByteQueue) -> Flushing {
        while !queue.isEmpty {
            switch queue.withFront({ Socket.send(descriptor, $0) }) {
            case .bytes(let count):
                queue.removeFirst(count)
                movedMilliseconds = queue.isEmpty ? 0 : MonotonicClock.nowMilliseconds()
            case .later, .ended: return .later
            case .failed(let code): return .failed(String(cString: strerror(code)))
            }
        }
        return .empty
    }
}
