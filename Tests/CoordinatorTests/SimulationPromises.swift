import Coordinator
import Protocol

// What must hold in the simulation, whatever happens.

extension SchedulerSimulation {
    /// A change that was committed.
    mutating func check(_ change: StoreChange) {
        switch change {
        case .leaseGranted(let lease, _):
            if lease.epoch <= grantedEpoch[lease.work] ?? 0 { violations.append("\(lease) is not newer") }
            if accepted[lease.work] != nil { violations.append("\(lease) on work that is done") }
            grantedEpoch[lease.work] = lease.epoch
        case .checkpointAccepted(let lease, _, let checkpoint, _):
            if lease.epoch != grantedEpoch[lease.work] { violations.append("a checkpoint under old \(lease)") }
            if checkpoint.iteration <= checkpointIteration[lease.work] ?? 0 {
                violations.append("\(lease) goes back to iteration \(checkpoint.iteration)")
            }
            checkpointIteration[lease.work] = checkpoint.iteration
        case .resultAccepted(let result, _):
            if result.lease.epoch != grantedEpoch[result.lease.work] {
                violations.append("a result under old \(result.lease)")
            }
            if accepted[result.lease.work] != nil { violations.append("\(result.lease.work) was done twice") }
            accepted[result.lease.work] = result.lease.epoch
        case .votesDamaged(let finish, _):
            // The one way back: the votes of this predict are made again.
            let predict = WorkID(finish.value - 1)
            accepted[predict] = nil
            acknowledged = acknowledged.filter { $0.work != predict }
        case .checkpointDropped(let work, _):
            checkpointIteration[work] = scheduler.works[work]?.checkpoint?.iteration ?? 0
        default: break
        }
    }

    func isKept(_ lease: Lease) -> Bool {
        scheduler.works[lease.work]?.state == .done && scheduler.works[lease.work]?.epoch == lease.epoch
    }

    /// The scheduler's lists say the same as its works.
    mutating func checkConsistency() {
        var leased: [WorkID] = []
        var remaining: [RunID: Int] = [:]
        for work in scheduler.works.values.sorted(by: { $0.id < $1.id }) {
            let run = scheduler.runs[work.run]!
            let isListed = (work.stage == .finish ? run.readyFinish : run.ready).contains(work.id)
            if isListed != (work.state == .ready) {
                violations.append("\(work.id) is \(work.state.name), listed \(isListed)")
            }
            if work.state == .leased {
                leased.append(work.id)
                if work.lease == nil || work.lease!.hasLapsed || work.lease!.epoch != work.epoch {
                    violations.append("\(work.id) is leased without a live lease")
                }
            }
            if work.state.isFinal && work.lease != nil { violations.append("\(work.id) is final with a lease") }
            if !work.state.isFinal { remaining[work.run, default: 0] += 1 }
        }
        if leased != scheduler.leased { violations.append("leased are \(leased), listed \(scheduler.leased)") }
        for run in scheduler.runs.values {
            if run.remainingCount != remaining[run.id] ?? 0 { violations.append("\(run.id) counts wrongly") }
            if (run.state == .running) != (run.remainingCount > 0) { violations.append("\(run.id) is \(run.state)") }
        }
    }

    /// The whole story: faults for a while, then none, until everything has ended.
    mutating func tell(faultySteps: Int) throws {
        _ = try submit(trainRequest(key: "train", replicas: 4, iterations: Self.iterationCount))
        _ = try submit(segmentRequest(key: "archive", voters: 3, volumes: Self.volumes))
        for _ in 0..<faultySteps { try advance() }
        hasFaults = false
        // A client that heard nothing submits again; it costs nothing.
        _ = try submit(trainRequest(key: "train", replicas: 4, iterations: Self.iterationCount))
        _ = try submit(segmentRequest(key: "archive", voters: 3, volumes: Self.volumes))
        // Whoever died takes a lease's time to be missed; failed work rests; then each work takes some steps.
        let deadline = now + 3 * Self.leaseMilliseconds + 60_000 + Int64(scheduler.works.count) * 30_000
        while now < deadline, scheduler.runs.values.contains(where: { $0.state == .running }) { try advance() }
        for run in scheduler.runs.values where run.state != .ended || scheduler.refusedCount(of: run.id) > 0 {
            violations.append("\(run.id) is \(run.state) when it should have ended")
        }
        let recovered = try store.recover()
        for run in recovered {
            for work in run.works where work.state != .done {
                violations.append("the store has \(work.id) \(work.state)")
            }
        }
        if try store.integrityReport() != "ok" { violations.append("the store is damaged") }
    }

    private mutating func submit(_ request: RunRequest) throws -> Message? { try apply(.submit(request)) }
}
