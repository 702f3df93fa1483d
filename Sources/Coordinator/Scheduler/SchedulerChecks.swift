import Protocol

// Spot checks. The same work gives the same bytes on every machine, so what a machine has made can be looked at by
// doing it again elsewhere: a share of the tasks, and of the ways from one checkpoint of a session to the next, which
// the run asks for (`verifyShare`). A backup that was beaten and is chosen goes on to be compared. Where two machines
// disagree, a third one is asked; whoever is alone is set aside (SchedulerDistrust.swift). A run ends when its checks
// have ended, or nobody is there who could do them.

extension Scheduler {
    /// So many of one session at a time: each keeps two checkpoints.
    private static let checksOfASessionMax = 2
    /// So often it fails, and nobody looks: what it begins with may be damaged here, and the work itself goes on.
    private static let failuresMax = 3
    /// So many answers that all differ, and nobody knows.
    private static let opinionsMax = 5

    /// Whether a piece of work is one of the share that is looked at: the same ones whenever it is asked.
    private func isChosen(_ work: WorkRecord, until: UInt32) -> Bool {
        let request = runs[work.run]!.request
        guard request.verifyShare > 0, work.kind != .vote else { return false }
        var z = request.seed ^ UInt64(work.step) << 56 ^ UInt64(work.index) << 32 ^ UInt64(until)
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Double((z ^ (z >> 31)) >> 11) * 0x1p-53 < request.verifyShare
    }

    // MARK: - What is looked at

    /// A checkpoint was accepted: the way to it from the one that the same lease has begun with, or saved before. Not
    /// that of the last iteration, which a worker leaves that is asked to go at that moment: whoever looks at so many
    /// iterations answers with the result (`Assignment.checkedUntil`), and the end is looked at from the one before.
    /// - Parameter kept: the checkpoints of the work that were there before it.
    mutating func considerCheck(
        of lease: Lease, to target: Checkpoint, by name: WorkerName, among kept: [Checkpoint],
        at nowMilliseconds: Int64
    ) {
        guard target.iteration < step(of: works[lease.work]!).iterationCount else { return }
        let own = works[lease.work]!.lease(lease.epoch)
        changeLeases(of: lease.work) { if $0.epoch == lease.epoch { ($0.base, $0.isBaseKnown) = (target, true) } }
        guard let own, isChosen(works[lease.work]!, until: target.iteration) else { return }
        addCheck(
            of: lease.work, under: own, among: kept, target: target, until: target.iteration,
            Opinion(worker: name, digests: [target.blob.digest]), at: nowMilliseconds)
    }

    /// A result was accepted.
    /// - Parameters:
    ///   - own: the lease under which it came.
    ///   - kept: the checkpoints of the work that were there before it.
    mutating func considerCheck(
        of result: WorkResult, under own: LeaseRecord?, by name: WorkerName, among kept: [Checkpoint],
        at nowMilliseconds: Int64
    ) {
        let work = works[result.lease.work]!, until = step(of: work).iterationCount
        guard let own, isChosen(work, until: until) else { return }
        addCheck(
            of: work.id, under: own, among: kept, target: nil, until: until,
            Opinion(worker: name, digests: result.outputs.map(\.digest)), at: nowMilliseconds)
    }

    private mutating func addCheck(
        of id: WorkID, under own: LeaseRecord, among kept: [Checkpoint], target: Checkpoint?, until: UInt32,
        _ opinion: Opinion, at nowMilliseconds: Int64
    ) {
        var base = own.base
        if works[id]!.kind == .session {
            // Without the file to begin with, nobody can.
            guard own.isBaseKnown, base.map(kept.contains) ?? true else { return }
            guard let free = makeRoom(id, behind: base, for: opinion) else { return }
            base = free
        }
        var check = Check(
            id: WorkID(nextWork), run: works[id]!.run, work: id, base: base, target: target, until: until,
            arithmetic: workers[opinion.worker]?.facts.arithmetic, opinions: [opinion])
        check.waitingSinceMilliseconds = nowMilliseconds
        nextWork += 1
        checks.insert(check)
        actions.append(.persist(.checkAdded(check)))
        isWorkNew = true
    }

    /// Where too many wait for the same session, the last one goes and the new one begins where it did: one look at
    /// both, if one worker has made both, so that nobody is blamed for another.
    /// - Returns: where to begin; nil where there is no room.
    private mutating func makeRoom(_ id: WorkID, behind base: Checkpoint?, for opinion: Opinion) -> Checkpoint?? {
        guard checks.count(of: id) >= Self.checksOfASessionMax, let last = checks.all(of: id).last else { return base }
        guard last.lease == nil, last.opinions.map(\.worker) == [opinion.worker], last.target == base, base != nil
        else { return nil }
        checks.remove(last.id)
        let why = "it is looked at together with what follows"
        actions.append(.persist(.checkDropped(last.id, id, why, isMissed: false)))
        return .some(last.base)
    }

    /// The other one of two leases, whose result came too late: it goes on, where its work is to be looked at anyway.
    /// - Returns: false where it does not.
    mutating func goesOnToBeCompared(_ lease: LeaseRecord, on work: WorkRecord) -> Bool {
        guard work.kind == .task, !lease.hasLapsed, let check = checks.all(of: work.id).first, check.lease == nil,
            !check.machines.contains(lease.worker.machine)
        else { return false }
        let id = work.id(of: lease)
        checks.change(check.id) { ($0.lease, $0.beaten) = (lease, id) }
        holdings.add(id, of: lease.worker)
        return true
    }

    // MARK: - Who looks

    /// Whether a worker's word about it would be one more.
    private func mayCheck(_ check: Check, _ worker: WorkerRecord) -> Bool {
        let machine = worker.name.machine
        return worker.isConnected && !worker.isLeaving && aside[machine] == nil && !check.machines.contains(machine)
            && fits(runs[check.run]!, worker) && worker.facts.arithmetic == check.arithmetic
    }

    func chooseCheck(for name: WorkerName, isAhead: Bool, at nowMilliseconds: Int64) -> WorkID? {
        guard !checks.isEmpty else { return nil }
        let worker = workers[name]!
        return checks.first(for: name.machine) { check in
            mayCheck(check, worker) && checks.isNext(check) && !runs[check.run]!.isPaused
                && nowMilliseconds >= check.avoided[name] ?? 0
                && !(isAhead && works[check.work]!.kind == .session)
        }?.id
    }

    mutating func grantCheck(_ id: WorkID, to name: WorkerName, at nowMilliseconds: Int64) {
        checks.change(id) {
            $0.epoch += 1
            $0.lease = LeaseRecord(
                worker: name, epoch: $0.epoch, grantedMilliseconds: nowMilliseconds,
                expiresMilliseconds: nowMilliseconds + configuration.leaseMilliseconds)
        }
        let check = checks[id]!, lease = check.heldLease
        idle.remove(name)
        holdings.add(lease, of: name)
        actions.append(.persist(.checkLeased(lease, name, of: check.work)))
        let assignment = Assignment(
            lease: lease, description: describe(works[check.work]!), resume: check.base,
            checkpointSeconds: runs[check.run]!.request.checkpointSeconds, checkedUntil: check.until)
        actions.append(.send(.assignment(assignment), to: name))
    }

    /// Its worker does not do it any more; somebody else may.
    mutating func endCheckLease(_ check: Check, isRevoked: Bool = false, at nowMilliseconds: Int64) {
        guard let lease = check.lease else { return }
        holdings.remove(check.heldLease, of: lease.worker)
        if isRevoked { revoke(check.heldLease, of: lease.worker) }
        checks.change(check.id) {
            ($0.lease, $0.beaten, $0.waitingSinceMilliseconds) = (nil, nil, nowMilliseconds)
        }
        isWorkNew = true
    }

    mutating func surrenderCheck(
        _ check: Check, _ name: WorkerName, _ reason: SurrenderReason, _ message: String, at nowMilliseconds: Int64
    ) {
        endCheckLease(check, at: nowMilliseconds)
        guard reason != .drained else { return }
        checks.change(check.id) {
            $0.failureCount += 1
            $0.avoided[name] = nowMilliseconds + configuration.retryMilliseconds
        }
        if checks[check.id]!.failureCount >= Self.failuresMax {
            dropCheck(check, "it failed on '\(name)': \(message)")
        }
    }

    // MARK: - What comes out

    mutating func finishCheck(_ check: Check, _ name: WorkerName, _ result: WorkResult, at nowMilliseconds: Int64) {
        if check.beaten != nil { for blob in result.outputs { actions.append(.discard(blob.digest)) } }
        endCheckLease(check, at: nowMilliseconds)
        actions.append(.answer(.accepted))
        checks.change(check.id) {
            $0.opinions.append(Opinion(worker: name, digests: result.outputs.map(\.digest)))
        }
        let opinions = checks[check.id]!.opinions
        guard let (right, liars) = checks[check.id]!.verdict else {
            actions.append(.persist(.checkDiffers(check.id, check.work, opinions)))
            if opinions.count >= Self.opinionsMax { dropCheck(check, "\(opinions.count) machines differ") }
            return
        }
        let isRight = opinions[0].digests == right
        // What comes behind a checkpoint that nobody has looked at may be right and of no use.
        let isConfirming = isRight && check.base == works[check.work]?.trusted
        checks.remove(check.id)
        if isConfirming { confirm(check) }
        actions.append(
            .persist(.checkEnded(check.id, check.work, opinions, isRight: isRight, isConfirming: isConfirming)))
        for machine in liars {
            let others = opinions.filter { $0.digests == right }.map { "'\($0.worker)'" }.joined(separator: " and ")
            setAside(machine, "it got other bytes than \(others) for \(what(check))", at: nowMilliseconds)
        }
        endCheck(check)
    }

    /// Its work may have been made anew meanwhile, or its run may be over.
    private mutating func endCheck(_ check: Check) {
        guard let work = works[check.work] else { return }
        for producer in producers(of: work) { releaseIfConsumed(producer) }
        settle(after: check.work)
        endRunIfComplete(check.run)
    }

    mutating func dropCheck(_ check: Check, _ why: String, isMissed: Bool = true) {
        if let lease = checks[check.id]?.lease {
            holdings.remove(check.heldLease, of: lease.worker)
            revoke(check.heldLease, of: lease.worker)
        }
        checks.remove(check.id)
        actions.append(.persist(.checkDropped(check.id, check.work, why, isMissed: isMissed)))
        endCheck(check)
    }

    /// What it begins with is gone or damaged on the coordinator's disk.
    /// - Parameter wasSent: false: its worker has not heard of it, and waits for work.
    mutating func dropDamaged(_ check: Check, wasSent: Bool) {
        dropCheck(check, "the checkpoint that it begins with is gone or damaged")
        if !wasSent, let worker = check.lease?.worker { becomeIdle(worker) }
    }

    private mutating func confirm(_ check: Check) {
        guard let target = check.target else {
            works[check.work]!.isConfirmed = true
            return
        }
        works[check.work]!.trusted = target
    }

    /// For people.
    private func what(_ check: Check) -> String {
        let work = works[check.work]!
        let part = check.until > 0 ? ", iterations \((check.base?.iteration ?? 0) + 1) to \(check.until)" : ""
        return "\(step(of: work).label) of \(name(of: work))\(part), \(check.run)"
    }

    // MARK: - Time

    /// Leases that have run out; and what a run waits for in vain.
    mutating func tickChecks(at nowMilliseconds: Int64) {
        guard !checks.isEmpty else { return }
        for check in checks.leased where check.lease!.expiresMilliseconds <= nowMilliseconds {
            endCheckLease(check, at: nowMilliseconds)
        }
        for run in activeRuns where runs[run]!.remainingCount == 0 && !runs[run]!.isOpen {
            for check in checks.all(of: run) where check.lease == nil {
                guard nowMilliseconds >= check.waitingSinceMilliseconds + configuration.leaseMilliseconds,
                    !workers.values.contains(where: { mayCheck(check, $0) })
                else { continue }
                let count = check.opinions.count
                dropCheck(
                    check, (count > 1 ? "\(count) machines differ, and " : "")
                        + "no other machine of the same arithmetic is there that could do it")
            }
        }
    }
}
