import Platform
import Protocol

// Connections: who comes, who goes, and which bytes of theirs are messages.

extension CoordinatorCore {
    package mutating func accepted(_ connection: ConnectionID, address: String, at now: UInt64) {
        peers[connection] = Peer(connection: connection, address: address, nowMilliseconds: now)
        let strangers = peers.values.filter { $0.role == .unknown && !$0.isClosing }
        let neighbours = strangers.filter { $0.machine == peers[connection]!.machine }
        let crowd = neighbours.count > Limits.connectionsBeforeWelcomePerAddressMax
            ? neighbours : strangers.count > Limits.connectionsBeforeWelcomeMax ? strangers : []
        if let oldest = crowd.map(\.connection).min() {
            drop(oldest, "it had not said hello when its place was needed")
        }
    }

    package mutating func closed(_ connection: ConnectionID, at now: UInt64) {
        unfinished.remove(connection)
        watches.forget(connection)
        standbys.remove(connection)
        guard let peer = peers.removeValue(forKey: connection), case .worker(let name) = peer.role else { return }
        workerConnections[name] = nil
        apply(.workerDisconnected(name), at: now)
    }

    package mutating func received(_ bytes: [UInt8], on connection: ConnectionID, at now: UInt64) {
        guard peers[connection] != nil, peers[connection]!.isClosing == false else { return }
        peers[connection]!.heardMilliseconds = now
        peers[connection]!.decoder.append(bytes)
        takeFrames(of: connection, at: now)
    }

    /// Goes on with those who said more than one turn's share. Returns whom to read from again.
    package mutating func goOn(at now: UInt64) -> [ConnectionID] {
        let before = unfinished
        unfinished = []
        for connection in before.sorted() where peers[connection]?.isClosing == false {
            takeFrames(of: connection, at: now)
        }
        return before.filter { !unfinished.contains($0) }
    }

    /// Everything that was sent to this peer has left.
    package mutating func drained(_ connection: ConnectionID) { peers[connection]?.openQuestionCount = 0 }

    /// As much as one peer may say before the others have their turn; what is slow to answer ends its turn.
    private mutating func takeFrames(of connection: ConnectionID, at now: UInt64) {
        // A message that has begun before counts from this moment; good enough for a deadline.
        let began = peers[connection]!.frameBeganMilliseconds
        peers[connection]!.frameBeganMilliseconds = nil
        var frameCount = 0
        do {
            while let frame = try peers[connection]?.decoder.next() {
                frameCount += 1
                let (requestID, message) = try MessageCoding.decode(frame)
                receive(message, requestID, on: connection, at: now)
                if peers[connection]?.isClosing != false { return }
                if message.isQuestion || frameCount == Limits.framesPerTurnMax {
                    unfinished.insert(connection)
                    return
                }
            }
        } catch {
            refuse(error.refusal, 0, connection)
            return hangUp(connection, "\(error)")
        }
        guard peers[connection]!.decoder.isInsideFrame else { return }
        peers[connection]!.frameBeganMilliseconds = frameCount == 0 ? began ?? now : now
    }

    private mutating func receive(
        _ message: Message, _ requestID: UInt32, on connection: ConnectionID, at now: UInt64
    ) {
        switch (peers[connection]!.role, message) {
        case (.unknown, .hello(let hello)): greet(hello, requestID, connection, at: now)
        case (.unknown, _):
            refuse(.notAllowed, "say hello first", requestID, connection)
            hangUp(connection, "it did not say hello")
        case (.replaced, _): break
        case (_, .blobGet), (_, .blobOffer), (_, .blobPut): receiveBlob(message, requestID, connection)
        case (.worker(let name), _): receive(message, requestID, from: name, connection, at: now)
        case (.client, _): receive(message, requestID, fromClient: connection, at: now)
        }
    }

    private mutating func greet(_ hello: Hello, _ requestID: UInt32, _ connection: ConnectionID, at now: UInt64) {
        let outcome = VersionNegotiation.choose(
            ourBuild: settings.build, theirMin: hello.versionMin, theirMax: hello.versionMax,
            theirBuild: hello.build)
        guard case .agreed(let version) = outcome else {
            if case .refused(let refusal) = outcome { refuse(refusal, requestID, connection) }
            return hangUp(
                connection, VersionNegotiation.spoken(hello.versionMin, hello.versionMax, by: hello.build))
        }
        if hello.role == .worker && hello.name.isEmpty {
            refuse(.malformed, "a worker needs a name", requestID, connection)
            return hangUp(connection, "a worker without a name")
        }
        peers[connection]!.decoder.frameBytesMax = Limits.frameBytesMax
        let welcome = Welcome(
            version: version, build: settings.build, heartbeatMilliseconds: settings.heartbeatMilliseconds,
            leaseMilliseconds: UInt32(settings.scheduler.leaseMilliseconds))
        turn.atOnce.append(.send(.welcome(welcome), requestID: requestID, to: connection))
        guard hello.role == .worker else {
            peers[connection]!.role = .client
            return
        }
        if let old = workerConnections[hello.name] {
            peers[old]?.role = .replaced
            hangUp(old, "the worker has connected again")
        }
        peers[connection]!.role = .worker(hello.name)
        workerConnections[hello.name] = connection
        let facts = WorkerFacts(
            build: hello.build, device: hello.device, threadCount: Int(hello.threadCount),
            memoryByteCount: hello.memoryByteCount, arithmetic: hello.arithmetic)
        apply(.workerConnected(hello.name, facts, held: hello.held), at: now)
        for lease in hello.held { peers[connection]!.leases.add(lease, of: hello.name, by: scheduler) }
    }

    // MARK: - Ends

    /// Those that take longer than they may.
    mutating func dropOverdue(at now: UInt64) {
        let silence = UInt64(3 * settings.scheduler.leaseMilliseconds)
        for peer in peers.values.sorted(by: { $0.connection < $1.connection }) where !peer.isClosing {
            let reason = peer.overdue(at: now, silenceMilliseconds: silence, settings.limits)
            if let reason { drop(peer.connection, reason) }
        }
    }

    /// When everything said before has left.
    mutating func hangUp(_ connection: ConnectionID, _ reason: String) {
        guard peers[connection] != nil else { return }
        peers[connection]!.isClosing = true
        turn.atOnce.append(.close(connection, reason: reason))
    }

    /// At once, without waiting for a peer that is not expected to listen.
    private mutating func drop(_ connection: ConnectionID, _ reason: String) {
        guard peers[connection] != nil else { return }
        peers[connection]!.isClosing = true
        turn.atOnce.append(.abort(connection, reason: reason))
    }

    mutating func refuse(_ code: RefusalCode, _ text: String, _ requestID: UInt32, _ connection: ConnectionID) {
        refuse(Refusal(code: code, message: Texts.bounded(text)), requestID, connection)
    }

    /// A refusal of the core's own promises nothing, and nothing of this turn has to survive for it.
    mutating func refuse(_ refusal: Refusal, _ requestID: UInt32, _ connection: ConnectionID) {
        turn.atOnce.append(.send(.refusal(refusal), requestID: requestID, to: connection))
    }
}
