import Protocol

// Who gets what.

extension Scheduler {
    /// Whoever has asked or lost a lease since the last time; all that wait, where something new is there for them.
    mutating func assignReadyWork(at nowMilliseconds: Int64) {
        guard !activeRuns.isEmpty, !idle.isEmpty else { return }
        let names = isWorkNew ? idle.all : idle.ordered(asking.union(holdings.changed))
        (isWorkNew, asking) = (false, [])
        let order = runsInOrder
        var isAnythingReady = isAnythingReady(in: order)
        let busy = names.filter(holdings.isBusy)
        for name in names where !holdings.isBusy(name) {
            if giveCheck(to: name, isAhead: false, at: nowMilliseconds) { continue }
            guard isAnythingReady || kept[name] != nil,
                let work = choose(for: name, in: order, at: nowMilliseconds)
            else { continue }
            grant(work, to: name, at: nowMilliseconds)
            isAnythingReady = self.isAnythingReady(in: order)
        }
        for name in busy where idle.contains(name) && !awaitsItsVote(name) {
            if giveCheck(to: name, isAhead: true, at: nowMilliseconds) { continue }
            guard isAnythingReady || kept[name] != nil,
                let work = choose(for: name, isAhead: true, in: order, at: nowMilliseconds),
                !isSlow(name, at: nowMilliseconds)
            else { continue }
            grant(work, to: name, at: nowMilliseconds)
            isAnythingReady = self.isAnythingReady(in: order)
        }
        isWorkNew = false
    }

    /// A check goes before everything else: the sooner it is known, the less is made again.
    private mutating func giveCheck(to name: WorkerName, isAhead: Bool, at nowMilliseconds: Int64) -> Bool {
        guard let check = chooseCheck(for: name, isAhead: isAhead, at: nowMilliseconds) else { return false }
        grantCheck(check, to: name, at: nowMilliseconds)
        return true
    }

    /// What is ready goes first; the others may help where somebody is slow.
    mutating func assignBackups(at nowMilliseconds: Int64) {
        let free = idle.all.filter { !holdings.isBusy($0) }
        guard !free.isEmpty else { return }
        var candidates = backupCandidates(at: nowMilliseconds)
        for name in free where !candidates.isEmpty {
            guard let place = choose(from: candidates, for: name, at: nowMilliseconds) else { continue }
            let chosen = candidates.remove(at: place)
            grantBackup(chosen.work, to: name, chosen.why, at: nowMilliseconds)
        }
    }

    /// The next piece of work for an idle worker, in the order that the scheduler's comment states.
    /// - Parameter isAhead: it still computes another: no training is to wait behind that.
    private func choose(
        for name: WorkerName, isAhead: Bool = false, in order: [RunID], at nowMilliseconds: Int64
    ) -> WorkID? {
        if let own = chooseKept(for: name, in: order, at: nowMilliseconds) { return own }
        let worker = workers[name]!
        for run in order where fits(runs[run]!, worker) {
            for step in runs[run]!.plan.steps.indices.reversed() where !runs[run]!.ready[step].isEmpty {
                if runs[run]!.plan.steps[step].kind == .session, isAhead || computesOtherwise(runs[run]!, worker) {
                    continue
                }
                let next = runs[run]!.ready[step].first { !isWithheld($0, from: name, at: nowMilliseconds) }
                if let next { return next }
            }
        }
        return nil
    }

    /// Of what a worker still holds something of: by the order of runs, later steps first.
    private func chooseKept(for name: WorkerName, in order: [RunID], at nowMilliseconds: Int64) -> WorkID? {
        guard let mine = kept[name] else { return nil }
        for run in order {
            let works = mine.lazy.map { self.works[$0]! }.filter {
                $0.run == run && !self.isWithheld($0.id, from: name, at: nowMilliseconds)
            }
            if let best = works.min(by: { (-$0.step, $0.id) < (-$1.step, $1.id) }) { return best.id }
        }
        return nil
    }

    /// Those that get leases, the most urgent first.
    private var runsInOrder: [RunID] {
        let urgencies = activeRuns.compactMap { id in
            let run = runs[id]!
            return run.isPaused ? nil : (-Int64(run.priority), id)
        }
        return urgencies.sorted(by: <).map(\.1)
    }

    func isWithheld(_ work: WorkID, from name: WorkerName, at nowMilliseconds: Int64) -> Bool {
        let record = works[work]!
        return record.isBeingVerified || aside[name.machine] != nil || isAvoided(work, by: name, at: nowMilliseconds)
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
        leased.insert(id)
        works[id]!.lease = newLease(on: id, to: name, at: nowMilliseconds)
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
        idle.remove(name)
        holdings.add(Lease(work: id, epoch: works[id]!.epoch), of: name)
        return LeaseRecord(
            worker: name, epoch: works[id]!.epoch, grantedMilliseconds: nowMilliseconds,
            expiresMilliseconds: nowMilliseconds + configuration.leaseMilliseconds)
    }

    mutating func sendAssignment(_ lease: Lease, to name: WorkerName) {
        let work = works[lease.work]!
        changeLeases(of: lease.work) {
            guard $0.epoch == lease.epoch else { return }
            $0.fetching = work.checkpoint.map { [$0.blob.digest] } ?? []
            ($0.base, $0.isBaseKnown) = (work.checkpoint, true)
        }
        let assignment = Assignment(
            lease: lease, description: describe(work), resume: work.checkpoint,
            checkpointSeconds: runs[work.run]!.request.checkpointSeconds, places: places(of: work),
            answerFolder: answerFolder(of: work))
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

    /// Where its item's inputs lie on a shared file system.
    func places(of work: WorkRecord) -> [SharedPlace] {
        let run = runs[work.run]!, step = run.plan.steps[work.step]
        guard step.fan == .item, step.inputs.contains(where: { $0.source == .item }) else { return [] }
        return run.request.items[work.index].places
    }

    /// Only an item's answer has its place on a shared file system: what other steps read is read here.
    func answerFolder(of work: WorkRecord) -> String {
        let run = runs[work.run]!
        return run.isLastOfItem(work.step) ? run.request.answerFolder : ""
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
