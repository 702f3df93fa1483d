import Protocol

// Who gets what.

extension Scheduler {
    mutating func assignReadyWork(at nowMilliseconds: Int64) {
        guard !activeRuns.isEmpty, !idle.isEmpty else { return }
        let order = runsInOrder, busy = workersWithLeases
        for name in idle where !busy.contains(name) {
            guard let work = choose(for: name, in: order, at: nowMilliseconds) else { continue }
            grant(work, to: name, at: nowMilliseconds)
        }
        for name in idle where busy.contains(name) && !awaitsItsVote(name) {
            guard let work = choose(for: name, isAhead: true, in: order, at: nowMilliseconds),
                !isSlow(name, at: nowMilliseconds)
            else { continue }
            grant(work, to: name, at: nowMilliseconds)
        }
    }

    /// What is ready goes first; the others may help where somebody is slow.
    mutating func assignBackups(at nowMilliseconds: Int64) {
        let busy = workersWithLeases
        for name in idle where !busy.contains(name) {
            guard let (work, why) = chooseBackup(for: name, at: nowMilliseconds) else { continue }
            grantBackup(work, to: name, why, at: nowMilliseconds)
        }
    }

    /// The next piece of work for an idle worker, in the order that the scheduler's comment states.
    /// - Parameter isAhead: it still computes another: no training is to wait behind that.
    private func choose(
        for name: WorkerName, isAhead: Bool = false, in order: [RunID], at nowMilliseconds: Int64
    ) -> WorkID? {
        for run in order {
            for step in runs[run]!.plan.steps.indices.reversed() where runs[run]!.plan.steps[step].affinity != nil {
                let own = runs[run]!.ready[step].first {
                    holder(for: $0) == name && !isWithheld($0, from: name, at: nowMilliseconds)
                }
                if let own { return own }
            }
        }
        for run in order {
            for step in runs[run]!.plan.steps.indices.reversed()
            where !(isAhead && runs[run]!.plan.steps[step].kind == .session) {
                let next = runs[run]!.ready[step].first {
                    !isWithheld($0, from: name, at: nowMilliseconds) && !isReserved($0, at: nowMilliseconds)
                }
                if let next { return next }
            }
        }
        return nil
    }

    /// Those that get leases, the most urgent first.
    private var runsInOrder: [RunID] {
        activeRuns.filter { !runs[$0]!.isPaused }.sorted {
            (-Int64(runs[$0]!.priority), $0) < (-Int64(runs[$1]!.priority), $1)
        }
    }

    /// Who still holds something of the same item or replica.
    private func holder(for work: WorkID) -> WorkerName? {
        let record = works[work]!
        guard let affinity = step(of: record).affinity else { return nil }
        return works[runs[record.run]!.work(affinity, record.index)]!.doneBy
    }

    /// Whether a piece of work still waits for the worker that holds something of it.
    private func isReserved(_ work: WorkID, at nowMilliseconds: Int64) -> Bool {
        guard let holder = holder(for: work), workers[holder]?.isConnected == true else { return false }
        if isWithheld(work, from: holder, at: nowMilliseconds) { return false }
        return nowMilliseconds < works[work]!.readySinceMilliseconds + configuration.preferenceMilliseconds
    }

    func isWithheld(_ work: WorkID, from name: WorkerName, at nowMilliseconds: Int64) -> Bool {
        let record = works[work]!
        return record.isBeingVerified || isAvoided(work, by: name, at: nowMilliseconds)
            || !fits(record, workers[name]!) || computesOtherwise(record, workers[name]!)
            || isLeftToOthers(record, by: name)
    }

    private func isAvoided(_ work: WorkID, by name: WorkerName, at nowMilliseconds: Int64) -> Bool {
        guard let until = works[work]!.avoided[name] else { return false }
        return nowMilliseconds < until
    }

    mutating func grant(_ id: WorkID, to name: WorkerName, at nowMilliseconds: Int64) {
        leave(id)
        set(id, .leased)
        works[id]!.lease = newLease(on: id, to: name, at: nowMilliseconds)
        leased.insert(id)
        let run = works[id]!.run
        if runs[run]!.begunMilliseconds == nil { runs[run]!.begunMilliseconds = nowMilliseconds }
        chooseArithmetic(for: id, by: name)
        let lease = Lease(work: id, epoch: works[id]!.epoch)
        actions.append(.persist(.leaseGranted(lease, name, from: works[id]!.startIteration)))
        sendAssignment(lease, to: name)
    }

    private mutating func grantBackup(_ id: WorkID, to name: WorkerName, _ why: String, at nowMilliseconds: Int64) {
        works[id]!.backup = newLease(on: id, to: name, at: nowMilliseconds)
        let lease = Lease(work: id, epoch: works[id]!.epoch)
        actions.append(.persist(.backupGranted(lease, name, from: works[id]!.startIteration, why: why)))
        sendAssignment(lease, to: name)
    }

    private mutating func newLease(on id: WorkID, to name: WorkerName, at nowMilliseconds: Int64) -> LeaseRecord {
        works[id]!.epoch += 1
        workers[name]!.isIdle = false
        idle.removeAll { $0 == name }
        return LeaseRecord(
            worker: name, epoch: works[id]!.epoch, grantedMilliseconds: nowMilliseconds,
            expiresMilliseconds: nowMilliseconds + configuration.leaseMilliseconds)
    }

    mutating func sendAssignment(_ lease: Lease, to name: WorkerName) {
        let work = works[lease.work]!
        changeLeases(of: lease.work) {
            if $0.epoch == lease.epoch { $0.fetching = work.checkpoint.map { [$0.blob.digest] } ?? [] }
        }
        let assignment = Assignment(
            lease: lease, description: describe(work), resume: work.checkpoint,
            checkpointSeconds: runs[work.run]!.request.checkpointSeconds)
        actions.append(.send(.assignment(assignment), to: name))
    }

    /// Checkpoints whose files must not go yet, whatever has replaced them: somebody is about to begin with them.
    package var digestsBeingFetched: Set<ContentDigest> {
        Set(leased.flatMap { works[$0]!.liveLeases.flatMap(\.fetching) })
    }

    /// The description that determines a work's result; its inputs are all there.
    package func describe(_ work: WorkRecord) -> WorkDescription {
        let run = runs[work.run]!, step = run.plan.steps[work.step]
        return WorkDescription(
            run: work.run, recipe: run.request.recipe, step: step.label, kind: step.kind,
            replica: step.fan == .replica ? UInt16(work.index) : 0, seed: run.request.seed,
            parameters: run.request.parameters, inputs: step.inputs.flatMap { blobs(of: work, by: $0) })
    }

    /// What a work reads by one of its inputs.
    func blobs(of work: WorkRecord, by input: StepInput) -> [BlobReference] {
        let request = runs[work.run]!.request
        let all: [BlobReference] = switch input.source {
        case .run: request.inputs
        case .item: request.items[work.index].inputs
        case .step: producers(of: work, by: input).flatMap { works[$0]!.outputs }
        }
        return input.role.isEmpty ? all : all.filter { $0.role == input.role }
    }
}

extension WorkRecord {
    /// Where a new lease begins; nil outside sessions.
    var startIteration: UInt32? { kind == .session ? checkpoint?.iteration ?? 0 : nil }
}
