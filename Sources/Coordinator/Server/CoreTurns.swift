import Platform
import Protocol

// Turns: what is committed, and what may be said when.

extension CoordinatorCore {
    /// Turns that the store has not committed yet.
    package var inFlightCount: Int { inFlight.count }

    /// Closes the turn under way.
    /// - Returns: what may be said and done now, and the turn whose changes are to be committed; nil where nothing is.
    package mutating func endTurn() -> (atOnce: [Outgoing], turn: Turn?) {
        let atOnce = turn.atOnce
        turn.atOnce = []
        guard turn.changes.isEmpty && turn.candidates.isEmpty else {
            let ended = turn
            inFlight.append(ended)
            turn = Turn(number: ended.number + 1)
            return (atOnce, ended)
        }
        let outgoing = turn.outgoing
        turn.outgoing = []
        guard !inFlight.isEmpty else { return (atOnce + outgoing, nil) }
        // It may be about what an earlier turn has decided: after that one.
        inFlight[inFlight.count - 1].outgoing += outgoing
        return (atOnce, nil)
    }

    /// The store has committed the oldest turn in flight.
    /// - Parameter unreferenced: the blobs that nothing refers to since.
    /// - Returns: what may be said and done now.
    package mutating func committed(_ number: UInt64, unreferenced: [ContentDigest]) -> [Outgoing] {
        guard settings.needsStandby else { return conclude(number, unreferenced: unreferenced) }
        standbys.wait(number, unreferenced)
        return standbys.takeSafe().flatMap { conclude($0.number, unreferenced: $0.unreferenced) }
    }

    /// It is kept wherever it has to be.
    mutating func conclude(_ number: UInt64, unreferenced: [ContentDigest]) -> [Outgoing] {
        precondition(inFlight.first?.number == number, "turns are committed in order")
        let ended = inFlight.removeFirst()
        concludedNumber = number
        if isWaitingForRoom { (isWaitingForRoom, problem) = (false, nil) }
        for change in ended.changes { counts.note(change) }
        doomed.subtract(ended.references)
        doomed.formUnion(unreferenced)
        let removable = takeRemovable()
        return (removable.isEmpty ? [] : [.removeBlobs(removable)]) + ended.outgoing + news(of: ended.changes)
    }

    /// Lets go of runs that have ended, once the store has all of them.
    mutating func archiveEnded(at now: UInt64) {
        let ended = scheduler.runsToArchive(at: Int64(now))
        guard !ended.isEmpty else { return }
        let pending = Set((inFlight + [turn]).lazy.flatMap(\.changes).compactMap(\.subject.run))
        for run in ended where !pending.contains(run) { apply(.archive(run), at: now) }
    }

    /// The store cannot commit for now, because its disk is full, and tries on. Nobody is sent away: whoever waits for
    /// an answer goes on waiting, heartbeats and questions are answered as ever.
    /// - Parameter problem: what people have to do.
    /// - Returns: the questions that have waited for a commit.
    package mutating func waits(_ problem: String) -> [Outgoing] {
        isWaitingForRoom = true
        self.problem = Texts.bounded(problem)
        var questions: [Outgoing] = []
        let needsStandby = settings.needsStandby
        for index in inFlight.indices {
            questions += inFlight[index].outgoing.filter { $0.mayBeAnsweredEarly(needsStandby) }
            inFlight[index].outgoing.removeAll { $0.mayBeAnsweredEarly(needsStandby) }
        }
        return questions
    }

    /// A commit that failed for good is as a restart: what is in the store counts. Requests are refused, workers are
    /// sent away; they come back and say what they hold, and say again what was not acknowledged.
    /// - Parameters:
    ///   - problem: why, for people.
    ///   - recovery: what the store remembers: runs may stand elsewhere than watchers have heard.
    package mutating func startAgain(after problem: String, _ recovery: Recovery, at now: UInt64) -> [Outgoing] {
        let refusal = Refusal(code: .internalError, message: Texts.bounded("coordinator: \(problem)"))
        let failed = inFlight + [turn]
        var outgoing = failed.flatMap { $0.atOnce + $0.failed(refusal) }
        inFlight = []
        standbys.startAgain()
        doomed = []
        isWaitingForRoom = false
        turn = Turn(number: turn.number + 1)
        scheduler = Scheduler(configuration: settings.scheduler, recovering: recovery, at: Int64(now))
        for (name, connection) in workerConnections.sorted(by: { $0.key < $1.key }) {
            peers[connection]?.role = .replaced
            peers[connection]?.isClosing = true
            outgoing.append(.close(connection, reason: "the coordinator could not keep what '\(name)' said"))
        }
        workerConnections = [:]
        follow(scheduler.resume(), at: now)
        return outgoing + news(of: watches.runs)
    }
}

extension Outgoing {
    /// Whether it is a question that may be answered while commits wait. Of what is committed and not with a standby
    /// that it has to be with, nobody may read a result: only how things stand.
    func mayBeAnsweredEarly(_ needsStandby: Bool) -> Bool {
        guard case .read(let message, _, _) = self else { return false }
        if case .statusRequest = message { return true }
        return !needsStandby
    }
}
