import Protocol

// What workers say about themselves and their leases.

extension Scheduler {
    /// What a lease that a worker names is worth.
    package enum Standing {
        /// It is the latest on its work and runs.
        case running
        /// It is the latest and has run out, and nobody else has the work.
        case lapsed
        /// The work is done, by this very lease.
        case accepted
        /// It counts for nothing; why, for the worker.
        case stale(String)
    }

    package func standing(of lease: Lease, of name: WorkerName) -> Standing {
        if let check = checks.check(under: lease) {
            let isIts = check.heldLease == lease && check.lease?.worker == name
            return isIts ? .running : .stale("\(lease) does not count any more")
        }
        guard let work = works[lease.work] else { return .stale("there is no \(lease.work)") }
        if work.state == .done {
            // Of one that is settled nobody knows any more who did it.
            if lease.epoch == work.doneEpoch && work.doneBy ?? name == name { return .accepted }
            return .stale("\(lease.work) was done under epoch \(work.doneEpoch ?? work.epoch)")
        }
        if work.state.isFinal { return .stale("\(lease.work) is \(work.state.name)") }
        if let backup = work.backup, backup.epoch == lease.epoch, backup.worker == name { return .running }
        guard let latest = work.lease, latest.epoch == lease.epoch, latest.worker == name else {
            return .stale("\(lease) does not count any more; the latest epoch is \(work.epoch)")
        }
        return latest.hasLapsed ? .lapsed : .running
    }

    mutating func connect(_ name: WorkerName, _ facts: WorkerFacts, held: [Lease], at nowMilliseconds: Int64) {
        let before = workers[name]
        workers[name] = WorkerRecord(
            name: name, facts: facts, isConnected: true, lastSeenMilliseconds: nowMilliseconds)
        if let before {
            workers[name]!.slowness = before.slowness
            workers[name]!.sinceMilliseconds = before.sinceMilliseconds
            workers[name]!.isLeaving = before.isLeaving
            workers[name]!.latestDone = before.latestDone
        }
        idle.remove(name)
        actions.append(.persist(.workerConnected(name, facts)))
        for lease in held { renewOrRevoke(lease, of: name, at: nowMilliseconds) }
        for lease in holdings[name].sorted(by: { $0.work < $1.work }) where !held.contains(lease) {
            if let check = checks.check(under: lease) { endCheckLease(check, at: nowMilliseconds) }
            guard let record = liveLease(lease) else { continue }
            loseLease(lease.work, record, .notHeld, at: nowMilliseconds)
        }
        reserveAnew(for: name, at: nowMilliseconds)
        if workers[name]!.isLeaving { actions.append(.send(.leave, to: name)) }
    }

    mutating func disconnect(_ name: WorkerName, at nowMilliseconds: Int64) {
        guard workers[name]?.isConnected == true else { return }
        workers[name]!.isConnected = false
        idle.remove(name)
        reserveAnew(for: name, at: nowMilliseconds)
        actions.append(.persist(.workerDisconnected(name)))
        let latest = nowMilliseconds + configuration.graceMilliseconds
        for lease in holdings[name] {
            changeHeld(lease) {
                if $0.worker == name { $0.expiresMilliseconds = min($0.expiresMilliseconds, latest) }
            }
        }
    }

    mutating func becomeIdle(_ name: WorkerName) {
        guard let worker = workers[name], worker.isConnected, !worker.isLeaving else { return }
        idle.append(name)
        asking.insert(name)
    }

    /// As it is now; nil where it has ended.
    func liveLease(_ lease: Lease) -> LeaseRecord? {
        works[lease.work]?.liveLeases.first { $0.epoch == lease.epoch }
    }

    mutating func heartbeat(_ name: WorkerName, _ progress: [LeaseProgress], at nowMilliseconds: Int64) {
        for one in progress {
            renewOrRevoke(one.lease, of: name, at: nowMilliseconds)
            guard works[one.lease.work]?.state == .leased else { continue }
            note(one, ofCheckpoint: false, by: name, at: nowMilliseconds)
        }
        actions.append(.answer(.heartbeatAnswer))
    }

    /// How far a lease is, as its worker says; its first step tells how long others may need to theirs.
    private mutating func note(
        _ progress: LeaseProgress, ofCheckpoint isOfCheckpoint: Bool, by name: WorkerName, at nowMilliseconds: Int64
    ) {
        var startMilliseconds: Int64?
        changeLeases(of: progress.lease.work) {
            guard $0.epoch == progress.lease.epoch, $0.worker == name else { return }
            let hadBegun = $0.hasBegun
            if isOfCheckpoint {
                $0.note(reached: progress, at: nowMilliseconds)
            } else {
                $0.note(progress, at: nowMilliseconds)
            }
            if !hadBegun, $0.hasBegun, !$0.isRecovered { startMilliseconds = nowMilliseconds - $0.grantedMilliseconds }
        }
        if let startMilliseconds { noteStart(of: progress.lease.work, milliseconds: Double(startMilliseconds)) }
    }

    /// Of a work or a check.
    mutating func changeHeld(_ lease: Lease, _ change: (inout LeaseRecord) -> Void) {
        guard let check = checks.check(under: lease) else {
            return changeLeases(of: lease.work) { if $0.epoch == lease.epoch { change(&$0) } }
        }
        checks.change(check.id) { if $0.lease != nil { change(&$0.lease!) } }
    }

    /// Both of a work that is leased, where there are two.
    mutating func changeLeases(of id: WorkID, _ change: (inout LeaseRecord) -> Void) {
        if var lease = works[id]!.lease {
            change(&lease)
            works[id]!.lease = lease
        }
        if var backup = works[id]!.backup {
            change(&backup)
            works[id]!.backup = backup
        }
    }

    private mutating func renewOrRevoke(_ lease: Lease, of name: WorkerName, at nowMilliseconds: Int64) {
        switch standing(of: lease, of: name) {
        case .running, .lapsed: renew(lease, at: nowMilliseconds)
        case .accepted: break  // its result is on the way to being acknowledged again
        case .stale: actions.append(.send(.revoke(lease), to: name))
        }
    }

    /// A sign of life of the holder of a lease that is running or has lapsed.
    private mutating func renew(_ lease: Lease, at nowMilliseconds: Int64) {
        let id = lease.work, full = nowMilliseconds + configuration.leaseMilliseconds
        guard checks.check(under: lease) == nil else { return changeHeld(lease) { $0.expiresMilliseconds = full } }
        if works[id]!.lease!.hasLapsed {
            leave(id)
            set(id, .leased)
            works[id]!.lease!.hasLapsed = false
            works[id]!.takeBackLoss(on: works[id]!.lease!.worker)
            leased.insert(id)
            holdings.add(lease, of: works[id]!.lease!.worker)
            actions.append(.persist(.leaseRevived(lease, works[id]!.lease!.worker)))
        }
        changeHeld(lease) { $0.expiresMilliseconds = full }
    }

    /// A running lease ends without its worker's word.
    mutating func loseLease(_ id: WorkID, _ lease: LeaseRecord, _ end: LeaseEnd, at nowMilliseconds: Int64) {
        let ended = Lease(work: id, epoch: lease.epoch)
        if lease.begunMilliseconds == nil { return endWaiting(id, lease, "lost where it waited", at: nowMilliseconds) }
        defer { if end == .lapsed { endAllWaiting(at: lease.worker, nowMilliseconds) } }
        if end == .lapsed {  // an assignment lost on the way is not the work's fault
            noteAttempt(of: id, under: lease)
            works[id]!.noteLoss(on: lease.worker)
        }
        if let other = works[id]!.liveLeases.first(where: { $0.epoch != lease.epoch }) {
            let why = "\(end.message); epoch \(other.epoch) of \(other.worker) goes on"
            let endBeside = end == .lapsed ? LeaseEnd.lapsedBeside(why) : .revoked(why)
            actions.append(.persist(.leaseEnded(ended, lease.worker, endBeside)))
            return dropOne(ended)
        }
        actions.append(.persist(.leaseEnded(ended, lease.worker, end)))
        if hasBeenLostTooOften(works[id]!) {
            let count = works[id]!.lossCount
            refuse(
                id, .failed,
                "\(count) workers in a row were lost while they did it, the last one '\(lease.worker)'; "
                    + "see their logs (memory?), then submit the run again")
        } else {
            // Only the latest can be revived.
            var lapsed = lease.epoch == works[id]!.epoch ? works[id]!.lease : nil
            lapsed?.hasLapsed = true
            makeReady(id, lapsed: lapsed, at: nowMilliseconds)
        }
    }

    mutating func saveCheckpoint(
        _ name: WorkerName, _ lease: Lease, _ checkpoint: Checkpoint, _ metrics: [IterationFigures],
        at nowMilliseconds: Int64
    ) {
        switch standing(of: lease, of: name) {
        case .accepted:
            actions.append(.discard(checkpoint.blob.digest))
            return actions.append(.answer(.accepted))
        case .stale(let why): return refuseStale(lease, name, why, uploaded: [checkpoint.blob])
        case .running, .lapsed: break
        }
        guard checks.check(under: lease) == nil else {
            return answerRefusal(.malformed, "a checkpoint under \(lease), which is a check")
        }
        let work = works[lease.work]!
        let iterationCount = step(of: work).iterationCount
        guard work.kind == .session, checkpoint.iteration <= iterationCount else {
            return answerRefusal(
                .malformed, "a checkpoint at iteration \(checkpoint.iteration) of \(lease) (\(step(of: work).label), "
                    + "\(iterationCount) iterations)")
        }
        renew(lease, at: nowMilliseconds)
        let reached = LeaseProgress(
            lease: lease, fraction: Double(checkpoint.iteration) / Double(max(iterationCount, 1)),
            iteration: checkpoint.iteration, note: "")
        note(reached, ofCheckpoint: true, by: name, at: nowMilliseconds)
        if checkpoint.iteration > work.checkpoint?.iteration ?? 0 {
            works[lease.work]!.checkpoints.append(checkpoint)
            if works[lease.work]!.checkpoints.count > WorkRecord.checkpointsMax {
                works[lease.work]!.checkpoints.removeFirst()
            }
            works[lease.work]!.forgetAttempts()
            if let last = metrics.last { works[lease.work]!.metric = last }
            works[lease.work]!.makers.insert(name.machine)
            actions.append(.persist(.checkpointAccepted(lease, name, checkpoint, metrics)))
            considerCheck(of: lease, to: checkpoint, by: name, among: work.checkpoints, at: nowMilliseconds)
            endOvertaken(by: lease, name, at: checkpoint.iteration, nowMilliseconds)
            if runs[work.run]!.isPaused, checkpoint.iteration < iterationCount {
                takeBack(lease.work, "its run is paused", at: nowMilliseconds)
            }
        } else {
            // The other of two is further; what it has saved is kept. This one's figures count.
            if !metrics.isEmpty { actions.append(.persist(.metricsAccepted(lease, name, metrics))) }
            actions.append(.discard(checkpoint.blob.digest))
        }
        actions.append(.answer(.accepted))
    }

    /// The one way back: what is damaged is no checkpoint. It is the reason for the failures so far, as far as one can
    /// tell.
    mutating func dropCheckpoint(of id: WorkID, _ digest: ContentDigest, unsent: Lease?) {
        guard let index = works[id]!.checkpoints.firstIndex(where: { $0.blob.digest == digest }) else { return }
        let iteration = works[id]!.checkpoints[index].iteration
        works[id]!.checkpoints.remove(at: index)
        works[id]!.forgetFailures()
        actions.append(.persist(.checkpointDropped(id, iteration: iteration)))
        guard let unsent, let lease = works[id]!.liveLeases.first(where: { $0.epoch == unsent.epoch }) else { return }
        sendAssignment(unsent, to: lease.worker)
    }

    mutating func finish(_ name: WorkerName, _ result: WorkResult, at nowMilliseconds: Int64) {
        let lease = result.lease
        switch standing(of: lease, of: name) {
        case .accepted: return actions.append(.answer(.accepted))
        case .stale(let why): return refuseStale(lease, name, why, uploaded: result.outputs)
        case .running, .lapsed: break
        }
        if let check = checks.check(under: lease) { return finishCheck(check, name, result, at: nowMilliseconds) }
        if let problem = problem(of: result) {
            renew(lease, at: nowMilliseconds)
            fail(lease, name, problem, at: nowMilliseconds)
            return answerRefusal(.malformed, problem)
        }
        notePace(of: lease, at: nowMilliseconds)
        let own = works[lease.work]!.lease(lease.epoch), checkpoints = works[lease.work]!.checkpoints
        let beaten = endOthers(
            than: lease, because: "epoch \(lease.epoch) of \(name) was quicker", isRevoking: false,
            at: nowMilliseconds)
        conclude(lease.work, .done)
        works[lease.work]!.doneBy = name
        works[lease.work]!.madeOn = name.machine
        if works[lease.work]!.kind == .session { works[lease.work]!.makers.insert(name.machine) }
        workers[name]?.latestDone = lease.work
        works[lease.work]!.doneEpoch = lease.epoch
        works[lease.work]!.outputs = runs[works[lease.work]!.run]!.readers[works[lease.work]!.step].isEmpty
            ? [] : result.outputs
        // As in the store: what led to a result is needed no more.
        works[lease.work]!.checkpoints = []
        if let last = result.metrics.last { works[lease.work]!.metric = last }
        actions.append(.persist(.resultAccepted(result, name)))
        actions.append(.answer(.accepted))
        considerCheck(of: result, under: own, by: name, among: checkpoints, at: nowMilliseconds)
        for other in beaten where !goesOnToBeCompared(other, on: works[lease.work]!) {
            revoke(Lease(work: lease.work, epoch: other.epoch), of: other.worker)
        }
        goOn(after: lease.work, at: nowMilliseconds)
    }

    /// What a result lacks. Those who read it must find what they ask for, or they would do with less.
    private func problem(of result: WorkResult) -> String? {
        let work = works[result.lease.work]!
        if work.kind == .session, result.outputs.isEmpty { return "the result of \(work.id) holds nothing" }
        if let (role, wanted) = ballotsWanted(of: work) {
            let count = role.isEmpty ? result.outputs.count : result.outputs.count { $0.role == role }
            if count != wanted { return "the result of \(work.id) holds \(count) votes; \(wanted) were asked for" }
        }
        let run = runs[work.run]!
        let wanted = run.readers[work.step].lazy.flatMap { run.plan.steps[$0].inputs }
            .filter { $0.source == .step(work.step) && !$0.role.isEmpty }.map(\.role)
        guard let role = wanted.first(where: { role in !result.outputs.contains { $0.role == role } }) else {
            return nil
        }
        return "the result of \(work.id) holds no '\(role)', which a later step reads"
    }

    private mutating func refuseStale(
        _ lease: Lease, _ name: WorkerName, _ why: String, uploaded: [BlobReference]
    ) {
        actions.append(.persist(.messageRefused(lease, name, why)))
        for blob in uploaded { actions.append(.discard(blob.digest)) }
        answerRefusal(.staleLease, "\(why); stop working on it")
    }

    mutating func surrender(
        _ name: WorkerName, _ lease: Lease, _ reason: SurrenderReason, _ message: String, at nowMilliseconds: Int64
    ) {
        defer { actions.append(.answer(.accepted)) }
        switch standing(of: lease, of: name) {
        case .accepted, .stale: return
        case .running, .lapsed: renew(lease, at: nowMilliseconds)
        }
        if let check = checks.check(under: lease) {
            idle.remove(name)
            return surrenderCheck(check, name, reason, message, at: nowMilliseconds)
        }
        // What it asked for ahead, it asks for again, after a rest perhaps; or it leaves.
        idle.remove(name)
        switch reason {
        case .drained:
            actions.append(.persist(.leaseEnded(lease, name, .drained)))
            if works[lease.work]!.backup != nil { return dropOne(lease) }
            makeReady(lease.work, at: nowMilliseconds)
        case .inputRefused:
            endOthers(than: lease, because: "the input is at fault", at: nowMilliseconds)
            refuse(lease.work, .input, message)
        case .failed: fail(lease, name, message, at: nowMilliseconds)
        }
    }

    /// It failed on one worker: elsewhere, a bounded number of times. Beside another lease, that one goes on and may
    /// well end it; the failure is counted all the same, or work that always fails would live for ever on backups.
    private mutating func fail(_ lease: Lease, _ name: WorkerName, _ message: String, at nowMilliseconds: Int64) {
        let id = lease.work
        works[id]!.avoided[name] = nowMilliseconds + configuration.retryMilliseconds
        if let record = works[id]!.liveLeases.first(where: { $0.epoch == lease.epoch }) {
            noteAttempt(of: id, under: record)
        }
        works[id]!.noteFailure(on: name)
        works[id]!.lastFailure = "on '\(name)': \(message)"
        if let other = works[id]!.liveLeases.first(where: { $0.epoch != lease.epoch }) {
            let end = LeaseEnd.failed("\(message); epoch \(other.epoch) of \(other.worker) goes on")
            actions.append(.persist(.leaseEnded(lease, name, end)))
            dropOne(lease)
            verifyInputs(of: id)
            return
        }
        actions.append(.persist(.leaseEnded(lease, name, .failed(message))))
        makeReady(id, at: nowMilliseconds)
        if !verifyInputs(of: id) { refuseIfFailedTooOften(id) }
    }
}
