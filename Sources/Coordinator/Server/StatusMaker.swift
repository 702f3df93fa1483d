import Foundation
import Platform
import Protocol

/// Tells what the scheduler knows, for people and scripts.
struct StatusMaker {
    let scheduler: Scheduler
    let nowMilliseconds: Int64
    let build: String
    /// What people have to do something about.
    var problem: String?
    /// What is stored of a run and the scheduler does not need; nil for one whose commit is under way.
    var facts: (RunID) throws -> RunFacts? = { _ in RunFacts() }
    /// A run that has left memory, and its sessions.
    var archived: (RunID) throws -> (record: RunRecord, sessions: [WorkRecord])? = { _ in nil }

    /// Ended runs beyond these are left out when all are asked for.
    private static let endedRunsMax = 50

    /// - Returns: JSON of at most `Limits.statusBytesMax` bytes; where it would be more, the oldest events and then the
    ///   oldest runs are left out.
    func json(run: RunID?, events: [AuditEvent]?) throws -> String {
        var report = try report(run: run, events: events)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        while true {
            guard let data = try? encoder.encode(report) else { preconditionFailure("a status is always encodable") }
            if data.count <= Limits.statusBytesMax { return String(decoding: data, as: UTF8.self) }
            if let events = report.events, !events.isEmpty {
                report.events = Array(events.suffix(events.count / 2))
            } else if report.runs.count > 1 {
                report.runs = Array(report.runs.suffix(report.runs.count / 2))
            } else {
                report.workers = Array(report.workers.prefix(report.workers.count / 2))
            }
        }
    }

    func report(run: RunID?, events: [AuditEvent]?) throws -> StatusReport {
        return StatusReport(
            build: build, time: WallClock.nowText(), problem: problem,
            setAside: scheduler.aside.isEmpty ? nil : scheduler.aside,
            workersOfUse: workersOfUse, runs: try (run.map { [$0] } ?? runsToTellOf).compactMap(describe),
            workers: scheduler.workers.values.sorted { $0.name < $1.name }.map(describe),
            events: events?.map { StatusReport.Event($0) })
    }

    /// Of the runs that go on and the workers, from memory alone: times of what is stored are not in it.
    func live() -> StatusReport {
        StatusReport(
            build: build, time: WallClock.nowText(), problem: problem,
            setAside: scheduler.aside.isEmpty ? nil : scheduler.aside, workersOfUse: workersOfUse,
            runs: scheduler.activeRuns.map { id in
                let run = scheduler.runs[id]!
                return describe(run, sessions(of: run), RunFacts())
            },
            workers: scheduler.workers.values.map(describe))
    }

    /// Work that is being done, and work that could be; of paused runs only the former.
    private var workersOfUse: Int {
        scheduler.activeRuns.reduce(0) { sum, id in
            let run = scheduler.runs[id]!
            return run.counts.reduce(sum) { $0 + $1.leased + (run.isPaused ? 0 : $1.ready) }
        }
    }

    // MARK: - Runs

    /// All that go on, and the latest of the others.
    private var runsToTellOf: [RunID] {
        let ended = scheduler.runs.values.filter { $0.state != .running }.map(\.id) + scheduler.archived.keys
        return (Array(scheduler.activeRuns) + ended.sorted().suffix(Self.endedRunsMax)).sorted()
    }

    private func describe(_ id: RunID) throws -> StatusReport.Run? {
        guard let stored = try facts(id) else { return nil }
        if let run = scheduler.runs[id] { return describe(run, sessions(of: run), stored) }
        guard let (run, sessions) = try archived(id) else { return nil }
        return describe(run, sessions, stored)
    }

    private func describe(_ run: RunRecord, _ sessions: [WorkRecord], _ stored: RunFacts) -> StatusReport.Run {
        // However many items there are: nothing but counts is read of them.
        let replicas = sessions.map { describe($0, of: run) }
        let (fraction, secondsLeft) = progress(of: run, replicas)
        let isRunning = stored.state == .running, request = run.request
        let rates = replicas.compactMap(\.iterationsPerSecond)
        return StatusReport.Run(
            id: run.id.value, kind: request.plan.name, recipe: request.recipe, state: stored.state.rawValue,
            label: nonEmpty(request.label), submitter: nonEmpty(request.submitter),
            submittedAt: time(ofMilliseconds: stored.createdMilliseconds),
            endedAt: stored.endedMilliseconds.map(time), isPaused: run.isPaused, priority: run.priority,
            idempotencyKey: request.idempotencyKey, seed: request.seed,
            arithmetic: run.arithmetic.map { "\($0)" }, parameters: request.parameters,
            replicaCount: request.replicaCount, iterationCount: request.plan.steps.reduce(0) { $0 + $1.iterationCount },
            volumeCount: run.layout.itemCount, volumes: volumes(of: run), fraction: fraction,
            iterationsPerSecond: isRunning && !rates.isEmpty ? rates.reduce(0, +) : nil,
            volumesPerSecond: isRunning && replicas.isEmpty ? run.concludedRate(at: nowMilliseconds) : nil,
            secondsLeft: isRunning ? secondsLeft : nil, works: count(run),
            refusedCount: run.refusedCount, refusals: stored.refusals.isEmpty ? nil
                : stored.refusals.map { StatusReport.Refusal(name: $0.piece, reason: $0.reason.cut(toBytes: 600)) },
            checks: request.verifyShare > 0 ? StatusReport.Checks(
                open: scheduler.checks.count(of: run.id), done: stored.checkedCount, missed: stored.missedCount,
                disputed: stored.disputedCount) : nil,
            problem: isRunning ? problem ?? problem(of: run) : nil,
            replicas: replicas.isEmpty ? nil : replicas)
    }

    private func problem(of run: RunRecord) -> String? {
        memoryProblem(of: run) ?? scheduler.whyNobodyComputesAlike(run) ?? attemptsProblem(of: run)
    }

    /// Nobody who is there can do it.
    private func memoryProblem(of run: RunRecord) -> String? {
        guard let most = scheduler.memoryThatIsTooLittle(for: run) else { return nil }
        func gibibytes(_ byteCount: UInt64) -> String { String(format: "%.1f GiB", Double(byteCount) / 1_073_741_824) }
        return "a step needs \(gibibytes(run.request.memoryByteCount)) of memory, and no connected worker has more "
            + "than \(gibibytes(most)): start one on a larger machine, or train with a smaller slab, "
            + "fewer planes or fewer channels"
    }

    /// What is ready and has gone wrong where it was tried, while nobody else has it.
    private func attemptsProblem(of run: RunRecord) -> String? {
        guard !run.isPaused, run.counts.allSatisfy({ $0.leased == 0 }) else { return nil }
        let tried = run.ready.lazy.joined().map { scheduler.works[$0]! }.first { !$0.attempts.isEmpty }
        return tried.flatMap(scheduler.whyItWaits)?.cut(toBytes: 600)
    }

    private func time(ofMilliseconds milliseconds: Int64) -> String { StatusReport.time(ofMilliseconds: milliseconds) }

    private func nonEmpty(_ text: String) -> String? { text.isEmpty ? nil : text }

    private func sessions(of run: RunRecord) -> [WorkRecord] {
        run.plan.steps.indices.filter { run.plan.steps[$0].kind == .session }.flatMap { step in
            (0..<run.layout.counts[step]).map { scheduler.works[run.work(step, $0)]! }
        }
    }

    private func count(_ run: RunRecord) -> StatusReport.Works {
        func sum(_ count: (WorkCounts) -> Int) -> Int { run.counts.reduce(0) { $0 + count($1) } }
        return StatusReport.Works(
            total: run.layout.workCount, waiting: sum { $0.waiting + $0.voting }, ready: sum(\.ready),
            leased: sum(\.leased), done: sum(\.done), refused: sum { $0.refused + $0.refusedWithOthers },
            cancelled: sum(\.cancelled))
    }

    private func volumes(of run: RunRecord) -> StatusReport.Volumes? {
        // Each item ends with one step, as a rule; where there are several, with the one that is behind.
        let counts = run.plan.steps.indices.filter(run.isLastOfItem).map { run.counts[$0] }
        guard let done = counts.map(\.done).min() else { return nil }
        return StatusReport.Volumes(
            done: done, refused: counts.map { $0.refused + $0.refusedWithOthers }.max()!,
            waiting: counts.map(\.unfinished).max()!)
    }

    private func progress(of run: RunRecord, _ replicas: [StatusReport.Replica])
        -> (fraction: Double, secondsLeft: Double?)
    {
        let steps = run.plan.steps
        let total = steps.indices.reduce(0) { $0 + Double(steps[$1].iterationCount) * Double(run.layout.counts[$1]) }
        if !replicas.isEmpty {
            let done = replicas.reduce(0) { $0 + Double($1.iteration) }
            let rate = replicas.compactMap(\.iterationsPerSecond).reduce(0, +)
            return (total > 0 ? min(1, done / total) : 0, rate > 0 ? (total - done) / rate : nil)
        }
        // Where there are items, those that have their answer; else all works.
        let lasts = steps.indices.filter(run.isLastOfItem)
        let counted = (lasts.isEmpty ? Array(steps.indices) : lasts).map { run.counts[$0] }
        let ended = counted.reduce(0) { $0 + $1.ended }, all = counted.reduce(ended) { $0 + $1.unfinished }
        let rate = run.concludedRate(at: nowMilliseconds)
        return (Double(ended) / Double(max(1, all)), rate.map { Double(all - ended) / $0 })
    }

    private func describe(_ work: WorkRecord, of run: RunRecord) -> StatusReport.Replica {
        let lease = work.state == .leased ? work.lease : nil
        let step = run.plan.steps[work.step], iterationCount = step.iterationCount
        let checkpoint = work.state == .done ? iterationCount : work.checkpoint?.iteration ?? 0
        let iteration = max(checkpoint, lease?.progress?.iteration ?? 0)
        let rate = lease?.iterationsPerSecond
        let left = Double(iterationCount - min(iteration, iterationCount))
        return StatusReport.Replica(
            step: step.label, replica: work.index, state: work.state.name, iteration: iteration,
            checkpointIteration: checkpoint,
            figures: work.metric?.values.filter(\.value.isFinite), figuresIteration: work.metric?.iteration,
            iterationsPerSecond: rate,
            secondsLeft: rate.map { left / $0 }, worker: lease?.worker, note: lease?.progress?.note)
    }

    private func finite(_ value: Double?) -> Double? { value.flatMap { $0.isFinite ? $0 : nil } }

    // MARK: - Workers

    private func describe(_ worker: WorkerRecord) -> StatusReport.Worker {
        let held = scheduler.holdings[worker.name].lazy.compactMap { held in
            scheduler.liveLease(held).map { (scheduler.works[held.work]!, $0) }
        }.first
        return StatusReport.Worker(
            name: worker.name, build: worker.facts.build, device: worker.facts.device,
            threadCount: worker.facts.threadCount,
            memoryByteCount: worker.facts.memoryByteCount > 0 ? worker.facts.memoryByteCount : nil,
            isConnected: worker.isConnected, isLeaving: worker.isLeaving,
            arithmetic: worker.facts.arithmetic.map { String("\($0)".prefix(12)) },
            hereSeconds: Double(nowMilliseconds - worker.sinceMilliseconds) / 1000,
            slowness: worker.latestDone == nil ? nil : worker.slowness,
            silentSeconds: Double(nowMilliseconds - worker.lastSeenMilliseconds) / 1000,
            work: held.map { task($0, under: $1) } ?? check(of: worker.name))
    }

    private func check(of name: WorkerName) -> StatusReport.WorkerTask? {
        let checks = scheduler.holdings[name].lazy.compactMap { scheduler.checks.check(under: $0) }
        guard let check = checks.first, let lease = check.lease else { return nil }
        var task = task(scheduler.works[check.work]!, under: lease)
        task.note = "checks what '\(check.opinions[0].worker)' made"
        return task
    }

    private func task(_ work: WorkRecord, under lease: LeaseRecord) -> StatusReport.WorkerTask {
        StatusReport.WorkerTask(
            run: work.run.value, step: scheduler.step(of: work).label, name: scheduler.name(of: work),
            epoch: lease.epoch, fraction: finite(lease.progress?.fraction) ?? 0,
            iterationsPerSecond: work.kind == .session ? lease.iterationsPerSecond : nil,
            seconds: Double(nowMilliseconds - lease.grantedMilliseconds) / 1000, note: lease.progress?.note)
    }
}

extension StatusReport {
    static func time(ofMilliseconds milliseconds: Int64) -> String {
        WallClock.text(ofSeconds: Double(milliseconds) / 1000)
    }
}

extension StatusReport.Event {
    init(_ event: AuditEvent) {
        self.init(
            id: event.id, time: StatusReport.time(ofMilliseconds: event.wallMilliseconds), run: event.run?.value,
            kind: event.kind, piece: event.piece, work: event.work?.value, epoch: event.epoch, worker: event.worker,
            iteration: event.iteration, outcome: event.outcome, message: event.message)
    }
}

extension LeaseRecord {
    /// From what the worker said first and last; nil before it has said enough.
    var iterationsPerSecond: Double? {
        guard let progress, progress.iteration > firstIteration, progressMilliseconds > firstMilliseconds else {
            return nil
        }
        return Double(progress.iteration - firstIteration) * 1000 / Double(progressMilliseconds - firstMilliseconds)
    }
}

extension RunRecord {
    /// Works of the last step that ended per second since this coordinator began with the run.
    func concludedRate(at nowMilliseconds: Int64) -> Double? {
        guard concludedCount > 0, let begunMilliseconds, nowMilliseconds > begunMilliseconds else { return nil }
        return Double(concludedCount) * 1000 / Double(nowMilliseconds - begunMilliseconds)
    }
}
