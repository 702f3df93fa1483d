import Protocol

/// What the store remembers of a run.
package struct RecoveredRun: Sendable {
    package var id: RunID
    package var request: RunRequest
    package var firstWork: WorkID
    package var itemBlocks: [ItemBlock]
    package var state: RunState
    package var isPaused: Bool
    package var priority: Int32
    package var arithmetic: ContentDigest?
    /// All its works, in order of their numbers. A lease that was running has `expiresMilliseconds` 0.
    package var works: [WorkRecord]

    package init(
        id: RunID, request: RunRequest, firstWork: WorkID, itemBlocks: [ItemBlock] = [], state: RunState,
        isPaused: Bool = false, priority: Int32 = 0, arithmetic: ContentDigest? = nil, works: [WorkRecord]
    ) {
        self.id = id
        self.request = request
        self.firstWork = firstWork
        self.itemBlocks = itemBlocks
        self.state = state
        self.isPaused = isPaused
        self.priority = priority
        self.arithmetic = arithmetic
        self.works = works
    }
}

/// What a coordinator that starts goes on from.
package struct Recovery: Sendable {
    /// Oldest first.
    package var runs: [RecoveredRun]
    package var lastNumbers: LastNumbers

    package init(runs: [RecoveredRun] = [], lastNumbers: LastNumbers = LastNumbers()) {
        self.runs = runs
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
        at nowMilliseconds: Int64, until expiresMilliseconds: Int64, fetching: [ContentDigest]
    ) -> LeaseRecord {
        var lease = LeaseRecord(
            worker: worker, epoch: epoch, grantedMilliseconds: nowMilliseconds,
            expiresMilliseconds: expiresMilliseconds)
        lease.hasLapsed = hasLapsed
        lease.begunMilliseconds = nowMilliseconds
        lease.isRecovered = true
        lease.fetching = fetching
        return lease
    }
}

extension Scheduler {
    /// Goes on from what the store remembers. Nobody is connected yet; running leases get a full lease time.
    /// - Parameters:
    ///   - runs: oldest first.
    ///   - last: below what new numbers begin with.
    package init(
        configuration: Configuration, recovering runs: [RecoveredRun], after last: LastNumbers = LastNumbers(),
        at nowMilliseconds: Int64
    ) {
        self.init(configuration: configuration)
        (nextRun, nextWork) = (last.run + 1, last.work + 1)
        works.reserveCapacity(runs.reduce(0) { $0 + $1.works.count })
        for recovered in runs {
            var run = RunRecord(
                id: recovered.id, request: recovered.request, firstWork: recovered.firstWork,
                itemBlocks: recovered.itemBlocks)
            run.state = recovered.state
            run.isPaused = recovered.isPaused
            run.priority = recovered.priority
            run.arithmetic = recovered.arithmetic
            for var work in recovered.works {
                work.readySinceMilliseconds = nowMilliseconds
                work.triedMilliseconds = nowMilliseconds
                let full = nowMilliseconds + configuration.leaseMilliseconds
                let fetching = work.checkpoints.map(\.blob.digest)
                work.lease = work.lease.map { $0.renewed(at: nowMilliseconds, until: full, fetching: fetching) }
                work.backup = work.backup.map { $0.renewed(at: nowMilliseconds, until: full, fetching: fetching) }
                works[work.id] = work
                run.counts[work.step].add(work.state)
                if work.state == .leased { leased.insert(work.id) }
                for lease in work.liveLeases { holdings.add(work.id(of: lease), of: lease.worker) }
            }
            self.runs[run.id] = run
            for work in recovered.works where work.state == .ready { list(work.id, at: nowMilliseconds) }
            runsByKey[run.request.idempotencyKey] = run.id
            if run.state == .running { activeRuns.insert(run.id) }
            nextRun = max(nextRun, run.id.value + 1)
            nextWork = max(nextWork, (recovered.works.last?.id.value ?? run.firstWork.value) + 1)
        }
    }

    /// What was under way in the coordinator itself when it stopped: votes to count again; whether what has failed too
    /// often reads something damaged. And what no reader needs goes: an earlier version may have kept it for more.
    /// Once, after recovery.
    package mutating func resume() -> [SchedulerAction] {
        defer { actions = [] }
        for run in activeRuns {
            for id in runs[run]!.works {
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
