import Protocol

// Stragglers: one slow worker must not hold up a run. An idle worker for whom nothing is ready may do the slow one's
// work a second time, under a lease of its own, the backup. Both are right to work: a piece of work gives the same
// bytes whoever does it. Whichever result is committed first is the result; in the same turn the other lease ends,
// and what comes under it afterwards is refused like everything stale. A training's backup goes on from the last
// checkpoint; as soon as it has saved one beyond what the other has reached, the replica has moved and the other lease
// ends. When the first lease is lost, the backup takes its place. A work has at most one backup.

extension Scheduler {
    /// Works of other kinds than sessions count as one step.
    struct Pace {
        /// Milliseconds for a step, judged by what has been done so far.
        var stepMilliseconds: Double
        /// Milliseconds to the end, at this pace.
        var leftMilliseconds: Double
    }

    /// So many times as long as usual may the first step take: fetching and preparing take longer on some machines.
    private static let startFactor = 4.0

    /// Whether it has had all its attempts: what still runs may end it, nobody else begins it.
    private func isSpent(_ work: WorkRecord) -> Bool {
        work.failureCount >= configuration.failuresMax || work.lossCount >= configuration.lossesMax
    }

    /// Work that a backup would end sooner.
    struct BackupCandidate {
        var work: WorkID
        var why: String
        /// What is gained if the backup takes no time, in milliseconds.
        var gain: Double
        /// How long a worker of usual speed would need.
        var afreshMilliseconds: Double
    }

    /// What is slow, whoever may help; nothing where little is known yet.
    func backupCandidates(at nowMilliseconds: Int64) -> [BackupCandidate] {
        leased.compactMap { id in
            let work = works[id]!
            guard work.backup == nil, !isSpent(work), !runs[work.run]!.isPaused, let lease = work.lease,
                lease.begunMilliseconds != nil
            else { return nil }
            let isYetToBegin = work.kind == .session && !lease.hasBegun
            var candidate = isYetToBegin
                ? candidateThatHasNotBegun(lease, on: work, at: nowMilliseconds)
                : candidateOfPace(lease, on: work, at: nowMilliseconds)
            if let why = candidate?.why { candidate?.why = "epoch \(lease.epoch) of \(lease.worker) \(why)" }
            return candidate
        }
    }

    /// The place of the one on which an idle worker helps most; nil where it helps nowhere.
    func choose(from candidates: [BackupCandidate], for name: WorkerName, at nowMilliseconds: Int64) -> Int? {
        var best: (place: Int, gain: Double)?
        for (place, candidate) in candidates.enumerated() {
            let gain = candidate.gain - candidate.afreshMilliseconds * workers[name]!.slowness
            guard gain > best?.gain ?? 0, works[candidate.work]!.lease?.worker != name,
                !isWithheld(candidate.work, from: name, at: nowMilliseconds)
            else { continue }
            best = (place, gain)
        }
        return best?.place
    }

    private func candidateOfPace(
        _ lease: LeaseRecord, on work: WorkRecord, at nowMilliseconds: Int64
    ) -> BackupCandidate? {
        guard let pace = pace(of: lease, on: work, at: nowMilliseconds),
            let usual = usualStepMilliseconds(of: work, at: nowMilliseconds)
        else { return nil }
        return BackupCandidate(
            work: work.id, why: "goes at \(Int(100 * usual / pace.stepMilliseconds)) % of the usual pace",
            gain: pace.leftMilliseconds * configuration.backupShare, afreshMilliseconds: afresh(work, usual))
    }

    /// How long a worker of usual speed would need, from the last checkpoint.
    private func afresh(_ work: WorkRecord, _ stepMilliseconds: Double) -> Double {
        let steps = work.kind == .session ? Double(stepsLeft(from: work.checkpoint?.iteration ?? 0, of: work)) : 1
        return steps * stepMilliseconds
    }

    /// A training without a first step has no pace: its worker may be waiting for room in its cache, or a dead disk.
    /// It is compared with how long others needed to begin. Where nobody has begun since the coordinator started, it is
    /// taken as a volume that says nothing of itself: half may be done.
    private func candidateThatHasNotBegun(
        _ lease: LeaseRecord, on work: WorkRecord, at nowMilliseconds: Int64
    ) -> BackupCandidate? {
        let elapsed = Double(nowMilliseconds - lease.grantedMilliseconds)
        guard elapsed >= Double(configuration.leaseMilliseconds) else { return nil }
        let why = "has made no step in \(Int(elapsed / 1000)) s", gain = elapsed * configuration.backupShare
        if let usual = runs[work.run]!.starts[work.step].median {
            guard elapsed > Self.startFactor * usual else { return nil }
            return BackupCandidate(
                work: work.id, why: "\(why), \(Int(usual / 1000)) s are usual", gain: gain, afreshMilliseconds: 0)
        }
        guard let usual = usualStepMilliseconds(of: work, at: nowMilliseconds) else { return nil }
        return BackupCandidate(work: work.id, why: why, gain: gain, afreshMilliseconds: afresh(work, usual))
    }

    mutating func noteStart(of id: WorkID, milliseconds: Double) {
        let (run, step) = (works[id]!.run, works[id]!.step)
        guard works[id]!.kind == .session else { return }
        runs[run]!.starts[step].note(milliseconds)
    }

    private func stepsLeft(from iteration: UInt32, of work: WorkRecord) -> UInt32 {
        let count = step(of: work).iterationCount
        return count - min(iteration, count)
    }

    /// nil before there is enough to judge by.
    func pace(of lease: LeaseRecord, on work: WorkRecord, at nowMilliseconds: Int64) -> Pace? {
        guard work.kind == .session else {
            let elapsed = Double(nowMilliseconds - (lease.begunMilliseconds ?? nowMilliseconds))
            let fraction = min(lease.progress?.fraction ?? 0, 1)
            // Of work that says nothing of itself: half may be done.
            let whole = fraction > 0 ? elapsed / fraction : 2 * elapsed
            guard let usual = usualStepMilliseconds(of: work, at: nowMilliseconds), elapsed > usual / 2 else {
                return nil
            }
            return Pace(stepMilliseconds: whole, leftMilliseconds: whole - elapsed)
        }
        guard let progress = lease.progress, progress.iteration > lease.firstIteration else { return nil }
        let elapsed = nowMilliseconds - lease.firstMilliseconds
        guard elapsed >= configuration.leaseMilliseconds else { return nil }
        let step = Double(elapsed) / Double(progress.iteration - lease.firstIteration)
        return Pace(
            stepMilliseconds: step, leftMilliseconds: step * Double(stepsLeft(from: progress.iteration, of: work)))
    }

    /// The median of what the same step of the same run has taken, and takes, elsewhere.
    func usualStepMilliseconds(of work: WorkRecord, at nowMilliseconds: Int64) -> Double? {
        let run = runs[work.run]!
        guard work.kind == .session else { return run.paces[work.step].median }
        var paces = run.paces[work.step].values
        for other in (0..<run.layout.counts[work.step]).map({ run.work(work.step, $0) }) where other != work.id {
            for lease in works[other]!.liveLeases {
                if let pace = pace(of: lease, on: works[other]!, at: nowMilliseconds) {
                    paces.append(pace.stepMilliseconds)
                }
            }
        }
        return PaceSamples.median(paces)
    }

    /// A lease that ends well tells how long such work takes, and how fast its worker is.
    mutating func notePace(of lease: Lease, at nowMilliseconds: Int64) {
        let work = works[lease.work]!
        guard let record = work.liveLeases.first(where: { $0.epoch == lease.epoch }) else { return }
        var step = Double(nowMilliseconds - (record.begunMilliseconds ?? record.grantedMilliseconds))
        if work.kind == .session {
            guard let pace = pace(of: record, on: work, at: nowMilliseconds) else { return }
            step = pace.stepMilliseconds
        }
        noteSlowness(of: record, on: work, stepMilliseconds: step, at: nowMilliseconds)
        runs[work.run]!.paces[work.step].note(step)
    }

    private mutating func noteSlowness(
        of lease: LeaseRecord, on work: WorkRecord, stepMilliseconds: Double, at nowMilliseconds: Int64
    ) {
        guard let usual = usualStepMilliseconds(of: work, at: nowMilliseconds), usual > 0 else { return }
        workers[lease.worker]?.slowness = max(0.1, stepMilliseconds / usual)
    }

    // MARK: - One of two ends

    /// Takes an ended lease off a work that has two; the other one goes on.
    mutating func dropOne(_ lease: Lease) {
        if let ended = liveLease(lease) { holdings.remove(lease, of: ended.worker) }
        if works[lease.work]!.lease?.epoch == lease.epoch { works[lease.work]!.lease = works[lease.work]!.backup }
        works[lease.work]!.backup = nil
    }

    /// Ends the other lease of two, and tells its worker.
    /// - Returns: what has ended.
    @discardableResult
    mutating func endOthers(
        than lease: Lease, because why: String, isRevoking: Bool = true, at nowMilliseconds: Int64
    ) -> [LeaseRecord] {
        let work = works[lease.work]!, others = work.liveLeases.filter { $0.epoch != lease.epoch }
        for other in others {
            if let pace = pace(of: other, on: work, at: nowMilliseconds) {
                noteSlowness(of: other, on: work, stepMilliseconds: pace.stepMilliseconds, at: nowMilliseconds)
            }
            actions.append(.persist(.leaseEnded(work.id(of: other), other.worker, .revoked(why))))
            if isRevoking { revoke(work.id(of: other), of: other.worker) }
            dropOne(work.id(of: other))
        }
        return others
    }

    /// A checkpoint beyond what the other of two has reached: the replica has moved. One that has not been heard of
    /// since it was granted, or since the coordinator started, may be far ahead: it has a lease's time to say so.
    mutating func endOvertaken(by lease: Lease, _ name: WorkerName, at iteration: UInt32, _ nowMilliseconds: Int64) {
        guard let backup = works[lease.work]!.backup, backup.epoch == lease.epoch,
            let reached = works[lease.work]!.lease?.progress?.iteration, reached < iteration
        else { return }
        let why = "epoch \(lease.epoch) of \(name) has overtaken it, at iteration \(iteration)"
        endOthers(than: lease, because: why, at: nowMilliseconds)
    }
}
