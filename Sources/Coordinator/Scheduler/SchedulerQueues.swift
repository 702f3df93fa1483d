import Protocol

// Work that waits at a worker behind what it computes: a worker may ask ahead, so that it fetches the next piece of
// work meanwhile. Who is idle altogether gets what is ready before those, a session never waits behind another piece
// of work, and a worker whose latest ballots are just being counted waits for them: it still holds what it prepared,
// which the next item would push out. What waits is not slow: its time counts from when it is its worker's first.
// Behind a straggler nothing waits. Where a worker is idle and nothing is ready, it gets what waits elsewhere if that
// ends it sooner.

extension Scheduler {
    /// Whether its latest result is being voted on, in a moment.
    func awaitsItsVote(_ name: WorkerName) -> Bool {
        guard let latest = workers[name]?.latestDone, let work = works[latest], step(of: work).fan == .item else {
            return false
        }
        return consumers(of: work).contains { works[$0]!.state == .voting }
    }

    /// A worker computes in the order in which it was given its work.
    mutating func noteBeginnings(at nowMilliseconds: Int64) {
        for name in holdings.takeChanged() {
            guard let first = holdings[name].first else { continue }
            changeHeld(first) { if $0.begunMilliseconds == nil { $0.begunMilliseconds = nowMilliseconds } }
        }
    }

    // MARK: - Moving

    /// Whether a worker takes so much longer than others that its work would get a backup, by what it does or did
    /// last. Where there are no others, nobody is slow.
    func isSlow(_ name: WorkerName, at nowMilliseconds: Int64) -> Bool {
        let share = configuration.backupShare
        guard workers.values.contains(where: { $0.isConnected && !$0.isLeaving && $0.name != name }) else {
            return false
        }
        if let worker = workers[name], worker.slowness * share > 1 { return true }
        return holdings[name].contains { held in
            guard let lease = liveLease(held), lease.begunMilliseconds != nil,
                let pace = pace(of: lease, on: works[held.work]!, at: nowMilliseconds),
                let usual = usualStepMilliseconds(of: works[held.work]!, at: nowMilliseconds)
            else { return false }
            return pace.leftMilliseconds * share > usual
        }
    }

    /// Works that wait behind another one of their worker's, and run nowhere else.
    private var waitingWorks: [WorkID] {
        leased.filter { id in
            guard let lease = works[id]!.lease, works[id]!.backup == nil else { return false }
            return isWaiting(lease)
        }
    }

    private mutating func takeBackFromTheSlow(at nowMilliseconds: Int64) {
        for id in waitingWorks where isSlow(works[id]!.lease!.worker, at: nowMilliseconds) {
            takeBack(id, "it waited behind a straggler", at: nowMilliseconds)
        }
        assignReadyWork(at: nowMilliseconds)
    }

    /// What is ready goes first.
    mutating func moveWaitingWork(at nowMilliseconds: Int64) {
        takeBackFromTheSlow(at: nowMilliseconds)
        let free = idle.all.filter { !holdings.isBusy($0) }
        var waiting = free.isEmpty ? [] : waitingWorks
        for name in free where !waiting.isEmpty {
            guard let work = choose(from: waiting, for: name, at: nowMilliseconds) else { continue }
            waiting.removeAll { $0 == work }
            takeBack(work, "it waited, and '\(name)' had nothing to do", at: nowMilliseconds)
            grant(work, to: name, at: nowMilliseconds)
        }
    }

    private func choose(from waiting: [WorkID], for name: WorkerName, at nowMilliseconds: Int64) -> WorkID? {
        var best: (work: WorkID, gain: Double)?
        for id in waiting {
            let work = works[id]!
            guard let lease = work.lease, !runs[work.run]!.isPaused,
                lease.worker != name, !isWithheld(id, from: name, at: nowMilliseconds)
            else { continue }
            let gain = gain(ofMoving: work, lease, to: name, at: nowMilliseconds)
            if gain > best?.gain ?? 0 { best = (id, gain) }
        }
        return best?.work
    }

    /// Its worker may have begun while the result before is still on its way here.
    private func isWaiting(_ lease: LeaseRecord) -> Bool {
        lease.begunMilliseconds == nil && lease.progress?.fraction ?? 0 == 0
    }

    /// How much sooner the idle worker would end it; without end where nobody knows how long its worker still needs.
    private func gain(
        ofMoving work: WorkRecord, _ lease: LeaseRecord, to name: WorkerName, at nowMilliseconds: Int64
    ) -> Double {
        var there = 0.0
        for held in holdings[lease.worker] {
            guard let other = liveLease(held), other.begunMilliseconds != nil else { continue }
            there += left(of: other, on: works[held.work]!, at: nowMilliseconds)
        }
        guard let usual = usualStepMilliseconds(of: work, at: nowMilliseconds) else { return there }
        let (fromThere, fromHere) = (workers[lease.worker]?.slowness ?? 1, workers[name]?.slowness ?? 1)
        return there + usual * (fromThere - fromHere)
    }

    private func left(of lease: LeaseRecord, on work: WorkRecord, at nowMilliseconds: Int64) -> Double {
        if let pace = pace(of: lease, on: work, at: nowMilliseconds) { return pace.leftMilliseconds }
        guard work.kind != .session, let begun = lease.begunMilliseconds,
            let usual = usualStepMilliseconds(of: work, at: nowMilliseconds)
        else { return .infinity }
        return max(0, usual * (workers[lease.worker]?.slowness ?? 1) - Double(nowMilliseconds - begun))
    }

    // MARK: - Ending

    /// It was not begun, so nobody is to blame, and there is nothing to come back to.
    mutating func endWaiting(_ id: WorkID, _ lease: LeaseRecord, _ why: String, at nowMilliseconds: Int64) {
        let ended = works[id]!.id(of: lease)
        actions.append(.persist(.leaseEnded(ended, lease.worker, .revoked(why))))
        if works[id]!.liveLeases.count > 1 { return dropOne(ended) }
        makeReady(id, at: nowMilliseconds)
    }

    /// Its worker has fallen silent.
    mutating func endAllWaiting(at name: WorkerName, _ nowMilliseconds: Int64) {
        for held in holdings[name] {
            guard let lease = liveLease(held), lease.begunMilliseconds == nil else { continue }
            endWaiting(held.work, lease, "its worker has fallen silent", at: nowMilliseconds)
        }
    }
}
