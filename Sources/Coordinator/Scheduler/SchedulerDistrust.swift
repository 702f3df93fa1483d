import Protocol

// A machine that got other bytes than two others is set aside: it gets nothing more until somebody trusts it again
// (`readmit`). What it did alone in runs that go on is made again: tasks that nobody has confirmed; sessions from the
// last checkpoint that somebody has confirmed; and whatever was made of them.

extension Scheduler {
    mutating func setAside(_ machine: MachineName, _ why: String, at nowMilliseconds: Int64) {
        guard aside[machine] == nil else { return }
        aside[machine] = why
        actions.append(.persist(.machineSetAside(machine, why)))
        for name in workers.keys.sorted() where name.machine == machine {
            for lease in holdings[name] { takeAway(lease, of: name, at: nowMilliseconds) }
            reserveAnew(for: name, at: nowMilliseconds)
        }
        for run in Array(activeRuns) { makeAgain(whatWasDoneOn: machine, in: run, at: nowMilliseconds) }
        isWorkNew = true
    }

    mutating func readmit(_ machine: MachineName) {
        guard aside.removeValue(forKey: machine) != nil else {
            return answerRefusal(
                .unknown, "no machine '\(machine)' is set aside; `quintet status` lists those that are")
        }
        actions.append(.persist(.machineReadmitted(machine)))
        actions.append(.answer(.accepted))
    }

    private mutating func takeAway(_ lease: Lease, of name: WorkerName, at nowMilliseconds: Int64) {
        if let check = checks.check(under: lease) {
            return endCheckLease(check, isRevoked: true, at: nowMilliseconds)
        }
        guard liveLease(lease) != nil else { return }
        actions.append(.persist(.leaseEnded(lease, name, .revoked("its machine is set aside"))))
        revoke(lease, of: name)
        if works[lease.work]!.backup != nil { return dropOne(lease) }
        makeReady(lease.work, at: nowMilliseconds)
    }

    private mutating func makeAgain(whatWasDoneOn machine: MachineName, in run: RunID, at nowMilliseconds: Int64) {
        var again: Set<WorkID> = []
        for id in runs[run]!.works where isDoubtful(id, machine) && !isCollected(id, of: run) {
            collect(id, into: &again)
        }
        guard !again.isEmpty else { return }
        for id in again.sorted() { begin(anew: id) }
        for check in checks.all(of: run) where again.contains(check.work) {
            dropCheck(check, "what it looked at is made again", isMissed: false)
        }
        let kept = again.sorted().map { RemadeWork(work: $0, checkpoint: works[$0]!.checkpoint) }
        actions.append(.persist(.worksMadeAgain(run, kept, "'\(machine)' is set aside")))
        for id in again.sorted() { beginIfSupplied(id, at: nowMilliseconds) }
    }

    private func isDoubtful(_ id: WorkID, _ machine: MachineName) -> Bool {
        guard let work = works[id], !work.isConfirmed, work.state == .done || !work.state.isFinal else { return false }
        return work.kind == .session ? work.makers.contains(machine) : work.state == .done && work.madeOn == machine
    }

    /// With what was made of it, and with what it needs and is not there any more.
    private func collect(_ id: WorkID, into again: inout Set<WorkID>) {
        guard again.insert(id).inserted else { return }
        let work = works[id]!
        for consumer in consumers(of: work) {
            guard let state = works.state(of: consumer), state != .waiting, state != .cancelled else { continue }
            collect(consumer, into: &again)
        }
        for producer in producers(of: work) where works.state(of: producer) == .done {
            guard step(of: works[producer]!).keep == .untilConsumed, works[producer]!.outputs.isEmpty else { continue }
            collect(producer, into: &again)
        }
    }

    /// Back to waiting, a session to the last checkpoint that somebody has confirmed.
    private mutating func begin(anew id: WorkID) {
        let work = works[id]!
        for lease in work.liveLeases {
            actions.append(.persist(.leaseEnded(work.id(of: lease), lease.worker, .revoked("it begins anew"))))
            revoke(work.id(of: lease), of: lease.worker)
        }
        if !work.state.isFinal { leave(id) }
        if work.state == .done, runs[work.run]!.isLastOfItem(work.step) { runs[work.run]!.concludedCount -= 1 }
        set(id, .waiting)
        (works[id]!.lease, works[id]!.backup, works[id]!.outputs) = (nil, nil, [])
        (works[id]!.doneBy, works[id]!.doneEpoch, works[id]!.madeOn) = (nil, nil, nil)
        works[id]!.isConfirmed = false
        works[id]!.makers = []
        works[id]!.forgetAttempts()
        works[id]!.checkpoints = work.trusted.map { [$0] } ?? []
    }
}

/// A work that is made again because its maker is not to be trusted.
package struct RemadeWork: Hashable, Sendable {
    package var work: WorkID
    /// Session: where it goes on from; nil: from its beginning.
    package var checkpoint: Checkpoint?
}
