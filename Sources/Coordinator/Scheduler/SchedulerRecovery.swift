import Protocol

/// What the store remembers of a run.
package struct RecoveredRun: Sendable {
    package var id: RunID
    package var request: RunRequest
    package var firstWork: WorkID
    package var itemBlocks: [ItemBlock] = []
    package var state: RunState
    package var isPaused: Bool
    package var priority: Int32
    package var arithmetic: ContentDigest?
    /// All its works. A lease that was running has `expiresMilliseconds` 0.
    package var table = WorkTable()
    /// Items whose answers are safe with their client.
    package var collected: [Int] = []
    package var checks: [Check] = []

    /// As the scheduler knows it, without counts and lists.
    var record: RunRecord {
        var run = RunRecord(id: id, request: request, firstWork: firstWork, itemBlocks: itemBlocks)
        run.state = state
        run.isPaused = isPaused
        run.priority = priority
        run.arithmetic = arithmetic
        for item in collected { run.collect(item) }
        return run
    }

    /// Its works as they began: those of no item, and those of items that came together.
    var newWorks: [NewWorks] {
        let single = NewWorks(
            single: request.plan, replicaCount: request.replicaCount, run: id, firstWork: firstWork)
        return [single] + itemBlocks.indices.map { place in
            let end = place + 1 < itemBlocks.count ? itemBlocks[place + 1].item : request.items.count
            return NewWorks(
                of: request.plan, items: itemBlocks[place].item..<end, run: id, firstWork: itemBlocks[place].work)
        }
    }

    /// In the order of their numbers.
    package var works: [WorkRecord] { record.works.map { table[$0]! } }
}

/// A run that has ended. The store has the rest.
package struct ArchivedRun: Hashable, Sendable {
    package var id: RunID
    package var idempotencyKey: String
    /// ended or cancelled.
    package var state: RunState
}

/// Where runs are that have ended.
package protocol RunArchive {
    /// All of one run; nil where there is none of that number.
    func recover(_ run: RunID) throws -> RecoveredRun?
}

/// What a coordinator that starts goes on from.
package struct Recovery: Sendable {
    /// Those that go on, oldest first.
    package var runs: [RecoveredRun]
    /// The others, oldest first.
    package var archived: [ArchivedRun]
    package var lastNumbers = LastNumbers()
    /// Machines that are set aside, and why.
    package var aside: [MachineName: String] = [:]

    package init(runs: [RecoveredRun] = [], archived: [ArchivedRun] = [], lastNumbers: LastNumbers = LastNumbers()) {
        self.runs = runs
        self.archived = archived
        self.lastNumbers = lastNumbers
    }
}

/// The highest numbers that runs and works ever had, those that are forgotten among them.
package struct LastNumbers: Hashable, Sendable {
    package var run: UInt64
    package var work: UInt64

    package init(run: UInt64 = 0, work: UInt64 = 0) {
        self.run = run
        self.work = work
    }
}

extension LeaseRecord {
    /// As after a restart: nothing is known of its past.
    fileprivate func renewed(
        at nowMilliseconds: Int64, until expiresMilliseconds: Int64, of work: WorkRecord
    ) -> LeaseRecord {
        var lease = LeaseRecord(
            worker: worker, epoch: epoch, grantedMilliseconds: nowMilliseconds,
            expiresMilliseconds: expiresMilliseconds)
        lease.hasLapsed = hasLapsed
        lease.begunMilliseconds = nowMilliseconds
        lease.isRecovered = true
        lease.fetching = work.checkpoints.map(\.blob.digest)
        // With checkpoints it may have begun with any of them, or have made the last one.
        lease.isBaseKnown = work.checkpoints.isEmpty
        return lease
    }
}

extension Scheduler {
    /// Goes on from what the store remembers. Nobody is connected yet; running leases get a full lease time. New
    /// numbers begin above all that were ever given.
    package init(configuration: Configuration, recovering recovery: Recovery, at nowMilliseconds: Int64) {
        self.init(configuration: configuration)
        (nextRun, nextWork) = (recovery.lastNumbers.run + 1, recovery.lastNumbers.work + 1)
        for run in recovery.archived {
            archived[run.id] = run
            runsByKey[run.idempotencyKey] = run.id
            nextRun = max(nextRun, run.id.value + 1)
        }
        aside = recovery.aside
        for run in recovery.runs { recover(run, at: nowMilliseconds) }
    }

    mutating func recover(_ recovered: RecoveredRun, at nowMilliseconds: Int64) {
        let id = recovered.id
        works.add(recovered.table)
        runs[id] = recovered.record
        runsByKey[recovered.request.idempotencyKey] = id
        if recovered.state == .running { activeRuns.insert(id) }
        nextRun = max(nextRun, id.value + 1)
        for new in recovered.newWorks where !new.isEmpty {
            for work in new { recover(work.id, of: work.step, at: nowMilliseconds) }
            nextWork = max(nextWork, new[new.count - 1].id.value + 1)
        }
        for var check in recovered.checks {
            check.waitingSinceMilliseconds = nowMilliseconds
            checks.insert(check)
            nextWork = max(nextWork, check.id.value + 1)
        }
    }

    private mutating func recover(_ id: WorkID, of step: Int, at nowMilliseconds: Int64) {
        let state = works.state(of: id)!, run = works.run(of: id)!
        runs[run]!.counts[step].add(state)
        guard works.isTouched(id) else {
            if state == .ready { list(id, at: nowMilliseconds) }
            return
        }
        var work = works[id]!
        work.readySinceMilliseconds = nowMilliseconds
        work.triedMilliseconds = nowMilliseconds
        let full = nowMilliseconds + configuration.leaseMilliseconds
        work.lease = work.lease?.renewed(at: nowMilliseconds, until: full, of: work)
        work.backup = work.backup?.renewed(at: nowMilliseconds, until: full, of: work)
        works[id] = work
        if state == .leased { leased.insert(id) }
        for lease in work.liveLeases { holdings.add(work.id(of: lease), of: lease.worker) }
        if state == .ready { list(id, at: nowMilliseconds) }
    }

    /// What was under way in the coordinator itself when it stopped: votes to count again; whether what has failed too
    /// often reads something damaged. And what no reader needs goes: an earlier version may have kept it for more.
    /// Once, after recovery.
    package mutating func resume() -> [SchedulerAction] {
        defer { actions = [] }
        for run in activeRuns {
            for id in runs[run]!.works where works.isTouched(id) {
                let work = works[id]!
                if work.state == .voting { requestVote(id) }
                if work.state == .done { releaseIfConsumed(id) }
                guard work.state == .ready, work.lease == nil, work.failureCount >= configuration.failuresMax else {
                    continue
                }
                works[id]!.lastFailure = "before the coordinator started again; see `quintet status --history`"
                verifyInputs(of: id)
            }
        }
        return actions
    }
}
