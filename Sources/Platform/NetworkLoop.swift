import Glibc

/// Names a connection of one `NetworkLoop`; never used twice.
public struct ConnectionID: Hashable, Comparable, Sendable, CustomStringConvertible {
    let number: UInt64
    /// For machines that are tried without a network.
    package init(number: UInt64) { self.number = number }
    /// The older one first.
    public static func < (a: ConnectionID, b: ConnectionID) -> Bool { a.number < b.number }
    public var description: String { "connection \(number)" }
}

/// What happened. Every connection that was `accepted`, or that `connect` returned, ends with exactly one `closed`.
public enum NetworkEvent: Hashable, Sendable {
    /// A peer has dialled, and with TLS has shown that it has the token.
    case accepted(ConnectionID, peer: String)
    /// A peer was turned away before it was accepted: no valid token, no TLS, too many connections.
    case rejected(peer: String, reason: String)
    /// `connect` has succeeded, TLS included.
    case connected(ConnectionID)
    case received(ConnectionID, [UInt8])
    /// Everything that was sent is with the kernel.
    case drained(ConnectionID)
    case closed(ConnectionID, reason: String)
}

/// The defaults are for those who dial. Who listens sets all of them (`PeerLimits.network` of the coordinator).
public struct NetworkLimits: Hashable, Sendable {
    public var connectionsMax = 1024
    /// Of these, peers at one address that have dialled us.
    public var connectionsPerAddressMax = 1024
    /// Peers that have dialled us and have not shown a token yet. When one more comes, the oldest of them goes.
    public var handshakesMax = 256
    /// Of these, peers at one address.
    public var handshakesPerAddressMax = 256
    /// While more than this waits for a peer that has dialled us, nothing is read from it.
    public var queuedByteCountMax = 8 << 20
    /// How long more than that may wait for a peer that has dialled us.
    public var overfullMilliseconds: UInt64 = 10_000
    /// How long such a peer may take nothing at all of what waits for it.
    public var stalledMilliseconds: UInt64 = 30_000
    /// For each of a host's addresses.
    public var connectMilliseconds: UInt64 = 5_000
    /// For TLS.
    public var handshakeMilliseconds: UInt64 = 5_000
    /// How long `close` lets the last bytes leave.
    public var closeMilliseconds: UInt64 = 2_000
    /// Bytes taken from one connection before the others have their turn.
    public var turnByteCountMax = 1 << 20

    public init() {}
}

/// TCP connections, incoming and outgoing, of one thread: nothing happens but in `wait`, which says what happened.
///
///     let loop = try NetworkLoop()
///     let port = try loop.listen(host: "127.0.0.1", port: 0, security: .plaintext)
///     while true {
///         for event in try loop.wait(timeoutMilliseconds: 1000) {
///             if case .received(let connection, let bytes) = event { loop.send(bytes, on: connection) }
///         }
///     }
///
/// It knows nothing of messages. poll(2) is enough for the thousand peers of a cluster and works everywhere.
public final class NetworkLoop {
    public let limits: NetworkLimits
    /// Ends a `wait` from another thread.
    public let waker: NetworkWaker

    private struct Listener {
        var descriptor: Int32
        /// nil for plaintext.
        var tls: TLSContext?
    }

    private var listeners: [Listener] = []
    private var connections: [ConnectionID: NetworkConnection] = [:]
    /// From all peers since the loop began, as the network had it: with TLS more than `received` tells.
    public private(set) var receivedByteCount: UInt64 = 0
    /// To all peers, as `send` was given them.
    public private(set) var sentByteCount: UInt64 = 0
    private var events: [NetworkEvent] = []
    private var lastNumber: UInt64 = 0
    /// Given up for a moment to turn a peer away when no descriptor is left.
    private var spareDescriptor: Int32
    private var listeningPausedUntil: UInt64 = 0
    private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 64)
    /// What TLS made of `scratch`.
    private let decrypted = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 64)

    /// - Throws: `NetworkError` when the process has no descriptor left.
    public init(limits: NetworkLimits = NetworkLimits()) throws {
        self.limits = limits
        waker = try NetworkWaker()
        spareDescriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
    }

    deinit {
        for listener in listeners { Glibc.close(listener.descriptor) }
        if spareDescriptor >= 0 { Glibc.close(spareDescriptor) }
        scratch.deallocate()
        decrypted.deallocate()
    }

    // MARK: - What the caller asks for

    /// Accepts connections at every address of the host's name ("*": of this machine).
    /// - Parameter port: 0 for a free one.
    /// - Returns: the port.
    /// - Throws: `NetworkError` naming address and remedy.
    public func listen(host: String, port: UInt16, security: ConnectionSecurity) throws -> UInt16 {
        let addresses = try NetworkAddress(host: host, port: port).resolved(forListening: true)
        // One IPv6 socket serves IPv4, too, where the machine has IPv6; asked for first.
        let isWildcard = host == "*"
        var chosen = port, made: [Int32] = [], code: Int32 = 0
        for var address in isWildcard ? addresses.sorted(by: { $0.family > $1.family }) : addresses {
            address.port = chosen
            guard let descriptor = Socket.listening(at: address, isSharedWithIPv4: isWildcard) else {
                code = errno
                // A machine may know a name's IPv6 address and have none.
                if code == EADDRNOTAVAIL || code == EAFNOSUPPORT { continue }
                break
            }
            code = 0
            made.append(descriptor)
            chosen = Socket.localAddress(descriptor)?.port ?? chosen
            if isWildcard { break }
        }
        guard !made.isEmpty, code == 0 || code == EADDRNOTAVAIL || code == EAFNOSUPPORT else {
            for descriptor in made { Glibc.close(descriptor) }
            throw NetworkError("cannot listen at \(NetworkAddress(host: host, port: port))", code: code)
        }
        let context = listeningContext(security)
        listeners += made.map { Listener(descriptor: $0, tls: context) }
        return chosen
    }

    /// Stops accepting; connections stay.
    public func stopListening() {
        for listener in listeners { Glibc.close(listener.descriptor) }
        listeners = []
    }

    /// Begins to connect; the outcome comes as `connected` or `closed`. Resolving the name may take seconds.
    /// - Parameter hasSmallSegments: for one who has lost a connection. The way may swallow larger packets without a
    ///   word (a tunnel whose "fragmentation needed" a firewall drops): then small messages pass, large ones never.
    /// - Throws: `PlaintextError` for another machine without a token; `NetworkError` when the name cannot be resolved.
    public func connect(
        host: String, port: UInt16, security: ConnectionSecurity, hasSmallSegments: Bool = false
    ) throws -> ConnectionID {
        let target = NetworkAddress(host: host, port: port)
        var addresses = try target.resolved(forListening: false)
        if case .plaintext = security {
            // Those that are dialled, whatever the name stands for in the next moment.
            addresses = addresses.filter(\.isLoopback)
            guard !addresses.isEmpty else { throw PlaintextError(target: target) }
        }
        let connection = NetworkConnection(
            id: nextID(), isDialled: true, descriptor: -1, peer: target.description,
            phase: .connecting(others: addresses, deadline: 0),
            tls: nil)
        connection.hasSmallSegments = hasSmallSegments
        if case .preSharedKeys(let tokens) = security { connection.showNext(of: tokens) }
        connections[connection.id] = connection
        dialNext(connection, others: addresses, lastCode: EHOSTUNREACH)
        return connection.id
    }

    /// Queues bytes, to be sent by `wait`. Nothing happens on a connection that has ended or is being closed.
    public func send(_ bytes: [UInt8], on id: ConnectionID) {
        guard let connection = connections[id], !bytes.isEmpty else { return }
        switch connection.phase {
        case .connecting, .handshaking, .open:
            connection.output.append(bytes)
            sentByteCount += UInt64(bytes.count)
            connection.isDrainAwaited = true
        case .closing, .lingering: break
        }
    }

    /// Bytes that the kernel has not taken yet; keep it small, the peer may be slow.
    public func queuedByteCount(_ id: ConnectionID) -> Int { connections[id]?.queuedByteCount ?? 0 }

    /// Stops and goes on reading: the peer then feels it through TCP's flow control.
    public func setReading(_ isReading: Bool, on id: ConnectionID) { connections[id]?.isReadingPaused = !isReading }

    /// "10.0.0.7:40112".
    public func peer(of id: ConnectionID) -> String? { connections[id]?.peer }

    /// Sends what is queued (for at most `limits.closeMilliseconds`), then ends; what arrives is thrown away.
    public func close(_ id: ConnectionID) {
        guard let connection = connections[id] else { return }
        switch connection.phase {
        case .connecting, .handshaking: end(connection, "closed before it was connected")
        case .open:
            connection.phase = .closing(deadline: MonotonicClock.nowMilliseconds() + limits.closeMilliseconds)
        case .closing, .lingering: break
        }
    }

    /// Ends at once; what is queued is lost. `closed` with this reason follows.
    public func abort(_ id: ConnectionID, reason: String) {
        guard let connection = connections[id] else { return }
        end(connection, reason)
    }

    // MARK: - The loop

    /// Sends, receives and accepts. Returns as soon as something happened, when the time is over, when woken, and
    /// when a signal arrived.
    /// - Parameter timeoutMilliseconds: 0 only looks; negative waits for ever.
    /// - Throws: `NetworkError` when the system has no memory for it.
    public func wait(timeoutMilliseconds: Int) throws -> [NetworkEvent] {
        for connection in connections.values where connection.queuedByteCount > 0 || !connection.isOpen {
            flush(connection)
        }
        var polled = [pollfd(fd: waker.readDescriptor, events: Int16(POLLIN), revents: 0)]
        let isAccepting = MonotonicClock.nowMilliseconds() >= listeningPausedUntil
        let polledListeners = isAccepting ? listeners : []
        polled += polledListeners.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        let polledConnections = Array(connections.values)
        polled += polledConnections.map {
            pollfd(
                fd: $0.descriptor, events: $0.pollEvents(queuedByteCountMax: limits.queuedByteCountMax), revents: 0)
        }
        if poll(&polled, nfds_t(polled.count), pollTimeout(timeoutMilliseconds)) == -1 && errno != EINTR {
            throw NetworkError("cannot wait for the network", code: errno)
        }
        if polled[0].revents != 0 { _ = waker.drain() }
        for (index, connection) in polledConnections.enumerated() {
            let happened = polled[1 + polledListeners.count + index].revents
            if happened != 0 && connection.descriptor >= 0 { serve(connection, happened) }
        }
        for (index, listener) in polledListeners.enumerated() where polled[1 + index].revents != 0 {
            accept(listener)
        }
        endOverdueConnections()
        defer { events = [] }
        return events
    }

    private func pollTimeout(_ asked: Int) -> Int32 {
        if !events.isEmpty { return 0 }
        let now = MonotonicClock.nowMilliseconds()
        var timeout = asked < 0 ? UInt64(Int32.max) : UInt64(min(asked, Int(Int32.max)))
        for deadline in connections.values.compactMap(\.deadline) {
            timeout = min(timeout, deadline > now ? deadline - now : 0)
        }
        if listeningPausedUntil > now { timeout = min(timeout, listeningPausedUntil - now) }
        return asked < 0 && timeout == UInt64(Int32.max) ? -1 : Int32(timeout)
    }

    private func serve(_ connection: NetworkConnection, _ happened: Int16) {
        if case .connecting(let others, _) = connection.phase {
            let code = Socket.pendingError(connection.descriptor)
            if code == 0 { begin(connection) } else { dialNext(connection, others: others, lastCode: code) }
            return
        }
        let asked = connection.pollEvents(queuedByteCountMax: limits.queuedByteCountMax)
        if happened & Int16(POLLIN) != 0 || happened & Int16(POLLHUP | POLLERR) != 0 && asked & Int16(POLLIN) != 0 {
            receive(connection)
        } else if happened & Int16(POLLHUP | POLLERR | POLLNVAL) != 0 {
            // Gone in both directions while we were not listening; polling on would spin.
            let code = Socket.pendingError(connection.descriptor)
            end(connection, code == 0 ? "the peer closed the connection" : String(cString: strerror(code)))
        }
        if connection.descriptor >= 0 && happened & Int16(POLLOUT) != 0 { flush(connection) }
    }

    private func endOverdueConnections() {
        let now = MonotonicClock.nowMilliseconds()
        for connection in connections.values {
            guard let deadline = connection.deadline, deadline <= now else { continue }
            switch connection.phase {
            case .connecting(let others, _): dialNext(connection, others: others, lastCode: ETIMEDOUT)
            case .handshaking: end(connection, "the handshake took too long")
            case .closing, .lingering: end(connection, "closed by this side")
            case .open: break
            }
        }
        for connection in connections.values where connection.isOpen && connection.queuedByteCount > 0 {
            if let reason = connection.sluggishness(at: now, limits) { end(connection, reason) }
        }
    }

    // MARK: - Beginning and end of connections

    private func listeningContext(_ security: ConnectionSecurity) -> TLSContext? {
        switch security {
        case .plaintext: nil
        case .preSharedKeys(let tokens): TLSContext(tokens: tokens, isServer: true)
        }
    }

    private func nextID() -> ConnectionID {
        lastNumber += 1
        return ConnectionID(number: lastNumber)
    }

    /// Tries the next address of the host; ends the connection when there is none left.
    private func dialNext(_ connection: NetworkConnection, others: [SocketAddress], lastCode: Int32) {
        connection.closeSocket()
        var code = lastCode
        for (index, address) in others.enumerated() {
            if let descriptor = Socket.connecting(to: address, hasSmallSegments: connection.hasSmallSegments) {
                connection.descriptor = descriptor
                connection.dialled = address
                connection.phase = .connecting(
                    others: Array(others[(index + 1)...]),
                    deadline: MonotonicClock.nowMilliseconds() + limits.connectMilliseconds)
                return
            }
            code = errno
        }
        end(connection, NetworkError("cannot connect to \(connection.peer)", code: code).message)
    }

    /// The socket stands: TLS where there is to be TLS.
    private func begin(_ connection: NetworkConnection) {
        guard connection.tls != nil else { return establish(connection) }
        connection.phase = .handshaking(deadline: MonotonicClock.nowMilliseconds() + limits.handshakeMilliseconds)
        continueHandshake(connection)
    }

    private func continueHandshake(_ connection: NetworkConnection) {
        guard let tls = connection.tls else { return }
        switch tls.handshake() {
        case .done:
            establish(connection)
            flush(connection)
        case .later: flush(connection)
        case .failed(let reason):
            // The alert tells the peer.
            _ = connection.flush()
            if connection.isDialled, let address = connection.dialled, !connection.untriedTokens.isEmpty {
                connection.showNext(of: connection.untriedTokens)
                return dialNext(connection, others: [address], lastCode: EHOSTUNREACH)
            }
            end(connection, reason)
        }
    }

    private func establish(_ connection: NetworkConnection) {
        connection.phase = .open
        events.append(
            connection.isDialled
                ? .connected(connection.id) : .accepted(connection.id, peer: connection.peer))
    }

    private func accept(_ listener: Listener) {
        // A bound, so that a flood of peers does not starve those that are here.
        for _ in 0..<64 {
            let descriptor = Socket.accepted(from: listener.descriptor)
            if descriptor < 0 {
                switch errno {
                case EINTR, ECONNABORTED, EPROTO: continue
                case EAGAIN: return
                case EMFILE, ENFILE:
                    turnAwayWithoutDescriptor(listener)
                    return
                default:
                    listeningPausedUntil = MonotonicClock.nowMilliseconds() + 100
                    return
                }
            }
            // Gone again already where it has no address.
            let address = Socket.peerAddress(descriptor)
            let peer = address?.description ?? "unknown address"
            if let reason = reasonToTurnAway(address) {
                Glibc.close(descriptor)
                events.append(.rejected(peer: peer, reason: reason))
                continue
            }
            Socket.setConnectionOptions(descriptor)
            let connection = NetworkConnection(
                id: nextID(), isDialled: false, descriptor: descriptor, peer: peer,
                phase: .handshaking(deadline: 0), tls: listener.tls?.makeSession())
            connection.machine = address?.machine ?? []
            connections[connection.id] = connection
            begin(connection)
        }
    }

    /// Makes room for a newcomer among those who have not shown a token; nil when there is room. Nobody goes for one
    /// who is turned away all the same.
    private func reasonToTurnAway(_ address: SocketAddress?) -> String? {
        let machine = address?.machine ?? []
        let strangers = connections.values.filter { !$0.isAnnounced }
        let neighbours = strangers.filter { $0.machine == machine }
        let fromThere = connections.values.count { !$0.isDialled && $0.machine == machine }
        let isFull = connections.count >= limits.connectionsMax
        let isFullThere = fromThere >= limits.connectionsPerAddressMax
        if isFullThere, neighbours.isEmpty { return "there are \(fromThere) connections from its address already" }
        if isFull, strangers.isEmpty { return "there are \(connections.count) connections already" }
        let crowd = neighbours.count >= limits.handshakesPerAddressMax || isFullThere
            ? neighbours : strangers.count >= limits.handshakesMax || isFull ? strangers : []
        if let oldest = crowd.min(by: { $0.id < $1.id }) {
            end(oldest, "it had not shown a token when its place was needed")
        }
        return nil
    }

    /// The waiting peer would be reported by every poll; with the spare descriptor it is accepted and dropped.
    private func turnAwayWithoutDescriptor(_ listener: Listener) {
        if spareDescriptor >= 0 { Glibc.close(spareDescriptor) }
        let descriptor = Socket.accepted(from: listener.descriptor)
        if descriptor >= 0 { Glibc.close(descriptor) }
        spareDescriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
        listeningPausedUntil = MonotonicClock.nowMilliseconds() + 100
        events.append(
            .rejected(peer: "unknown address", reason: NetworkError("cannot accept", code: EMFILE).message))
    }

    private func end(_ connection: NetworkConnection, _ reason: String) {
        connection.closeSocket()
        connections[connection.id] = nil
        events.append(
            connection.isAnnounced
                ? .closed(connection.id, reason: reason) : .rejected(peer: connection.peer, reason: reason))
    }

    // MARK: - Bytes

    private func receive(_ connection: NetworkConnection) {
        var turn = 0
        while turn < limits.turnByteCountMax && connection.descriptor >= 0 {
            switch Socket.receive(connection.descriptor, into: scratch) {
            case .bytes(let count):
                turn += count
                receivedByteCount += UInt64(count)
                deliver(connection, UnsafeRawBufferPointer(rebasing: scratch[..<count]))
                if count < scratch.count { return }
                if case .connecting = connection.phase { return }
            case .later: return
            case .ended:
                // It may have ended its side only, and still read.
                flush(connection)
                guard connection.descriptor >= 0 else { return }
                end(connection, endReason(connection))
            case .failed(let code): end(connection, String(cString: strerror(code)))
            }
        }
    }

    private func endReason(_ connection: NetworkConnection) -> String {
        switch connection.phase {
        case .open where connection.isDialled && connection.tls == nil && !connection.hasReceived:
            // A listener of ours speaks first, unless it waits for TLS.
            "the peer closed the connection without a word, as a coordinator with a token does: give --token-file FILE"
        case .connecting, .open: "the peer closed the connection"
        case .handshaking:
            "the peer closed the connection instead of speaking TLS; was it started without --token-file?"
        case .closing, .lingering: "closed by this side"
        }
    }

    /// Bytes as they came from the socket.
    private func deliver(_ connection: NetworkConnection, _ bytes: UnsafeRawBufferPointer) {
        connection.hasReceived = true
        guard let tls = connection.tls else {
            if connection.isOpen { events.append(.received(connection.id, Array(bytes))) }
            return
        }
        tls.feed(bytes)
        if case .handshaking = connection.phase { continueHandshake(connection) }
        guard connection.descriptor >= 0 else { return }
        switch connection.phase {
        // The latter where another token is to be shown, over another socket.
        case .handshaking, .connecting: return
        case .open, .closing, .lingering: break
        }
        var filled = 0, failure: String?
        reading: while true {
            switch tls.read(into: UnsafeMutableRawBufferPointer(rebasing: decrypted[filled...])) {
            case .bytes(let count): filled += count
            case .later: break reading
            case .ended:
                failure = endReason(connection)
                break reading
            case .failed(let reason):
                failure = reason
                break reading
            }
            if filled == decrypted.count { report(connection, &filled) }
        }
        report(connection, &filled)
        // TLS may have something to answer, new keys for example.
        flush(connection)
        if let failure, connection.descriptor >= 0 { end(connection, failure) }
    }

    private func report(_ connection: NetworkConnection, _ filled: inout Int) {
        if filled > 0 && connection.isOpen { events.append(.received(connection.id, Array(decrypted[..<filled]))) }
        filled = 0
    }

    private func flush(_ connection: NetworkConnection) {
        if case .connecting = connection.phase { return }
        switch connection.flush() {
        case .later: return
        case .failed(let reason):
            // What the peer said before it went is still to be read; then the read fails as well.
            connection.output.removeAll()
            connection.encrypted.removeAll()
            if !connection.isOpen { end(connection, reason) }
            return
        case .empty: break
        }
        switch connection.phase {
        case .open:
            if connection.isDrainAwaited {
                connection.isDrainAwaited = false
                events.append(.drained(connection.id))
            }
        case .closing(let deadline):
            connection.phase = .lingering(deadline: deadline)
            if let tls = connection.tls {
                tls.finish()
                _ = connection.flush()
            }
            shutdown(connection.descriptor, Int32(SHUT_WR))
        case .connecting, .handshaking, .lingering: break
        }
    }
}
