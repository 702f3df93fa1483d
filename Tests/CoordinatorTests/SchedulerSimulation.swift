import Coordinator
import Protocol

/// SplitMix64: a seed gives the same story everywhere.
struct StoryRandom {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }
    mutating func happens(_ percent: Int) -> Bool { below(100) < percent }
}

/// A cluster without sockets: the real scheduler, the real store in memory, and workers that connect, compute, stall,
/// die, say things twice and believe what they are told. Faults come from a seed; the promises are checked after every
/// event.
struct SchedulerSimulation {
    struct Job {
        var lease: Lease
        var stage: WorkStage
        var iteration: UInt32
        var isFinished = false
        var savedIteration: UInt32 = 0
    }

    struct SimulatedWorker {
        var name: WorkerName
        var isConnected = false
        var saidIdle = false
        var stalledUntil: Int64 = 0
        var job: Job?
    }

    static let leaseMilliseconds: Int64 = 10_000
    static let iterationCount: UInt32 = 80
    static let volumes = (1...12).map { "volume-\($0)" }

    var random: StoryRandom
    var scheduler: Scheduler
    let store: Store
    var workers: [SimulatedWorker]
    var now: Int64 = 0
    var hasFaults = true
    var nextName = 0
    var pendingVotes: [WorkID] = []
    var violations: [String] = []
    /// What the promises are checked against.
    var grantedEpoch: [WorkID: UInt64] = [:]
    var checkpointIteration: [WorkID: UInt32] = [:]
    var accepted: [WorkID: UInt64] = [:]
    var acknowledged: Set<Lease> = []
    var faultCounts: [String: Int] = [:]

    init(seed: UInt64, workerCount: Int) throws {
        random = StoryRandom(seed: seed)
        var configuration = Scheduler.Configuration(leaseMilliseconds: Self.leaseMilliseconds)
        configuration.failuresMax = 1_000
        configuration.lossesMax = 1_000
        scheduler = Scheduler(configuration: configuration)
        store = try Store(path: ":memory:")
        workers = []
        for _ in 0..<workerCount { workers.append(makeWorker()) }
    }

    mutating func makeWorker() -> SimulatedWorker {
        nextName += 1
        return SimulatedWorker(name: "w\(nextName)")
    }

    mutating func fault(_ name: String, percent: Int) -> Bool {
        guard hasFaults, random.happens(percent) else { return false }
        faultCounts[name, default: 0] += 1
        return true
    }

    // MARK: - One event

    /// Applies an event, commits, and carries out what follows. Returns the answer, nil when it was lost.
    mutating func apply(_ event: SchedulerEvent, from worker: Int? = nil) throws -> Message? {
        let actions = scheduler.apply(event, at: now)
        if fault("crash before commit", percent: 1) {
            try restart()
            return nil
        }
        try commit(actions)
        if fault("crash after commit", percent: 1) {
            try restart()
            return nil
        }
        checkConsistency()
        let answer = carryOut(actions)
        if let worker, answer != nil, fault("answer lost", percent: 3) {
            try lose(worker)
            return nil
        }
        return answer
    }

    mutating func commit(_ actions: [SchedulerAction]) throws {
        let changes = actions.compactMap { if case .persist(let change) = $0 { change } else { nil } }
        _ = try store.commit(changes, wallMilliseconds: now)
        for change in changes { check(change) }
    }

    mutating func carryOut(_ actions: [SchedulerAction]) -> Message? {
        var answer: Message?
        for action in actions {
            switch action {
            case .persist: break
            case .answer(let message): answer = message
            case .vote(let work, _): pendingVotes.append(work)
            case .send(let message, let name):
                guard let index = workers.firstIndex(where: { $0.name == name }), workers[index].isConnected else {
                    continue
                }
                receive(message, index)
            }
        }
        return answer
    }

    mutating func receive(_ message: Message, _ index: Int) {
        switch message {
        case .assignment(let assignment):
            if workers[index].job != nil { violations.append("\(workers[index].name) got a second lease") }
            workers[index].saidIdle = false
            let from = assignment.resume?.iteration ?? 0
            if from != checkpointIteration[assignment.lease.work] ?? 0 {
                violations.append("\(assignment.lease) starts at \(from), not at its last checkpoint")
            }
            workers[index].job = Job(lease: assignment.lease, stage: assignment.description.stage, iteration: from)
        case .revoke(let lease):
            if workers[index].job?.lease == lease { workers[index].job = nil }
        default: violations.append("\(message.brief) was sent unasked")
        }
    }

    /// The coordinator dies and comes back; every connection is lost.
    mutating func restart() throws {
        for index in workers.indices {
            workers[index].isConnected = false
            workers[index].saidIdle = false
        }
        pendingVotes = []
        scheduler = Scheduler(configuration: scheduler.configuration, recovering: try store.recover(), at: now)
        checkConsistency()
        for lease in acknowledged where !isKept(lease) { violations.append("acknowledged \(lease) was lost") }
        _ = carryOut(scheduler.resume())
    }

    mutating func lose(_ index: Int) throws {
        guard workers[index].isConnected else { return }
        workers[index].isConnected = false
        workers[index].saidIdle = false
        _ = try apply(.workerDisconnected(workers[index].name))
    }

    // MARK: - A worker's turn

    mutating func step(_ index: Int) throws {
        guard now >= workers[index].stalledUntil else { return }
        if fault("worker killed", percent: 1) {
            let name = workers[index].name
            let wasConnected = workers[index].isConnected
            workers[index] = makeWorker()
            if wasConnected && random.happens(50) { _ = try apply(.workerDisconnected(name)) }
            return
        }
        if fault("worker stalls", percent: 1) {
            workers[index].stalledUntil = now + Int64(random.below(30_000))
            return
        }
        if fault("connection lost", percent: 2) { try lose(index) }
        let name = workers[index].name
        if !workers[index].isConnected {
            guard random.happens(50) else { return }
            workers[index].isConnected = true
            _ = try apply(.workerConnected(name, testFacts, held: workers[index].job.map { [$0.lease] } ?? []))
        }
        guard workers[index].isConnected else { return }
        if workers[index].job == nil {
            if !workers[index].saidIdle || fault("idle twice", percent: 5) {
                workers[index].saidIdle = true
                _ = try apply(.idle(name))
            }
        } else {
            try work(index)
        }
    }

    mutating func work(_ index: Int) throws {
        let name = workers[index].name
        var job = workers[index].job!
        if job.isFinished || job.stage != .train || job.iteration == Self.iterationCount {
            workers[index].job!.isFinished = true
            return try deliver(job, index)
        }
        job.iteration = min(Self.iterationCount, job.iteration + UInt32(1 + random.below(4)))
        workers[index].job = job
        let progress = LeaseProgress(lease: job.lease, fraction: 0.5, iteration: job.iteration, note: "")
        _ = try apply(.heartbeat(name, [progress]), from: index)
        guard workers[index].job?.lease == job.lease else { return }
        if random.happens(40) {
            if job.savedIteration > 0 && fault("old checkpoint again", percent: 10) {
                _ = try apply(.checkpointSaved(name, job.lease, checkpoint(job, at: job.savedIteration / 2), []))
            }
            let answer = try apply(
                .checkpointSaved(name, job.lease, checkpoint(job, at: job.iteration), []), from: index)
            workers[index].job?.savedIteration = job.iteration
            if case .refusal = answer { workers[index].job = nil }
        } else if fault("surrender", percent: 3) {
            let reason: SurrenderReason = random.happens(50) ? .failed : .drained
            if try apply(.surrendered(name, job.lease, reason, "it says"), from: index) != nil {
                workers[index].job = nil
            }
        }
    }

    mutating func deliver(_ job: Job, _ index: Int) throws {
        let name = workers[index].name
        let result = WorkResult(lease: job.lease, outputs: outputs(of: job), reportJSON: "{}", metrics: [])
        if fault("result twice", percent: 10) { _ = try apply(.finished(name, result)) }
        let answer = try apply(.finished(name, result), from: index)
        switch answer {
        case .accepted:
            acknowledged.insert(job.lease)
            if !isKept(job.lease) { violations.append("\(job.lease) was acknowledged and is not kept") }
            workers[index].job = nil
        case .refusal: workers[index].job = nil
        default: break  // not heard: say it again
        }
    }

    func checkpoint(_ job: Job, at iteration: UInt32) -> Checkpoint {
        Checkpoint(iteration: iteration, blob: blob("checkpoint", "\(job.lease.work.value)-\(iteration)"))
    }

    func outputs(of job: Job) -> [BlobReference] {
        switch job.stage {
        case .train: return [blob("replica", "weights-\(job.lease.work.value)")]
        case .predict: return (0..<3).map { blob("votes", "votes-\(job.lease.work.value)-\($0)") }
        case .calibrate, .finish: return []
        }
    }

    // MARK: - Time

    mutating func advance() throws {
        now += Int64(100 + random.below(900))
        for index in workers.indices { try step(index) }
        while let work = pendingVotes.popLast() {
            if fault("votes damaged", percent: 10) {
                _ = try apply(.voteFailed(work, "damaged"))
            } else {
                _ = try apply(.voted(work, blob("voted", "\(work.value)")))
            }
        }
        if fault("checkpoint damaged", percent: 2),
            let work = scheduler.works.values.filter({ $0.checkpoint != nil }).min(by: { $0.id < $1.id })
        {
            _ = try apply(.checkpointDamaged(work.id, iteration: work.checkpoint!.iteration, unsent: nil))
        }
        if fault("restart", percent: 1) { try restart() }
        if fault("coordinator stalls", percent: 1) {
            now += 60_000
            _ = try apply(.wasAway(milliseconds: 60_000))
        }
        _ = try apply(.tick)
    }
}
