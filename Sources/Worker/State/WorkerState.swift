import Protocol

/// Decides everything a worker does; does nothing itself: events in, actions out, the time a parameter. So whole
/// clusters run in a simulation, and each promise is a transcript (Tests/WorkerTests/Transcripts).
///
/// Between two events a worker is in one state of each of three machines, nearly independent of one another:
///
/// - the connection (`Connection`): away, dialling, greeting, serving, closed;
/// - the work (`Work`): none, fetching, computing, stopping, delivering, handingOver, givingBack;
/// - the compute thread: free, or running a lease. That is the work's lease, or one that was revoked while the thread
///   had not noticed yet.
///
/// What ties them together:
///
/// - Losing the connection changes the work not at all: computing goes on, checkpoints replace one another, a
///   result waits. After the next `welcome` fetching, uploading and statements go on where they were; `hello`
///   names the lease, and if the work has moved on meanwhile, the coordinator revokes it.
/// - `revoke`, or a statement refused as stale, ends the work at once, whatever its state. The thread is told to stop;
///   it may need a moment, in which nothing new starts.
/// - `idle` is said when serving, with no work, a free thread and no wish to leave; after work that failed here, only
///   after a rest that grows with every failure in a row.
/// - Computing that shows no progress for `settings.progressMilliseconds` hangs: the work is given back as failed, so
///   that another worker gets it. Heartbeats alone, which come from another thread, would keep the lease for ever. The
///   thread is told to stop; until it does, this worker asks for nothing.
/// - A cache that is full or has errors is waited for, and people are told, for 30 s. Then the work is given back as
///   failed, so that another worker gets it, and this one asks for none before its cache would take what it did not.
/// - Leaving (`drainRequested`): fetching and finished-with work is given back or delivered; computing stops after the
///   current step (interrupted after 3 s), its checkpoint is delivered, the lease given back. Then, or after 10 s
///   whatever happened, the worker is gone.
package struct WorkerState: Sendable {
    package let settings: WorkerSettings
    var connection: Connection
    var work: Work?
    /// What the compute thread runs; nil: it is free.
    var threadLease: Lease?
    /// When leaving was asked for, and whether the current step has been interrupted for it.
    var drain: (since: UInt64, hasInterrupted: Bool)?
    var requests = RequestNumbers()
    /// How often in a row work failed here, and until when no more is asked for: a worker whose memory or disk is
    /// broken must not use up every work's attempts within a second.
    var failureStreak: UInt64 = 0
    var restUntil: UInt64 = 0
    /// Bytes that the cache did not take when work was given back for it; nil once it would, and whether it is being
    /// asked.
    var untakenBytes: UInt64?
    var isProbing = false
    /// Actions of the event at hand.
    var actions: [WorkerAction] = []
    var now: UInt64 = 0
    /// The last obstacle told, so that it is told once.
    var toldObstacle: String?

    package init(_ settings: WorkerSettings) {
        self.settings = settings
        connection = Connection(name: settings.name)
    }

    /// The one door. Time never runs backwards.
    package mutating func apply(_ event: WorkerEvent, atMilliseconds time: UInt64) -> [WorkerAction] {
        precondition(time >= now, "time never runs backwards")
        now = time
        handle(event)
        pump()
        defer { actions = [] }
        return actions
    }

    /// When `tick` is due if nothing happens before; nil: never.
    package var wakeMilliseconds: UInt64? {
        var times = [
            connection.wakeMilliseconds,
            work?.checkpointWakeMilliseconds(isServing: connection.service != nil),
        ]
        if let work {
            if work.phase == .fetching { times.append(work.fetch.wakeMilliseconds) }
            times.append(work.stuckMilliseconds(settings))
            if connection.service != nil { times.append(work.delivery?.wakeMilliseconds) }
        }
        if work == nil, connection.service != nil, restUntil > now { times.append(restUntil) }
        if let drain, !connection.isClosed {
            times.append(drain.since + WorkerLimits.drainMilliseconds)
            if !drain.hasInterrupted { times.append(drain.since + WorkerLimits.drainStepMilliseconds) }
        }
        return times.compactMap { $0 }.min()
    }

    /// What the work reads; the cache must not throw it away.
    package var neededDigests: Set<[UInt8]> {
        guard let assignment = work?.assignment else { return [] }
        let blobs = assignment.description.inputs + (assignment.resume.map { [$0.blob] } ?? [])
        return Set(blobs.map(\.digest.bytes))
    }

    /// The connection's and the work's phase, to count what a test has been through; "none" without work.
    package var phases: (connection: String, work: String) { (connection.phase.name, work?.phase.name ?? "none") }

    /// For people who look for a fault.
    package var situation: String {
        let work = work.map { "\($0.lease) \($0.phase)" } ?? "no work"
        return "\(connection.phase), \(work), thread \(threadLease?.description ?? "free")"
    }

    // MARK: Events

    mutating func handle(_ event: WorkerEvent) {
        switch event {
        case .started: connection.start(atMilliseconds: now)
        case .tick: break
        case .drainRequested: startDrain()
        case .connected: greet()
        case .disconnected(let reason): lose("\(reason)")
        case .rejected(let reason): reject(reason)
        case .received(let message, let requestID): receive(message, requestID)
        case .blobHeld(let digest, let byteCount):
            if work?.phase == .fetching { work?.fetch.held(digest, byteCount: byteCount) }
        case .blobDamaged(let digest):
            guard work?.phase == .fetching, let verdict = work?.fetch.damaged(digest) else { return }
            actions.append(.problem("blob \(digest) arrived damaged; fetching it again"))
            apply(verdict)
        case .storageFull(let digest, let reason), .storageFailed(let digest, let reason):
            if work?.phase == .fetching { work?.fetch.storageFailed(digest, because: reason, atMilliseconds: now) }
        case .cacheProbed(let problem): cacheProbed(problem)
        case .progressed(let progress, let metrics):
            if work?.lease == progress.lease { work?.progressed(progress, metrics, atMilliseconds: now) }
        case .checkpointTaken(let lease, let taken):
            if work?.lease == lease { work?.took(taken, atMilliseconds: now) }
        case .computeEnded(let lease, let outcome): computeEnded(lease, outcome)
        }
    }

    // MARK: Whatever is due

    /// Level-triggered: looks at the state, not at the event, so nothing that is due is ever forgotten.
    mutating func pump() {
        pumpDrain()
        pumpConnection()
        pumpWork()
        tellObstacle()
    }

    mutating func tellObstacle() {
        let obstacle = work?.phase == .fetching ? work?.fetch.obstacle : work?.delivery?.obstacle
        if let obstacle, obstacle != toldObstacle {
            let seconds = WorkerLimits.pauseMilliseconds / 1_000
            actions.append(.problem("\(obstacle); trying again every \(seconds) s"))
        }
        toldObstacle = obstacle
    }
}
