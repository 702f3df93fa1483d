import Protocol

/// What a worker is and may do.
package struct WorkerSettings: Hashable, Sendable {
    /// The worker's name for people, "host:pid".
    package var name: String
    package var build: String
    package var threadCount: UInt16
    package var device: String
    package var versionMin: UInt16
    package var versionMax: UInt16
    /// The recipes it can compute.
    package var recipes: Set<String>
    /// The cache's size: work whose inputs are larger is given back.
    package var cacheBytesMax: UInt64

    package init(
        name: String, build: String, threadCount: UInt16, device: String, versionMin: UInt16, versionMax: UInt16,
        recipes: Set<String>, cacheBytesMax: UInt64
    ) {
        self.name = name
        self.build = build
        self.threadCount = threadCount
        self.device = device
        self.versionMin = versionMin
        self.versionMax = versionMax
        self.recipes = recipes
        self.cacheBytesMax = cacheBytesMax
    }
}

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
    /// Actions of the event at hand.
    private var actions: [WorkerAction] = []
    private var now: UInt64 = 0
    /// The last obstacle told, so that it is told once.
    private var toldObstacle: String?

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
        var times = [connection.wakeMilliseconds, work?.checkpointWakeMilliseconds]
        if let work {
            if work.phase == .fetching { times.append(work.fetch.wakeMilliseconds) }
            if connection.service != nil { times.append(work.delivery?.wakeMilliseconds) }
        }
        if work == nil, connection.service != nil, restUntil > now { times.append(restUntil) }
        if let drain, !connection.isClosed {
            times.append(drain.since + WorkerLimits.drainMilliseconds)
            if !drain.hasInterrupted { times.append(drain.since + WorkerLimits.drainStepMilliseconds) }
        }
        return times.compactMap { $0 }.min()
    }

    /// For people who look for a fault.
    package var situation: String {
        let work = work.map { "\($0.lease) \($0.phase)" } ?? "no work"
        return "\(connection.phase), \(work), thread \(threadLease?.description ?? "free")"
    }

    // MARK: Events

    private mutating func handle(_ event: WorkerEvent) {
        switch event {
        case .started: connection.start(atMilliseconds: now)
        case .tick: break
        case .drainRequested: startDrain()
        case .connected: greet()
        case .disconnected(let reason): lose("\(reason)")
        case .rejected(let reason): leave(.refused(reason))
        case .received(let message, let requestID): receive(message, requestID)
        case .blobHeld(let digest, let byteCount):
            if work?.phase == .fetching { work?.fetch.held(digest, byteCount: byteCount) }
        case .blobDamaged(let digest):
            guard work?.phase == .fetching, let verdict = work?.fetch.damaged(digest) else { return }
            actions.append(.log("blob \(digest) arrived damaged; fetching it again"))
            apply(verdict)
        case .storageFailed(let digest, let reason):
            if work?.phase == .fetching { work?.fetch.storageFailed(digest, because: reason, atMilliseconds: now) }
        case .progressed(let progress, let metrics):
            if work?.lease == progress.lease { work?.progressed(progress, metrics) }
        case .checkpointTaken(let lease, let taken):
            if work?.lease == lease { work?.took(taken, atMilliseconds: now) }
        case .computeEnded(let lease, let outcome): computeEnded(lease, outcome)
        }
    }

    private mutating func computeEnded(_ lease: Lease, _ outcome: ComputeOutcome) {
        precondition(threadLease == lease, "the compute thread ends what it was given")
        threadLease = nil
        guard let work, work.lease == lease else { return }
        switch outcome {
        case .done(let outputs, let reportJSON):
            self.work?.finish(outputs: outputs, reportJSON: reportJSON)
        case .cancelled:
            giveBack(.failed, "the work was interrupted without a reason")
        case .stopped(let taken?):
            self.work?.handOver(taken)
        case .stopped(nil):
            giveBack(.drained, "the worker leaves")
        case .inputsDamaged(let digests):
            actions.append(.log("\(digests.count) blobs in the cache are damaged; fetching them again"))
            actions += digests.map { .discardBlob($0) }
            self.work?.fetchAgain()
        case .inputRefused(let message):
            giveBack(.inputRefused, message)
        case .failed(let message):
            giveBack(.failed, message)
        }
    }

    // MARK: Connection

    private mutating func greet() {
        guard case .dialling = connection.phase else { return }
        let hello = Hello(
            role: .worker, versionMin: settings.versionMin, versionMax: settings.versionMax, build: settings.build,
            name: settings.name, threadCount: settings.threadCount, device: settings.device,
            held: work.map { [$0.lease] } ?? [])
        let helloID = requests.next()
        connection.greet(helloID: helloID, atMilliseconds: now)
        actions.append(.send(.hello(hello), requestID: helloID))
    }

    /// Hangs up on a coordinator that breaks the rules or has gone silent.
    private mutating func hangUp(_ reason: String) {
        guard connection.isOpen else { return }
        actions.append(.hangUp)
        lose(reason)
    }

    private mutating func lose(_ reason: String) {
        guard connection.isOpen else { return }
        let pause = connection.lose(atMilliseconds: now)
        work?.fetch.connectionLost()
        _ = work?.withDelivery { $0.connectionLost() }
        let computing = threadLease != nil && threadLease == work?.lease ? "; computing goes on" : ""
        actions.append(.log("no coordinator: \(reason); trying again in \(pause) ms\(computing)"))
    }

    private mutating func leave(_ exit: WorkerExit) {
        guard !connection.isClosed else { return }
        if let threadLease { actions.append(.cancelCompute(threadLease)) }
        if connection.isOpen { actions.append(.hangUp) }
        connection.close()
        work = nil
        actions.append(.leave(exit))
    }

    // MARK: Messages

    private mutating func receive(_ message: Message, _ requestID: RequestID) {
        connection.service?.heardAt = now
        switch connection.phase {
        case .away, .dialling, .closed: return
        case .greeting(_, let helloID):
            guard requestID == helloID else { return }
            answeredHello(message)
        case .serving:
            switch message {
            case .assignment(let assignment): assigned(assignment)
            case .revoke(let lease): abandon(lease, "the coordinator has taken it back")
            case .heartbeatAnswer: break
            default: answered(message, requestID)
            }
        }
    }

    private mutating func answeredHello(_ message: Message) {
        switch message {
        case .welcome(let welcome):
            guard welcome.version >= settings.versionMin, welcome.version <= settings.versionMax else {
                return leave(.refused(
                    "the coordinator (\(welcome.build)) speaks protocol version \(welcome.version), this worker "
                        + "\(settings.versionMin) to \(settings.versionMax): install the same quintet on both"))
            }
            connection.welcome(welcome, atMilliseconds: now)
            actions.append(.log("serving a coordinator of \(welcome.build)"))
        case .refusal(let refusal):
            switch refusal.code {
            case .version, .notAllowed, .malformed: leave(.refused(refusal.message))
            default: hangUp("it turned this worker down: \(refusal.message)")
            }
        default:
            hangUp("it answered hello with something else")
        }
    }

    private mutating func assigned(_ assignment: Assignment) {
        connection.service?.idleSaidAt = nil
        if let work {
            guard assignment.lease != work.lease else { return }
            guard assignment.lease.work == work.lease.work, assignment.lease.epoch > work.lease.epoch else {
                return decline(assignment, "the worker has other work")
            }
            abandon(work.lease, "a newer lease replaces it")
        }
        guard drain == nil else { return decline(assignment, "the worker leaves") }
        work = Work(assignment)
        let recipe = assignment.description.recipe
        actions.append(.log("\(assignment.lease): \(assignment.description.stage) of \(recipe)"))
        let blobs = assignment.description.inputs + (assignment.resume.map { [$0.blob] } ?? [])
        let largest = blobs.max { $0.byteCount < $1.byteCount }
        if !settings.recipes.contains(recipe) {
            giveBack(.failed, "this worker (\(settings.build)) does not know the recipe \(recipe): update it")
        } else if let largest, largest.byteCount > Limits.blobBytesMax {
            giveBack(.inputRefused, "\(largest.name) has \(largest.byteCount) bytes; "
                + "a blob has at most \(Limits.blobBytesMax): split it")
        } else if let work, work.fetch.wantedBytes > settings.cacheBytesMax {
            giveBack(.failed, "the inputs have \(work.fetch.wantedBytes) bytes, the worker's cache is limited to "
                + "\(settings.cacheBytesMax): give it a larger cache")
        }
    }

    /// Gives back what was never begun; said once, since the lease expires anyway.
    private mutating func decline(_ assignment: Assignment, _ reason: String) {
        actions.append(.send(.surrender(assignment.lease, .drained, reason), requestID: requests.next()))
    }

    private mutating func answered(_ message: Message, _ requestID: RequestID) {
        if let work, work.phase == .fetching, work.fetch.awaits(requestID) {
            guard let (piece, verdict) = self.work?.fetch.answered(message, requestID: requestID, atMilliseconds: now)
            else { return }
            if let piece { actions.append(piece) }
            apply(verdict)
        } else if let delivery = work?.delivery, delivery.awaits(requestID) {
            let verdict = work?.withDelivery { $0.answered(message, requestID: requestID, atMilliseconds: now) }
            if let verdict { apply(verdict, of: delivery.statement) }
        } else if case .refusal(let refusal) = message, refusal.code == .staleLease, let work {
            // A heartbeat's: the one lease it named.
            abandon(work.lease, refusal.message)
        } else if case .refusal(let refusal) = message {
            actions.append(.log("the coordinator refused: \(refusal.message)"))
        }
    }

    // MARK: Work

    private mutating func apply(_ verdict: InputFetch.Verdict) {
        switch verdict {
        case .goesOn: break
        case .violation(let reason): hangUp(reason)
        case .hopeless(let reason): giveBack(.failed, reason)
        }
    }

    private mutating func apply(_ verdict: Delivery.Verdict, of statement: Delivery.Statement) {
        guard let lease = work?.lease else { return }
        switch (verdict, statement) {
        case (.goesOn, _): break
        case (.violation(let reason), _): hangUp(reason)
        case (.stale, _): abandon(lease, "the coordinator has given it to another worker")
        case (.settled, .checkpoint(let checkpoint)):
            guard work?.settleCheckpoint(checkpoint) == true else { return }
            actions.append(.log("\(lease): checkpoint of iteration \(checkpoint.iteration) is safe"))
            if work?.phase == .handingOver { giveBack(.drained, "the worker leaves") }
        case (.settled, .result):
            actions.append(.log("\(lease): done"))
            failureStreak = 0
            work = nil
        case (.settled, .surrender), (.hopeless, .surrender):
            work = nil
        case (.hopeless(let reason), .checkpoint):
            actions.append(.log("\(lease): the coordinator does not take a checkpoint: \(reason)"))
            work?.dropCheckpoint()
            if work?.phase == .handingOver { giveBack(.drained, "the worker leaves; \(reason)") }
        case (.hopeless(let reason), .result):
            giveBack(.failed, "the coordinator does not take the result: \(reason)")
        }
    }

    private mutating func giveBack(_ reason: SurrenderReason, _ message: String) {
        guard let lease = work?.lease else { return }
        actions.append(.log("\(lease): given back: \(message)"))
        work?.giveBack(reason, message)
        guard reason == .failed else { return }
        let rest = WorkerLimits.restFirstMilliseconds << min(failureStreak, 16)
        restUntil = now + min(rest, WorkerLimits.restLastMilliseconds)
        failureStreak += 1
    }

    /// Nothing of this lease will be accepted any more.
    private mutating func abandon(_ lease: Lease, _ reason: String) {
        guard work?.lease == lease else { return }
        actions.append(.log("\(lease): abandoned: \(reason)"))
        work = nil
        if threadLease == lease { actions.append(.cancelCompute(lease)) }
    }

    // MARK: Leaving

    private mutating func startDrain() {
        guard drain == nil, !connection.isClosed else { return }
        drain = (since: now, hasInterrupted: false)
        guard let work else { return }
        actions.append(.log("leaving; \(work.lease) is handed back"))
        switch work.phase {
        case .fetching: giveBack(.drained, "the worker leaves")
        case .computing:
            self.work?.stop()
            actions.append(.stopCompute(work.lease))
        case .stopping, .delivering, .handingOver, .givingBack: break
        }
    }

    private mutating func pumpDrain() {
        guard let drain else { return }
        if work == nil && threadLease == nil || now >= drain.since + WorkerLimits.drainMilliseconds {
            return leave(.drained)
        }
        if !drain.hasInterrupted, now >= drain.since + WorkerLimits.drainStepMilliseconds {
            self.drain?.hasInterrupted = true
            if let work, work.phase == .stopping { actions.append(.interruptStep(work.lease)) }
        }
    }

    // MARK: Whatever is due

    /// Level-triggered: looks at the state, not at the event, so nothing that is due is ever forgotten.
    private mutating func pump() {
        pumpDrain()
        pumpConnection()
        pumpWork()
        tellObstacle()
    }

    private mutating func pumpConnection() {
        switch connection.phase {
        case .closed: return
        case .away(let retryAt):
            guard now >= retryAt else { return }
            connection.dial(atMilliseconds: now)
            actions.append(.dial)
        case .dialling(let until):
            if now >= until { hangUp("it does not answer") }
        case .greeting(let until, _):
            if now >= until { hangUp("it does not say welcome") }
        case .serving(let service):
            if now >= service.silenceEndsAt { return hangUp("it has gone silent") }
            if now >= service.heartbeatAt {
                connection.service?.heartbeatAt = now + service.heartbeatMilliseconds
                actions.append(.send(.heartbeat(work.map { [$0.report] } ?? []), requestID: requests.next()))
            }
            if work == nil, threadLease == nil, drain == nil, now >= restUntil {
                // Said again after a lease's time, should it have been lost.
                if let saidAt = service.idleSaidAt, now < saidAt + service.leaseMilliseconds { return }
                connection.service?.idleSaidAt = now
                actions.append(.send(.idle, requestID: 0))
            }
        }
    }

    private mutating func pumpWork() {
        let isServing = connection.service != nil
        if work?.phase == .fetching {
            actions += work?.fetch.pump(isServing: isServing, requests: &requests, atMilliseconds: now) ?? []
            if let work, work.fetch.isComplete, threadLease == nil {
                self.work?.startComputing(atMilliseconds: now)
                threadLease = work.lease
                actions.append(.compute(work.assignment))
            }
        }
        if let work, work.isCheckpointDue(isServing: isServing, atMilliseconds: now) {
            self.work?.askedForCheckpoint()
            actions.append(.takeCheckpoint(work.lease))
        }
        if isServing { actions += work?.pumpDelivery(requests: &requests, atMilliseconds: now) ?? [] }
    }

    private mutating func tellObstacle() {
        let obstacle = work?.phase == .fetching ? work?.fetch.obstacle : work?.delivery?.obstacle
        if let obstacle, obstacle != toldObstacle {
            let seconds = WorkerLimits.pauseMilliseconds / 1_000
            actions.append(.log("\(obstacle); trying again every \(seconds) s"))
        }
        toldObstacle = obstacle
    }
}
