import Protocol

/// Decides everything a worker does; does nothing itself: events in, actions out, the time a parameter. So whole
/// clusters run in a simulation, and each promise is a transcript (Tests/WorkerTests/Transcripts).
///
/// Between two events a worker is in one state of each of three machines, nearly independent of one another:
///
/// - the connection (`Connection`): away, dialling, greeting, serving, closed;
/// - each piece of work (`Work`): fetching, computing, stopping, uploading, handingOver, givingBack. While one is
///   computed, one more is fetched and earlier ones are uploaded (WorkerStateSlots.swift says how many and how much);
/// - the compute thread: free, or running a lease. That is one of theirs, or one that was revoked while the thread had
///   not noticed yet.
///
/// What ties them together:
///
/// - Losing the connection changes the work not at all: computing goes on, checkpoints replace one another, a
///   result waits. After the next `welcome` fetching, uploading and statements go on where they were; `hello`
///   names the leases, and where work has moved on meanwhile, the coordinator revokes it.
/// - `revoke`, or a statement refused as stale, ends the work at once, whatever its state. The thread is told to stop;
///   it may need a moment, in which nothing new starts. Where it needs long, what waits behind it is given back.
/// - `idle` is said when serving, with no wish to leave and room for more (WorkerStateSlots.swift); after work that
///   failed here, only after a rest that grows with every failure in a row; what waited behind it is given back.
/// - Computing that shows no progress for `settings.progressMilliseconds` hangs: the work is given back as failed, so
///   that another worker gets it. Heartbeats alone, which come from another thread, would keep the lease for ever. The
///   thread is told to stop; until it does, this worker asks for nothing.
/// - A cache that is full or has errors is waited for, and people are told, for 30 s. Then the work is given back as
///   failed, so that another worker gets it, and this one asks for none before its cache would take what it did not.
/// - Leaving (`drainRequested`): what is fetched or waits is given back, results are uploaded; computing stops after
///   the current step (interrupted after 3 s), its checkpoint is uploaded, the lease given back. Then, or after 10 s
///   whatever happened, the worker is gone.
package struct WorkerState: Sendable {
    package let settings: WorkerSettings
    var connection: Connection
    /// In the order of their assignments.
    var works: [Work] = []
    /// What the compute thread runs; nil: it is free.
    var threadLease: Lease?
    /// Since when nobody wants what it runs.
    var threadLeftAt: UInt64?
    /// When leaving was asked for, and whether the current step has been interrupted for it.
    var drain: (since: UInt64, hasInterrupted: Bool)?
    var requests = RequestNumbers()
    /// The latest heartbeat's number.
    var heartbeatID: RequestID = 0
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
        let isServing = connection.service != nil
        var times = [connection.wakeMilliseconds, handOnMilliseconds]
        for work in works {
            times.append(work.checkpointWakeMilliseconds(isServing: isServing))
            if work.phase == .fetching { times.append(work.fetch.wakeMilliseconds) }
            times.append(work.stuckMilliseconds(settings))
        }
        if isServing { times += uploadsAtHand.map { works[$0].upload?.wakeMilliseconds } }
        if isServing, restUntil > now, wantsMore { times.append(restUntil) }
        if let drain, !connection.isClosed {
            times.append(drain.since + WorkerLimits.drainMilliseconds)
            if !drain.hasInterrupted { times.append(drain.since + WorkerLimits.drainStepMilliseconds) }
        }
        return times.compactMap { $0 }.min()
    }

    /// What is still to be read; the cache must not throw it away.
    package var neededDigests: Set<[UInt8]> {
        Set(works.filter(\.isToBeComputed).flatMap { $0.assignment.blobs.map(\.digest.bytes) })
    }

    /// The connection's phase and those of the works, to count what a test has been through.
    package var phases: (connection: String, works: [Lease: String]) {
        let works = works.map { ($0.lease, $0.phase.name) }
        return (connection.phase.name, Dictionary(works) { first, _ in first })
    }

    /// For people who look for a fault.
    package var situation: String {
        let work = works.isEmpty ? "no work" : works.map { "\($0.lease) \($0.phase)" }.joined(separator: ", ")
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
            for index in fetching(digest) { works[index].fetch.held(digest, byteCount: byteCount) }
        case .blobDamaged(let digest): arrivedDamaged(digest)
        case .storageFull(let digest, let reason), .storageFailed(let digest, let reason):
            for index in fetching(digest) {
                works[index].fetch.storageFailed(digest, because: reason, atMilliseconds: now)
            }
        case .cacheProbed(let problem): cacheProbed(problem)
        case .progressed(let progress, let metrics):
            change(progress.lease) { [now] in $0.progressed(progress, metrics, atMilliseconds: now) }
        case .checkpointTaken(let lease, let taken): change(lease) { [now] in $0.took(taken, atMilliseconds: now) }
        case .sharedMissing(let digest, let reason): sharedMissing(digest, reason)
        case .computeEnded(let lease, let outcome): computeEnded(lease, outcome)
        }
    }

    // MARK: Whatever is due

    /// Level-triggered: looks at the state, not at the event, so nothing that is due is ever forgotten.
    mutating func pump() {
        pumpDrain()
        pumpConnection()
        pumpWork()
        askForWork()
        tellObstacle()
    }

    mutating func tellObstacle() {
        let obstacles = works.lazy.compactMap { $0.phase == .fetching ? $0.fetch.obstacle : $0.upload?.obstacle }
        let obstacle = obstacles.first
        if let obstacle, obstacle != toldObstacle {
            let seconds = WorkerLimits.pauseMilliseconds / 1_000
            actions.append(.problem("\(obstacle); trying again every \(seconds) s"))
        }
        toldObstacle = obstacle
    }
}
