import Protocol

/// Decides who does what: events in, actions out. No clock, socket, file or random source is in here, so the whole
/// cluster's decisions can be replayed from a text, and thousands of hours of faults fit into a second.
///
/// **A run** carries out a plan: each of its steps becomes one piece of work, or one for each replica or item, which
/// waits for those that it reads (SchedulerPlans.swift). **A piece of work** is
/// a pure function of its description, so it does not matter who does it, nor how often. **A lease** is the right to do
/// it: see `LeaseRecord`. Each has a higher epoch than all before on the same work, and everything a worker says about
/// a piece of work carries the epoch; what does not match the latest one changes nothing.
///
/// **Order.** Runs of a higher priority go first, of the same priority older ones, whatever their kind: a long training
/// is not starved by the segmentations that are submitted after it, and what it leaves free, they get. A paused run
/// gets nothing. Within a run, later steps go before earlier ones, so that few items are under way at once. Where a
/// step has an affinity, whoever did the earlier step for the same item still holds something and gets it; if it is
/// not idle in `preferenceMilliseconds`, or has gone, anyone gets it. Among idle workers, the one longest
/// idle is first; those that ask ahead, while they still compute, come last (SchedulerQueues.swift).
///
/// **Failure.** Work that failed goes to another worker; the one on whom it failed may have it again only after
/// `retryMilliseconds`. If it reads what may have rotted on the coordinator's disk, nobody gets it before the shell has
/// looked; what is found damaged explains the failures, and they count no more. After `failuresMax` failures in a row
/// with no checkpoint in between, or `lossesMax` leases in a row that ran out with no checkpoint in
/// between (work that kills its workers), it is refused with the last message, and everything else goes on. One machine
/// alone refuses nothing: after three times on one machine it is left to the others, as long as one is there that has
/// not had its share (Attempts.swift). What needs more memory than a worker has is not sent there. Where
/// another lease on it runs at that moment, that one may end it first; its failure is then the last. Submitting the
/// same run again tries all its refused and cancelled work again, from the last checkpoint where there is one.
///
/// **Stragglers.** An idle worker for whom nothing is ready gets a second lease, a backup, on work whose worker is far
/// slower than usual (SchedulerBackups.swift). The first result wins; a training that has overtaken the other wins at
/// its next checkpoint.
///
/// **Restart.** `init(recovering:)` rebuilds it from the store. Leases that were running get a full lease time, in
/// which their workers reconnect and say that they still hold them.
package struct Scheduler: Sendable {
    package struct Configuration: Hashable, Sendable {
        /// A lease without a sign of life for so long has run out.
        package var leaseMilliseconds: Int64
        /// A lost connection shortens the leases of its worker to this.
        package var graceMilliseconds: Int64
        /// How long work waits for the worker that still holds something of it.
        package var preferenceMilliseconds: Int64 = 30_000
        /// How long a worker on whom a piece of work failed does not get it again.
        package var retryMilliseconds: Int64 = 10_000
        package var failuresMax = 3
        package var lossesMax = 20
        /// A backup is worth it where it would end in a share of the time that the first one still needs.
        package var backupShare = 0.5

        package init(leaseMilliseconds: Int64) {
            self.leaseMilliseconds = leaseMilliseconds
            self.graceMilliseconds = leaseMilliseconds
        }
    }

    /// A worker that has gone is forgotten after this.
    static let forgetMilliseconds: Int64 = 3_600_000

    package let configuration: Configuration
    package internal(set) var runs: [RunID: RunRecord] = [:]
    /// Runs that have ended and are in the store only.
    package internal(set) var archived: [RunID: ArchivedRun] = [:]
    package internal(set) var works = WorkTable()
    package internal(set) var workers: [WorkerName: WorkerRecord] = [:]
    /// Runs of state running, oldest first.
    var activeRuns = SortedList<RunID>()
    /// Works of state leased, in order of their numbers.
    package internal(set) var leased = SortedList<WorkID>()
    var idle = IdleQueue()
    /// The leases that run, by worker.
    package internal(set) var holdings = Holdings()
    /// By worker: what is ready and of which it still holds something (SchedulerReady.swift).
    package internal(set) var kept: [WorkerName: SortedList<WorkID>] = [:]
    /// What is done once more elsewhere (SchedulerChecks.swift).
    package internal(set) var checks = CheckBook()
    /// Machines that get nothing, and why (SchedulerDistrust.swift).
    package internal(set) var aside: [MachineName: String] = [:]
    /// Whether something may have become possible for workers that had asked before.
    var isWorkNew = false
    /// Those that have asked since work was last given out.
    var asking: Set<WorkerName> = []
    var runsByKey: [String: RunID] = [:]
    /// The moment of the event under way.
    var nowMilliseconds: Int64 = 0
    var nextRun: UInt64 = 1
    var nextWork: UInt64 = 1
    /// What the event under way has led to so far.
    var actions: [SchedulerAction] = []

    package init(configuration: Configuration) {
        self.configuration = configuration
    }

    /// The one door: an event and the time it happened, on a clock that never goes back.
    package mutating func apply(_ event: SchedulerEvent, at nowMilliseconds: Int64) -> [SchedulerAction] {
        self.nowMilliseconds = nowMilliseconds
        switch event {
        case .revive(let run): revive(run, at: nowMilliseconds)
        case .archive(let run): archive(run)
        case .submit(let request): submit(request, at: nowMilliseconds)
        case .appendItems(let run, let first, let items):
            appendItems(run, first: first, items, at: nowMilliseconds)
        case .closeItems(let run): closeItems(run, at: nowMilliseconds)
        case .collect(let run, let items): collect(items, of: run)
        case .cancel(let run): cancel(run)
        case .forget(let run): forget(run)
        case .pause(let run): pause(run)
        case .resume(let run): resume(run)
        case .prioritise(let run, let priority): prioritise(run, priority)
        case .readmit(let machine): readmit(machine)
        case .drain(let name): drain(name, at: nowMilliseconds)
        case .workerConnected(let name, let facts, let held):
            connect(name, facts, held: held, at: nowMilliseconds)
        case .workerDisconnected(let name): disconnect(name, at: nowMilliseconds)
        case .idle(let name): becomeIdle(name)
        case .heartbeat(let name, let progress): heartbeat(name, progress, at: nowMilliseconds)
        case .checkpointSaved(let name, let lease, let checkpoint, let metrics):
            saveCheckpoint(name, lease, checkpoint, metrics, at: nowMilliseconds)
        case .finished(let name, let result): finish(name, result, at: nowMilliseconds)
        case .surrendered(let name, let lease, let reason, let message):
            surrender(name, lease, reason, message, at: nowMilliseconds)
        case .voted(let work, let blob): acceptVote(work, blob, at: nowMilliseconds)
        case .voteFailed(let work, let message): retryVote(work, message, at: nowMilliseconds)
        case .inputDamaged(let work, let digest, let unsent):
            makeAgain(digest, for: work, unsent: unsent, at: nowMilliseconds)
        case .verified(let work): endVerification(of: work)
        case .wasAway: extendLeases(at: nowMilliseconds)
        case .tick: tick(at: nowMilliseconds)
        }
        if let name = event.workerName { workers[name]?.lastSeenMilliseconds = nowMilliseconds }
        if !event.isFrequent { isWorkNew = true }
        assignReadyWork(at: nowMilliseconds)
        noteBeginnings(at: nowMilliseconds)
        if case .tick = event {
            moveWaitingWork(at: nowMilliseconds)
            assignBackups(at: nowMilliseconds)
            noteBeginnings(at: nowMilliseconds)
        }
        defer { actions = [] }
        return actions
    }

    // MARK: - Steps that several events share

    /// Ends a piece of work for good, without saying so to the store.
    mutating func conclude(_ id: WorkID, _ state: WorkState) {
        leave(id)
        set(id, state)
        works[id]!.lease = nil
        works[id]!.backup = nil
        let run = works[id]!.run, step = works[id]!.step
        if runs[run]!.isLastOfItem(step) { runs[run]!.concludedCount += 1 }
    }

    /// Takes a piece of work out of the lists that its state put it on.
    mutating func leave(_ id: WorkID) {
        let work = works[id]!
        precondition(!work.state.isFinal, "\(id) is \(work.state.name) and cannot change")
        switch work.state {
        case .ready: unlist(id)
        case .leased:
            leased.remove(id)
            for lease in work.liveLeases { holdings.remove(work.id(of: lease), of: lease.worker) }
        default: break
        }
    }

    /// - Parameter lapsed: the lease that its worker may revive.
    mutating func makeReady(_ id: WorkID, lapsed: LeaseRecord? = nil, at nowMilliseconds: Int64) {
        leave(id)
        set(id, .ready)
        works[id]!.lease = lapsed
        works[id]!.backup = nil
        works[id]!.readySinceMilliseconds = nowMilliseconds
        list(id, at: nowMilliseconds)
    }

    mutating func refuse(_ id: WorkID, _ cause: RefusalCause, _ message: String) {
        conclude(id, .refused(cause))
        actions.append(.persist(.workRefused(id, cause, message)))
        refuseConsumers(of: id, cause, message)
        settle(after: id)
        endRunIfComplete(works[id]!.run)
    }

    mutating func endRunIfComplete(_ id: RunID) {
        guard runs[id]!.state == .running, runs[id]!.remainingCount == 0, !runs[id]!.isOpen,
            checks.count(of: id) == 0
        else { return }
        leaveActive(id, .ended)
        actions.append(.persist(.runEnded(id, refusedCount: runs[id]!.refusedCount)))
    }

    mutating func leaveActive(_ id: RunID, _ state: RunState) {
        runs[id]!.state = state
        runs[id]!.endedMilliseconds = nowMilliseconds
        activeRuns.remove(id)
    }

    mutating func tick(at nowMilliseconds: Int64) {
        for id in leased {
            for lease in works[id]!.liveLeases.reversed() where lease.expiresMilliseconds <= nowMilliseconds {
                loseLease(id, lease, .lapsed, at: nowMilliseconds)
            }
        }
        endReservations(at: nowMilliseconds)
        tickChecks(at: nowMilliseconds)
        workers = workers.filter { name, worker in
            worker.isConnected || holdings.isBusy(name)
                || worker.lastSeenMilliseconds + Self.forgetMilliseconds > nowMilliseconds
        }
    }

    /// The coordinator itself stood still; its workers are not to blame. As after a restart, each gets a full lease
    /// time. Not more, however long it was: some leases may be new, and some workers dead.
    mutating func extendLeases(at nowMilliseconds: Int64) {
        let full = nowMilliseconds + configuration.leaseMilliseconds
        for id in leased { changeLeases(of: id) { $0.expiresMilliseconds = max($0.expiresMilliseconds, full) } }
        for check in checks.leased { checks.change(check.id) { $0.lease!.expiresMilliseconds = full } }
    }
}
