import Protocol

/// What somebody at the live page may do: the same as with `quintet cancel`, `pause`, `resume` and `drain`.
package enum LiveAction: Hashable, Sendable {
    case cancel(RunID)
    case pause(RunID)
    case resume(RunID)
    /// A worker's name, the readable part of it, or a machine's.
    case drain(String)

    /// - Returns: nil for what is none.
    init?(_ word: String, _ target: String) {
        if word == "drain" {
            guard !target.isEmpty, target.utf8.count <= Limits.peerNameBytesMax else { return nil }
            self = .drain(target)
            return
        }
        guard let run = UInt64(target).map({ RunID($0) }) else { return nil }
        switch word {
        case "cancel": self = .cancel(run)
        case "pause": self = .pause(run)
        case "resume": self = .resume(run)
        default: return nil
        }
    }

    var event: SchedulerEvent {
        switch self {
        case .cancel(let run): .cancel(run)
        case .pause(let run): .pause(run)
        case .resume(let run): .resume(run)
        case .drain(let name): .drain(name)
        }
    }

    /// For the log.
    var text: String {
        switch self {
        case .cancel(let run): "cancel \(run)"
        case .pause(let run): "pause \(run)"
        case .resume(let run): "resume \(run)"
        case .drain(let name): "drain '\(name)'"
        }
    }
}

extension CoordinatorCore {
    /// As a client's request, for somebody who has no connection.
    /// - Parameter ticket: what the answer is told with (`Outgoing.tell`), once what follows from it is committed.
    package mutating func act(_ action: LiveAction, ticket: UInt64, at now: UInt64) {
        if isWaitingForRoom, let problem {
            turn.atOnce.append(.tell(.refusal(Refusal(code: .diskFull, message: problem)), ticket: ticket))
            return
        }
        let actions = scheduler.apply(action.event, at: Int64(now))
        for case .answer(let message) in actions { turn.outgoing.append(.tell(message, ticket: ticket)) }
        follow(actions, at: now)
    }
}
