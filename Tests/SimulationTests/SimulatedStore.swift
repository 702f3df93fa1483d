import Coordinator
import Protocol

/// The store as a value: what Coordinator.Store writes into SQLite, by the same rules, epochs checked in the same
/// places. `Promises.checkRecovered` compares the two after every restart of a story that has both.
struct SimulatedStore {
    struct Refused: Error { var message: String }

    struct LeaseRow {
        var epoch: UInt64
        var worker: WorkerName
        /// nil while it runs.
        var outcome: String?

        var canRevive: Bool { outcome == "lapsed" || outcome == "not held" }
    }

    struct WorkRow {
        var record: WorkRecord
        var leases: [LeaseRow] = []
        /// Iterations whose figures are there.
        var metrics: Set<UInt32> = []
        /// Place on the run's list of outputs, from 1.
        var sequence: Int?
    }

    struct RunRow {
        var id: RunID
        var request: RunRequest
        var firstWork: WorkID
        var state: RunState = .running
        var isPaused = false
        var priority: Int32 = 0
    }

    var runs: [RunRow] = []
    /// Work n is at n - 1.
    var works: [WorkRow] = []
    private(set) var forgotten: Set<RunID> = []
    /// Counts commits.
    private(set) var version = 0
    /// Off only under a planted bug.
    var checksEpochs = true

    subscript(id: WorkID) -> WorkRow {
        get { works[Int(id.value) - 1] }
        set { works[Int(id.value) - 1] = newValue }
    }

    /// Writes the changes, all or none.
    /// - Returns: the blobs that nothing refers to any more.
    mutating func commit(_ changes: [StoreChange]) throws -> [ContentDigest] {
        var next = self
        next.version += 1
        var released: [ContentDigest] = []
        for change in changes { try next.write(change, &released) }
        self = next
        return released.filter { !refers(to: $0) }
    }

    private mutating func write(_ change: StoreChange, _ released: inout [ContentDigest]) throws {
        switch change {
        case .runAdded(let run, let request, let firstWork):
            runs.append(RunRow(id: run, request: request, firstWork: firstWork))
            works += Scheduler.makeWorks(run: run, request: request, firstWork: firstWork).map { WorkRow(record: $0) }
        case .runReopened(let run, let reopened):
            update(run) {
                $0.state = .running
                $0.isPaused = false
            }
            for one in reopened {
                self[one.work].record.state = one.state
                self[one.work].record.forgetAttempts()
                self[one.work].sequence = nil
            }
        case .runEnded(let run, _): update(run) { $0.state = .ended }
        case .runCancelled(let run): cancel(run)
        case .runForgotten(let run): forget(run, &released)
        case .runPaused(let run): update(run) { $0.isPaused = true }
        case .runResumed(let run): update(run) { $0.isPaused = false }
        case .runPrioritised(let run, let priority): update(run) { $0.priority = priority }
        case .leaseGranted(let lease, let worker, _): try grant(lease, worker, beside: 0)
        case .backupGranted(let lease, let worker, _, _): try grant(lease, worker, beside: 1)
        case .leaseEnded(let lease, let worker, let end): try endLease(lease, worker, end)
        case .leaseRevived(let lease, let worker):
            try requireCurrent(lease, worker, outcome: nil)
            self[lease.work].record.state = .leased
            self[lease.work].record.takeBackLoss(on: worker)
        case .checkpointAccepted(let lease, let worker, let checkpoint, let metrics):
            try accept(checkpoint, lease, worker, metrics, &released)
        case .checkpointDropped(let work, let iteration):
            self[work].record.forgetFailures()
            self[work].record.checkpoints.removeAll {
                if $0.iteration == iteration { released.append($0.blob.digest) }
                return $0.iteration == iteration
            }
        case .metricsAccepted(let lease, let worker, let metrics):
            try requireCurrent(lease, worker, outcome: nil)
            self[lease.work].metrics.formUnion(metrics.map(\.iteration))
        case .resultAccepted(let result, let worker): try accept(result, worker, &released)
        case .workReady(let work): self[work].record.state = .ready
        case .workVoting(let work):
            self[work].record.state = .voting
            self[work].record.forgetFailures()
            if let voted = self[work].record.voted { released.append(voted.digest) }
            self[work].record.voted = nil
        case .votesCounted(let work, let blob):
            self[work].record.state = .ready
            self[work].record.voted = blob
        case .votesDamaged(let finish, _): discardVotes(finish, &released)
        case .workRefused(let work, let cause, _): refuse(work, cause)
        case .messageRefused, .workerConnected, .workerDisconnected, .workerDrained: break
        }
    }

    private mutating func update(_ run: RunID, _ change: (inout RunRow) -> Void) {
        change(&runs[runs.firstIndex { $0.id == run }!])
    }

    func works(of run: RunRow) -> Range<Int> {
        let first = Int(run.firstWork.value) - 1
        return first..<first + run.request.workCount
    }

    private mutating func cancel(_ run: RunID) {
        update(run) { $0.state = .cancelled }
        for index in works(of: runs.first { $0.id == run }!) {
            endRunning(WorkID(UInt64(index + 1)), "revoked")
            if !works[index].record.state.isFinal { works[index].record.state = .cancelled }
        }
    }

    /// Its works keep their places, empty: their numbers are not given again.
    private mutating func forget(_ run: RunID, _ released: inout [ContentDigest]) {
        let row = runs.first { $0.id == run }!
        released += row.request.inputs.map(\.digest) + row.request.volumes.flatMap(\.inputs).map(\.digest)
        for index in works(of: row) {
            let record = works[index].record
            released += record.outputs.map(\.digest) + record.checkpoints.map(\.blob.digest)
            released += record.voted.map { [$0.digest] } ?? []
            works[index] = WorkRow(
                record: WorkRecord(
                    id: record.id, run: run, stage: record.stage, index: record.index, state: .cancelled))
        }
        runs.removeAll { $0.id == run }
        forgotten.insert(run)
    }

    /// Those of runs that are not forgotten.
    var keptWorks: [WorkRow] { forgotten.isEmpty ? works : works.filter { !forgotten.contains($0.record.run) } }

    var lastNumbers: LastNumbers {
        LastNumbers(run: UInt64(runs.count + forgotten.count), work: UInt64(works.count))
    }

    private mutating func endRunning(_ work: WorkID, _ outcome: String) {
        for index in self[work].leases.indices where self[work].leases[index].outcome == nil {
            self[work].leases[index].outcome = outcome
        }
    }

    private mutating func grant(_ lease: Lease, _ worker: WorkerName, beside runningCount: Int) throws {
        let row = self[lease.work]
        let state: WorkState = runningCount == 0 ? .ready : .leased
        let isFitting = row.record.state == state && row.leases.count { $0.outcome == nil } == runningCount
        if checksEpochs, !isFitting || row.record.epoch >= lease.epoch {
            throw Refused(message: "a lease under \(lease)")
        }
        self[lease.work].record.state = .leased
        self[lease.work].record.epoch = lease.epoch
        self[lease.work].leases.append(LeaseRow(epoch: lease.epoch, worker: worker))
    }

    private mutating func endLease(_ lease: Lease, _ worker: WorkerName, _ end: LeaseEnd) throws {
        let row = self[lease.work]
        let index = row.leases.lastIndex { $0.epoch == lease.epoch && $0.worker == worker }
        guard let index, row.leases[index].outcome == nil || row.leases[index].canRevive,
            row.record.state == .leased || row.record.state == .ready
        else { throw Refused(message: "an end under \(lease)") }
        self[lease.work].leases[index].outcome = end.word
        let isLeased = self[lease.work].leases.contains { $0.outcome == nil }
        self[lease.work].record.state = isLeased ? .leased : .ready
        if case .failed = end { self[lease.work].record.noteFailure(on: worker) }
        if end.isLoss { self[lease.work].record.noteLoss(on: worker) }
    }

    /// The epoch check inside the transaction.
    private mutating func requireCurrent(_ lease: Lease, _ worker: WorkerName, outcome: String?) throws {
        let row = self[lease.work]
        let index = row.leases.lastIndex { $0.epoch == lease.epoch && $0.worker == worker }
        guard let index else { throw Refused(message: "there never was \(lease) of \(worker)") }
        let isLatest = row.record.epoch == lease.epoch
        let isCurrent = (row.leases[index].outcome == nil || row.leases[index].canRevive && isLatest)
            && (row.record.state == .leased || row.record.state == .ready)
        if checksEpochs, !isCurrent { throw Refused(message: "\(lease) does not count") }
        self[lease.work].leases[index].outcome = outcome
    }

    private mutating func accept(
        _ checkpoint: Checkpoint, _ lease: Lease, _ worker: WorkerName, _ metrics: [TrainingMetric],
        _ released: inout [ContentDigest]
    ) throws {
        try requireCurrent(lease, worker, outcome: nil)
        let held = self[lease.work].record.checkpoints
        guard checkpoint.iteration > held.last?.iteration ?? 0 else {
            throw Refused(message: "a checkpoint of \(lease) that goes back")
        }
        self[lease.work].record.forgetAttempts()
        self[lease.work].record.checkpoints = Array((held + [checkpoint]).suffix(WorkRecord.checkpointsMax))
        released += held.dropLast(WorkRecord.checkpointsMax - 1).map(\.blob.digest)
        self[lease.work].metrics.formUnion(metrics.map(\.iteration))
    }

    private mutating func accept(
        _ result: WorkResult, _ worker: WorkerName, _ released: inout [ContentDigest]
    ) throws {
        let work = result.lease.work
        try requireCurrent(result.lease, worker, outcome: "done")
        self[work].record.state = .done
        self[work].record.doneBy = worker
        self[work].record.doneEpoch = result.lease.epoch
        self[work].record.outputs = result.outputs
        self[work].metrics.formUnion(result.metrics.map(\.iteration))
        giveSequence(work)
        released += self[work].record.checkpoints.map(\.blob.digest)
        self[work].record.checkpoints = []
        guard self[work].record.stage == .finish else { return }
        if let voted = self[work].record.voted { released.append(voted.digest) }
        self[work].record.voted = nil
        releaseOutputs(of: self[work].record.partner, &released)
    }

    private mutating func releaseOutputs(of work: WorkID, _ released: inout [ContentDigest]) {
        released += self[work].record.outputs.map(\.digest)
        self[work].record.outputs = []
    }

    private mutating func discardVotes(_ finish: WorkID, _ released: inout [ContentDigest]) {
        let predict = self[finish].record.partner
        releaseOutputs(of: predict, &released)
        self[finish].record.state = .waiting
        self[predict].record.state = .ready
        self[predict].record.noteUselessResult()
    }

    private mutating func refuse(_ work: WorkID, _ cause: RefusalCause) {
        self[work].record.state = .refused(cause)
        endRunning(work, "refused")
        giveSequence(work)
    }

    private mutating func giveSequence(_ work: WorkID) {
        let row = self[work]
        if row.record.stage == .predict, row.record.state == .done { return }
        if row.record.stage == .finish, row.record.state == .refused(.dependency) { return }
        guard let run = runs.first(where: { $0.id == row.record.run }) else { return }  // a planted bug's
        self[work].sequence = (works[works(of: run)].compactMap(\.sequence).max() ?? 0) + 1
    }

    func refers(to digest: ContentDigest) -> Bool {
        for run in runs {
            if run.request.inputs.contains(where: { $0.digest == digest }) { return true }
            if run.request.volumes.contains(where: { $0.inputs.contains { $0.digest == digest } }) { return true }
        }
        return works.contains { row in
            row.record.voted?.digest == digest || row.record.outputs.contains { $0.digest == digest }
                || row.record.checkpoints.contains { $0.blob.digest == digest }
        }
    }

    // MARK: - Reading

    func recover() -> [RecoveredRun] {
        runs.map { run in
            RecoveredRun(
                id: run.id, request: run.request, firstWork: run.firstWork, state: run.state,
                isPaused: run.isPaused, priority: run.priority, works: works[works(of: run)].map(recovered))
        }
    }

    private func recovered(_ row: WorkRow) -> WorkRecord {
        var work = row.record
        if work.stage != .train && work.stage != .predict { work.outputs = [] }
        let running = row.leases.filter { $0.outcome == nil }
        work.lease = running.first.map(Self.record)
        work.backup = running.count > 1 ? Self.record(running[1]) : nil
        if let lease = row.leases.last(where: { $0.epoch == work.epoch }), lease.canRevive, work.state == .ready {
            work.lease = Self.record(lease)
        }
        if work.state != .done { work.doneEpoch = nil }
        return work
    }

    private static func record(_ lease: LeaseRow) -> LeaseRecord {
        var record = LeaseRecord(
            worker: lease.worker, epoch: lease.epoch, grantedMilliseconds: 0, expiresMilliseconds: 0)
        record.hasLapsed = lease.outcome != nil
        return record
    }

    /// The epoch under which a piece of work was done.
    func doneEpoch(of work: WorkID) -> UInt64? {
        guard self[work].record.state == .done else { return nil }
        return self[work].leases.last { $0.outcome == "done" }?.epoch
    }
}
