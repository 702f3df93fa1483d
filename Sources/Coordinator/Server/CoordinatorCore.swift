import Platform
import Protocol

/// Between the bytes and the decisions: knows the peers, turns their messages into events of the scheduler, commits,
/// and says what is to be sent. One thread; it waits for nothing but the store's commit.
final class CoordinatorCore {
    let configuration: CoordinatorConfiguration
    let blobs: BlobDirectory
    let store: Store
    private(set) var scheduler: Scheduler
    private(set) var peers: [ConnectionID: Peer] = [:]
    /// Peers with frames left for the next turn; nothing more is to be read from them until then.
    private(set) var unfinished: Set<ConnectionID> = []
    private var workerConnections: [WorkerName: ConnectionID] = [:]
    private var turn = Turn()
    /// What workers have shown to have.
    let sent = SentBlobs()
    /// Of all peers.
    private var staleResults = MinuteCount()
    /// What people have to do something about, as long as it lasts: the disk that takes nothing.
    private var problem: String?
    /// Blobs that nothing refers to any more and that somebody may still be fetching.
    private var retained: Set<ContentDigest> = []

    init(configuration: CoordinatorConfiguration, store: Store, blobs: BlobDirectory, nowMilliseconds: UInt64) throws {
        self.configuration = configuration
        self.store = store
        self.blobs = blobs
        let settings = Scheduler.Configuration(leaseMilliseconds: configuration.leaseMilliseconds)
        scheduler = Scheduler(
            configuration: settings, recovering: try store.recover(), after: try store.lastNumbers(),
            at: Int64(nowMilliseconds))
        follow(scheduler.resume(), at: nowMilliseconds)
    }

    // MARK: - Connections

    func accepted(_ connection: ConnectionID, address: String, at now: UInt64) {
        peers[connection] = Peer(connection: connection, address: address, nowMilliseconds: now)
        let strangers = peers.values.filter { $0.role == .unknown && !$0.isClosing }
        let neighbours = strangers.filter { $0.machine == peers[connection]!.machine }
        let crowd = neighbours.count > Limits.connectionsBeforeWelcomePerAddressMax
            ? neighbours : strangers.count > Limits.connectionsBeforeWelcomeMax ? strangers : []
        if let oldest = crowd.map(\.connection).min() {
            drop(oldest, "it had not said hello when its place was needed")
        }
    }

    func closed(_ connection: ConnectionID, at now: UInt64) {
        unfinished.remove(connection)
        guard let peer = peers.removeValue(forKey: connection), case .worker(let name) = peer.role else { return }
        workerConnections[name] = nil
        apply(.workerDisconnected(name), at: now)
    }

    func received(_ bytes: [UInt8], on connection: ConnectionID, at now: UInt64) {
        guard peers[connection] != nil, peers[connection]!.isClosing == false else { return }
        peers[connection]!.heardMilliseconds = now
        peers[connection]!.decoder.append(bytes)
        takeFrames(of: connection, at: now)
    }

    /// Goes on with those who said more than one turn's share. Returns whom to read from again.
    func goOn(at now: UInt64) -> [ConnectionID] {
        let before = unfinished
        unfinished = []
        for connection in before where peers[connection]?.isClosing == false { takeFrames(of: connection, at: now) }
        return before.filter { !unfinished.contains($0) }
    }

    /// As much as one peer may say before the others have their turn; what is slow to answer ends its turn.
    private func takeFrames(of connection: ConnectionID, at now: UInt64) {
        // A message that has begun before counts from this moment; good enough for a deadline.
        let began = peers[connection]!.frameBeganMilliseconds
        peers[connection]!.frameBeganMilliseconds = nil
        var frameCount = 0
        do {
            while let frame = try peers[connection]?.decoder.next() {
                frameCount += 1
                let (requestID, message) = try MessageCoding.decode(frame)
                receive(message, requestID, on: connection, at: now)
                if peers[connection]?.isClosing != false { return }
                if message.isQuestion || frameCount == Limits.framesPerTurnMax {
                    unfinished.insert(connection)
                    return
                }
            }
        } catch {
            refuse(error.refusal, 0, connection)
            return hangUp(connection, "\(error)")
        }
        guard peers[connection]!.decoder.isInsideFrame else { return }
        peers[connection]!.frameBeganMilliseconds = frameCount == 0 ? began ?? now : now
    }

    private func hangUp(_ connection: ConnectionID, _ reason: String) {
        guard peers[connection] != nil else { return }
        peers[connection]!.isClosing = true
        turn.outgoing.append(.close(connection, reason: reason))
    }

    /// At once, without waiting for a peer that is not expected to listen.
    private func drop(_ connection: ConnectionID, _ reason: String) {
        guard peers[connection] != nil else { return }
        peers[connection]!.isClosing = true
        turn.outgoing.append(.abort(connection, reason: reason))
    }

    /// A blob request of this peer has been answered. One that uploads something else than it says, again and again,
    /// is sent away.
    func answered(_ connection: ConnectionID, _ answer: Message) {
        peers[connection]?.openRequestCount -= 1
        if case .refusal(let refusal) = answer, refusal.code == .diskFull { problem = refusal.message }
        if case .blobOffset = answer { problem = nil }
        guard case .refusal(let refusal) = answer, refusal.code == .damaged || refusal.code == .malformed,
            peers[connection]?.isClosing == false
        else { return }
        peers[connection]!.blobFaultCount += 1
        if peers[connection]!.blobFaultCount > Limits.blobFaultsMax {
            hangUp(connection, "its blobs are not what it says: \(refusal.message)")
        }
    }

    /// Everything that was sent to this peer has left.
    func drained(_ connection: ConnectionID) { peers[connection]?.openQuestionCount = 0 }

    // MARK: - Messages

    private func receive(_ message: Message, _ requestID: UInt32, on connection: ConnectionID, at now: UInt64) {
        switch (peers[connection]!.role, message) {
        case (.unknown, .hello(let hello)): greet(hello, requestID, connection, at: now)
        case (.unknown, _):
            refuse(.notAllowed, "say hello first", requestID, connection)
            hangUp(connection, "it did not say hello")
        case (.replaced, _): break
        case (_, .blobGet), (_, .blobOffer), (_, .blobPut): receiveBlob(message, requestID, connection)
        case (.worker(let name), _): receive(message, requestID, from: name, connection, at: now)
        case (.client, _): receive(message, requestID, fromClient: connection, at: now)
        }
    }

    private func greet(_ hello: Hello, _ requestID: UInt32, _ connection: ConnectionID, at now: UInt64) {
        let outcome = VersionNegotiation.choose(
            ourBuild: configuration.build, theirMin: hello.versionMin, theirMax: hello.versionMax,
            theirBuild: hello.build)
        guard case .agreed(let version) = outcome else {
            if case .refused(let refusal) = outcome { refuse(refusal, requestID, connection) }
            return hangUp(
                connection, VersionNegotiation.spoken(hello.versionMin, hello.versionMax, by: hello.build))
        }
        if hello.role == .worker && hello.name.isEmpty {
            refuse(.malformed, "a worker needs a name", requestID, connection)
            return hangUp(connection, "a worker without a name")
        }
        peers[connection]!.decoder.frameBytesMax = Limits.frameBytesMax
        let welcome = Welcome(
            version: version, build: configuration.build, heartbeatMilliseconds: configuration.heartbeatMilliseconds,
            leaseMilliseconds: UInt32(configuration.leaseMilliseconds))
        turn.outgoing.append(.send(.welcome(welcome), requestID: requestID, to: connection))
        guard hello.role == .worker else {
            peers[connection]!.role = .client
            return
        }
        if let old = workerConnections[hello.name] {
            peers[old]?.role = .replaced
            hangUp(old, "the worker has connected again")
        }
        peers[connection]!.role = .worker(hello.name)
        workerConnections[hello.name] = connection
        let facts = WorkerFacts(
            build: hello.build, device: hello.device, threadCount: Int(hello.threadCount),
            memoryByteCount: hello.memoryByteCount)
        apply(.workerConnected(hello.name, facts, held: hello.held), at: now)
        for lease in hello.held { peers[connection]!.leases.add(lease) }
    }

    private func receiveBlob(_ message: Message, _ requestID: UInt32, _ connection: ConnectionID) {
        peers[connection]!.openRequestCount += 1
        if peers[connection]!.openRequestCount > Limits.openRequestsMax {
            refuse(.limit, "more than \(Limits.openRequestsMax) open requests", requestID, connection)
            return hangUp(connection, "too many open requests")
        }
        guard case .worker(let name) = peers[connection]!.role else {
            return turn.outgoing.append(.blob(message, requestID: requestID, from: connection, sender: nil))
        }
        if let refusal = peers[connection]!.leases.refusal(of: message, from: name, by: scheduler) {
            peers[connection]!.openRequestCount -= 1
            return refuse(refusal, requestID, connection)
        }
        var isReadable = false
        if case .blobOffer(let digest, _) = message {
            isReadable = peers[connection]!.leases.reads(digest, by: scheduler)
        }
        turn.outgoing.append(
            .blob(message, requestID: requestID, from: connection, sender: isReadable ? nil : name))
    }

    private func receive(
        _ message: Message, _ requestID: UInt32, from name: WorkerName, _ connection: ConnectionID, at now: UInt64
    ) {
        switch message {
        case .idle: apply(.idle(name), connection, requestID, at: now)
        case .heartbeat(let progress): apply(.heartbeat(name, progress), connection, requestID, at: now)
        case .checkpointSaved(let lease, let checkpoint, let metrics):
            guard mayState([checkpoint.blob], metrics, lease, name, requestID, connection, at: now) else { return }
            apply(.checkpointSaved(name, lease, checkpoint, metrics), connection, requestID, at: now)
        case .finished(let result):
            guard mayState(result.outputs, result.metrics, result.lease, name, requestID, connection, at: now) else {
                return
            }
            apply(.finished(name, result), connection, requestID, at: now)
        case .surrender(let lease, let reason, let text):
            apply(.surrendered(name, lease, reason, Texts.bounded(text)), connection, requestID, at: now)
        default: refuse(.notAllowed, "a worker does not say this", requestID, connection)
        }
    }

    private func receive(
        _ message: Message, _ requestID: UInt32, fromClient connection: ConnectionID, at now: UInt64
    ) {
        if message.isQuestion {
            peers[connection]!.openQuestionCount += 1
            if peers[connection]!.openQuestionCount > Limits.openQuestionsMax {
                refuse(.limit, "more than \(Limits.openQuestionsMax) questions at a time", requestID, connection)
                return hangUp(connection, "it asks on and on without taking the answers")
            }
        }
        switch message {
        case .submit(let submission): submit(submission, requestID, connection, at: now)
        case .cancel(let run): apply(.cancel(run), connection, requestID, at: now)
        case .forget(let run): apply(.forget(run), connection, requestID, at: now)
        case .pause(let run): apply(.pause(run), connection, requestID, at: now)
        case .resume(let run): apply(.resume(run), connection, requestID, at: now)
        case .prioritise(let run, let priority): apply(.prioritise(run, priority), connection, requestID, at: now)
        case .drain(let worker): apply(.drain(worker), connection, requestID, at: now)
        case .statusRequest, .outputsRequest, .metricsRequest:
            turn.outgoing.append(.read(message, requestID: requestID, from: connection))
        default: refuse(.notAllowed, "a client does not say this", requestID, connection)
        }
    }

    private func submit(_ submission: Submission, _ requestID: UInt32, _ connection: ConnectionID, at now: UInt64) {
        var volumes: [VolumeSubmission] = []
        guard hasBlobs(submission.inputs, requestID, connection) else { return }
        if let manifest = submission.volumeManifest {
            guard hasBlobs([manifest], requestID, connection) else { return }
            do {
                guard manifest.byteCount <= UInt64(Limits.manifestBytesMax) else {
                    throw CoordinatorError("it has \(manifest.byteCount) bytes, at most \(Limits.manifestBytesMax)")
                }
                volumes = try VolumeManifest.decode(
                    try blobs.read(manifest.digest.bytes, offset: 0, count: Int(manifest.byteCount)))
            } catch {
                return refuse(.malformed, "the list of volumes cannot be read: \(error)", requestID, connection)
            }
            guard hasBlobs(volumes.flatMap(\.inputs), requestID, connection) else { return }
        }
        let request = RunRequest(
            kind: submission.kind, recipe: submission.recipe, parameters: submission.parameters,
            seed: submission.seed, replicaCount: Int(submission.replicaCount),
            iterationCount: submission.iterationCount, checkpointSeconds: submission.checkpointSeconds,
            inputs: submission.inputs, volumes: volumes, idempotencyKey: submission.idempotencyKey,
            label: submission.label, submitter: submission.submitter, memoryByteCount: submission.memoryByteCount)
        apply(.submit(request), connection, requestID, at: now)
    }

    /// Whether what a worker says it has made may be asked of the scheduler; refuses it where not. What counts for
    /// nothing anyway is the scheduler's to refuse, whatever has become of the upload, as long as there is not too
    /// much of it.
    private func mayState(
        _ outputs: [BlobReference], _ metrics: [TrainingMetric], _ lease: Lease, _ name: WorkerName,
        _ requestID: UInt32, _ connection: ConnectionID, at now: UInt64
    ) -> Bool {
        switch scheduler.standing(of: lease, of: name) {
        case .accepted: return true
        case .stale: return mayBeStale(lease, requestID, connection, at: now)
        case .running, .lapsed: break
        }
        let iterationCount = scheduler.runs[scheduler.works[lease.work]!.run]!.request.iterationCount
        if let beyond = metrics.first(where: { $0.iteration > iterationCount }) {
            let text = "figures of iteration \(beyond.iteration) of \(lease), which has \(iterationCount)"
            refuse(.malformed, text, requestID, connection)
            return false
        }
        guard hasBlobs(outputs, requestID, connection) else { return false }
        let readable = scheduler.digestsRead(under: lease)
        for blob in outputs where blob.byteCount > 0 && !readable.contains(blob.digest) {
            if sent.hasSent(name, blob.digest) { continue }
            let text = "blob \(blob.digest) ('\(blob.name)') has not come from '\(name)'; upload it first"
            refuse(.unknown, text, requestID, connection)
            return false
        }
        return true
    }

    /// Each one is a row in the audit and a line in the log: not for ever.
    private func mayBeStale(
        _ lease: Lease, _ requestID: UInt32, _ connection: ConnectionID, at now: UInt64
    ) -> Bool {
        guard peers[connection]!.staleResults.note(at: now) <= configuration.limits.staleResultsMax else {
            refuse(.limit, "too many results under leases that do not count", requestID, connection)
            hangUp(connection, "it goes on stating results under leases that do not count")
            return false
        }
        guard staleResults.note(at: now) > configuration.limits.staleResultsRecordedMax else { return true }
        refuse(.staleLease, "\(lease) does not count; stop working on it", requestID, connection)
        return false
    }

    /// Whether these blobs are all here; refuses the request where one is not.
    private func hasBlobs(_ wanted: [BlobReference], _ requestID: UInt32, _ connection: ConnectionID) -> Bool {
        for blob in wanted {
            let found = blobs.byteCount(of: blob.digest.bytes)
            guard found != blob.byteCount else { continue }
            let what = "blob \(blob.digest) ('\(blob.name)')"
            if let found {
                refuse(.malformed, "\(what) has \(found) bytes, not \(blob.byteCount)", requestID, connection)
            } else {
                refuse(.unknown, "\(what) is not here; upload it first", requestID, connection)
            }
            return false
        }
        return true
    }

    private func refuse(_ code: RefusalCode, _ text: String, _ requestID: UInt32, _ connection: ConnectionID) {
        refuse(Refusal(code: code, message: Texts.bounded(text)), requestID, connection)
    }

    private func refuse(_ refusal: Refusal, _ requestID: UInt32, _ connection: ConnectionID) {
        turn.outgoing.append(.send(.refusal(refusal), requestID: requestID, to: connection))
    }

    // MARK: - Events and what follows

    func voted(_ work: WorkID, _ votes: [BlobReference], _ outcome: VoteCounter.Outcome, at now: UInt64) {
        switch outcome {
        case .voted(let blob):
            // The same bytes may have been the vote on another volume that was finished and forgotten meanwhile.
            if blobs.byteCount(of: blob.digest.bytes) != blob.byteCount {
                turn.outgoing.append(.vote(work, votes))
            } else {
                apply(.voted(work, blob), at: now)
            }
        case .useless(let why): apply(.voteFailed(work, why), at: now)
        case .later: turn.outgoing.append(.vote(work, votes))
        }
    }

    func inputDamaged(_ work: WorkID, _ digest: ContentDigest, at now: UInt64) {
        apply(.inputDamaged(work, digest, unsent: nil), at: now)
    }

    func verified(_ work: WorkID, at now: UInt64) { apply(.verified(work), at: now) }

    /// A file that runs may use where it lies; known again after a restart.
    func remember(external digest: ContentDigest, byteCount: UInt64, path: String) {
        do {
            try store.registerExternalBlob(
                digest, byteCount: byteCount, path: path, wallMilliseconds: Int64(WallClock.nowSeconds() * 1000))
        } catch {
            configuration.log.problem("\(path) will not be known after a restart: \(error)")
        }
    }

    func tick(at now: UInt64, awayMilliseconds: Int64) {
        if awayMilliseconds > configuration.leaseMilliseconds / 2 {
            apply(.wasAway, at: now)
        }
        apply(.tick, at: now)
        let silence = UInt64(3 * configuration.leaseMilliseconds)
        for peer in peers.values where !peer.isClosing {
            let reason = peer.overdue(at: now, silenceMilliseconds: silence, configuration.limits)
            if let reason { drop(peer.connection, reason) }
        }
    }

    private func apply(
        _ event: SchedulerEvent, _ connection: ConnectionID? = nil, _ requestID: UInt32 = 0, at now: UInt64
    ) {
        follow(scheduler.apply(event, at: Int64(now)), connection, requestID, at: now)
    }

    private func follow(
        _ actions: [SchedulerAction], _ connection: ConnectionID? = nil, _ requestID: UInt32 = 0, at now: UInt64
    ) {
        for action in actions {
            switch action {
            case .persist(let change): turn.changes.append(change)
            case .answer(let message):
                guard let connection else { continue }
                var message = message
                if case .refusal(let refusal) = message {
                    message = .refusal(Refusal(code: refusal.code, message: Texts.bounded(refusal.message)))
                }
                turn.outgoing.append(.send(message, requestID: requestID, to: connection))
            case .send(let message, let name):
                if case .assignment(let assignment) = message, let resume = assignment.resume,
                    blobs.byteCount(of: resume.blob.digest.bytes) != resume.blob.byteCount
                {
                    let lease = assignment.lease
                    // Cut: kept by its name for whoever wants to know why.
                    do { try blobs.setAside(resume.blob.digest.bytes) } catch { configuration.log.problem("\(error)") }
                    apply(.inputDamaged(lease.work, resume.blob.digest, unsent: lease), at: now)
                    continue
                }
                guard let worker = workerConnections[name] else { continue }
                if case .assignment(let assignment) = message { peers[worker]?.leases.add(assignment.lease) }
                turn.outgoing.append(.send(message, requestID: 0, to: worker))
            case .vote(let work, let votes): turn.outgoing.append(.vote(work, votes))
            case .discard(let digest): discard(digest, of: connection)
            case .verify(let work, let suspects): turn.outgoing.append(.verify(work, suspects))
            }
        }
    }

    /// Whatever a worker names under a lease that does not count, only its own upload goes.
    private func discard(_ digest: ContentDigest, of connection: ConnectionID?) {
        guard let connection, case .worker(let name)? = peers[connection]?.role, sent.hasSent(name, digest) else {
            return
        }
        turn.discarded.append(digest)
    }

    /// Commits the turn. What is returned may be said and done now.
    /// - Throws: when the store cannot even be read any more.
    func endTurn(at now: UInt64) throws -> [Outgoing] {
        let ended = turn
        turn = Turn()
        guard !ended.changes.isEmpty else {
            removeBlobs(ended.discarded)
            return ended.outgoing
        }
        do {
            let folder = configuration.stateDirectory
            if case .fail(let code) = Failpoint.hit("store.beforeCommit", detail: folder) {
                throw FileError(operation: "commit", path: folder, code: code)
            }
            let wall = Int64(WallClock.nowSeconds() * 1000)
            let released = try store.commit(ended.changes, wallMilliseconds: wall)
            _ = Failpoint.hit("store.afterCommit", detail: folder)
            problem = nil
            removeBlobs(released + ended.discarded)
            for change in ended.changes { if let level = change.logLevel { configuration.log(level, "\(change)") } }
            return ended.outgoing
        } catch {
            return try startAgain(after: error, ended, at: now)
        }
    }

    /// Those that nothing refers to, once nobody is about to begin with them.
    private func removeBlobs(_ candidates: [ContentDigest]) {
        retained.formUnion(candidates)
        guard !retained.isEmpty else { return }
        let fetched = scheduler.digestsBeingFetched
        for digest in retained where !fetched.contains(digest) {
            retained.remove(digest)
            // The same bytes may have come again, and count now.
            if (try? store.knows(digest)) == false { try? blobs.remove(digest.bytes) }
        }
    }

    /// A commit that failed is as a restart: what is in the store counts. Requests are refused, workers are sent away;
    /// they come back and say what they hold, and say again what was not acknowledged.
    private func startAgain(after error: any Error, _ ended: Turn, at now: UInt64) throws -> [Outgoing] {
        configuration.log.problem("nothing of this turn was kept: \(error)")
        let isFull = (error as? StoreError)?.kind == .diskFull || (error as? FileError)?.isDiskFull == true
        let refusal = Refusal(
            code: isFull ? .diskFull : .internalError, message: Texts.bounded("coordinator: \(error)"))
        if isFull { problem = refusal.message }
        var outgoing = ended.failed(refusal)
        scheduler = Scheduler(
            configuration: scheduler.configuration, recovering: try store.recover(),
            after: try store.lastNumbers(), at: Int64(now))
        for (name, connection) in workerConnections.sorted(by: { $0.key < $1.key }) {
            peers[connection]?.role = .replaced
            peers[connection]?.isClosing = true
            outgoing.append(.close(connection, reason: "the coordinator could not keep what '\(name)' said"))
        }
        workerConnections = [:]
        follow(scheduler.resume(), at: now)
        return outgoing
    }

    // MARK: - Questions

    /// Answers a question from what is committed.
    func read(_ message: Message, at now: UInt64) -> Message {
        do {
            switch message {
            case .statusRequest(let run, let history): return try status(run, history, at: now)
            case .outputsRequest(let run, let first, let countMax):
                if let refusal = refusalOfUnknown(run) { return refusal }
                let count = min(Int(countMax), Limits.runOutputsMax)
                var (outputs, more) = try store.outputs(of: run, first: first, countMax: count)
                let fitting = try MessageCoding.countOfOutputsThatFit(outputs)
                if fitting < outputs.count { (outputs, more) = (Array(outputs.prefix(fitting)), true) }
                return .outputs(outputs, moreFollow: more)
            case .metricsRequest(let run, let replica, let firstIteration):
                if let refusal = refusalOfUnknown(run) { return refusal }
                let (metrics, more) = try store.metrics(
                    of: run, replica: Int(replica), firstIteration: firstIteration, countMax: Limits.metricsMax)
                return .metrics(metrics, moreFollow: more)
            default: preconditionFailure("\(message.brief) is not a question")
            }
        } catch {
            return .refusal(Refusal(code: .internalError, message: Texts.bounded("coordinator: \(error)")))
        }
    }

    private func status(_ run: RunID?, _ history: Bool, at now: UInt64) throws -> Message {
        if let run, let refusal = refusalOfUnknown(run) { return refusal }
        let events = history ? try store.events(of: run, countMax: Limits.statusEventsMax) : nil
        var maker = StatusMaker(scheduler: scheduler, nowMilliseconds: Int64(now), build: configuration.build)
        maker.problem = problem
        maker.facts = store.facts
        return .status(json: try maker.json(run: run, events: events))
    }

    private static let goneWorkerSeconds = 7.0 * 86_400

    /// What grows for as long as a coordinator runs: the audit, and names of workers.
    func trim() {
        do {
            try store.trimEvents()
            try store.trimWorkers(goneBefore: Int64((WallClock.nowSeconds() - Self.goneWorkerSeconds) * 1000))
        } catch {
            configuration.log.problem("old events and workers cannot be removed: \(error)")
        }
    }

    /// Those that have ended long enough ago.
    func forgetOldRuns(at now: UInt64) {
        guard let seconds = configuration.endedRunSeconds else { return }
        do {
            for run in try store.runs(endedBefore: Int64((WallClock.nowSeconds() - seconds) * 1000)) {
                apply(.forget(run), at: now)
            }
        } catch {
            configuration.log("old runs cannot be forgotten: \(error)")
        }
    }

    private func refusalOfUnknown(_ run: RunID) -> Message? {
        guard scheduler.runs[run] == nil else { return nil }
        return .refusal(Refusal(code: .unknown, message: "there is no \(run); `quintet status` lists the runs"))
    }
}

extension Message {
    /// Costs the coordinator more than a moment: reads the store or many files.
    fileprivate var isQuestion: Bool {
        switch self {
        case .submit, .statusRequest, .outputsRequest, .metricsRequest: return true
        default: return false
        }
    }
}

extension StoreChange {
    /// For people who watch the coordinator's log; nil for what only the audit has.
    var logLevel: Log.Level? {
        switch self {
        case .workReady, .workVoting, .votesCounted, .metricsAccepted: return nil
        case .workRefused, .votesDamaged, .messageRefused, .checkpointDropped: return .problem
        case .leaseEnded(_, _, .drained), .leaseEnded(_, _, .revoked): return .notice
        case .leaseEnded: return .problem
        case .runEnded(_, let refusedCount): return refusedCount > 0 ? .problem : .notice
        default: return .notice
        }
    }
}
