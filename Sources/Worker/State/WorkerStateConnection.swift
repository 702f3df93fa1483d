import Protocol

// The connection: dialling, greeting, being welcomed, heartbeats, and its loss.
extension WorkerState {
    mutating func greet() {
        guard case .dialling = connection.phase else { return }
        let hello = Hello(
            role: .worker, versionMin: settings.versionMin, versionMax: settings.versionMax, build: settings.build,
            name: settings.name, threadCount: settings.threadCount, device: settings.device,
            held: works.map(\.lease), memoryByteCount: settings.memoryByteCount, arithmetic: settings.arithmetic)
        let helloID = requests.next()
        connection.greet(helloID: helloID, atMilliseconds: now)
        actions.append(.send(.hello(hello), requestID: helloID))
    }

    /// Hangs up on a coordinator that breaks the rules or has gone silent.
    mutating func hangUp(_ reason: String) {
        guard connection.isOpen else { return }
        actions.append(.hangUp)
        lose(reason)
    }

    mutating func lose(_ reason: String) {
        guard connection.isOpen else { return }
        let pause = connection.lose(atMilliseconds: now)
        for index in works.indices {
            works[index].fetch.connectionLost()
            _ = works[index].withUpload { $0.connectionLost() }
        }
        var line = "no coordinator: \(reason)"
        let leavesAt = drain.map { $0.since + WorkerLimits.drainMilliseconds } ?? .max
        if now + pause < leavesAt { line += "; trying again in \(pause) ms" }
        if drain == nil, let threadLease, index(of: threadLease) != nil { line += "; computing goes on" }
        if drain != nil, !works.isEmpty { line += "; \(unreturned)" }
        actions.append(.problem(line))
    }

    /// On the first connection a wrong address or token: people must act. Later on a coordinator being changed.
    mutating func reject(_ reason: String) {
        if connection.hasServed { lose(reason) } else { leave(.refused(reason)) }
    }

    mutating func leave(_ exit: WorkerExit) {
        guard !connection.isClosed else { return }
        if let threadLease { actions.append(.cancelCompute(threadLease)) }
        if connection.isOpen { actions.append(.hangUp) }
        connection.close()
        works = []
        actions.append(.leave(exit))
    }

    mutating func receive(_ message: Message, _ requestID: RequestID) {
        connection.service?.heardAt = now
        switch connection.phase {
        case .away, .dialling, .closed: return
        case .greeting(_, let helloID):
            guard requestID == helloID else { return }
            answeredHello(message)
        case .serving:
            switch message {
            case .assignment(let assignment): assigned(assignment)
            case .revoke(let lease): abandon(lease, "the coordinator has taken it back")
            case .leave: startDrain()
            case .heartbeatAnswer: break
            default: answered(message, requestID)
            }
        }
    }

    mutating func answeredHello(_ message: Message) {
        switch message {
        case .welcome(let welcome):
            guard welcome.version >= settings.versionMin, welcome.version <= settings.versionMax else {
                return leave(.refused(VersionNegotiation.mismatch(
                    coordinatorBuild: welcome.build, coordinatorMin: welcome.version, coordinatorMax: welcome.version,
                    peerBuild: settings.build, peerMin: settings.versionMin, peerMax: settings.versionMax)))
            }
            connection.welcome(welcome, atMilliseconds: now)
            actions.append(.log("serving a coordinator of \(welcome.build)"))
        case .refusal(let refusal):
            switch refusal.code {
            case .version: leave(.refused(VersionNegotiation.explanation(of: refusal)))
            case .notAllowed, .malformed: leave(.refused(refusal.message))
            default: hangUp("it turned this worker down: \(refusal.message)")
            }
        default:
            hangUp("it answered hello with something else")
        }
    }

    mutating func pumpConnection() {
        switch connection.phase {
        case .closed: return
        case .away(let retryAt):
            guard now >= retryAt else { return }
            connection.dial(atMilliseconds: now)
            actions.append(.dial)
        case .dialling(let until):
            if now >= until { hangUp("it does not answer") }
        case .greeting(let until, _):
            if now >= until { hangUp("it does not say welcome") }
        case .serving(let service):
            if now >= service.silenceEndsAt { return hangUp("it has gone silent") }
            if now >= service.heartbeatAt {
                connection.service?.heartbeatAt = now + service.heartbeatMilliseconds
                heartbeatID = requests.next()
                actions.append(.send(.heartbeat(works.map(\.report)), requestID: heartbeatID))
            }
        }
    }
}
