import Dispatch
import Platform
import Protocol
import Synchronization

/// The coordinator: listens, decides, remembers, votes.
///
///     let server = try CoordinatorServer(configuration: .init(stateDirectory: "state", port: 7311))
///     print("listening at port \(server.port)")
///     try server.run()          // until requestStop() from another thread or a signal's watcher
///
/// Four threads: the caller of `run` owns network and core; one commits; one reads and writes blobs; one counts votes;
/// all report through `inbox`. Whatever kills the process, a new one on the same folder goes on: nothing
/// that was acknowledged is missing (`Store`), and workers reconnect and keep what they hold.
public final class CoordinatorServer: @unchecked Sendable {
    /// Where it listens.
    public let port: UInt16
    /// Where the pages are; nil where nobody wants them.
    public var metricsPort: UInt16? { pages?.port }
    /// Where the live page is; nil where nobody wants it.
    public var livePort: UInt16? { live?.port }
    private let configuration: CoordinatorConfiguration
    private let blobs: BlobDirectory
    private let blobQueue = DispatchQueue(label: "quintet.blobs")
    private let voteQueue = DispatchQueue(label: "quintet.votes")
    private let inbox: Inbox
    private let ending = Atomic<UInt8>(Ending.none.rawValue)
    private let waker: NetworkWaker
    private let storeThread: StoreThread
    private let sent = SentBlobs()
    // Only the caller of `init` and then that of `run` touch these: hence @unchecked.
    private let loop: NetworkLoop
    private var core: CoordinatorCore
    private let questions: Questions
    private var rejections = RejectionLog()
    private var figures = ShellFigures()
    private var snapshots: SnapshotDesk
    private var isCapturing = false
    private var toldProblem: String?
    private var leader: LeaderFolder?
    private var pages: HTTPServer?
    private var live: LiveDoor?
    /// What the live page waits for until it is committed, by ticket.
    private var wishes: [UInt64: LiveQuestion] = [:]
    private var lastTicket: UInt64 = 0
    /// Let go of when `run` ends.
    private var lock: FolderLock?

    private enum Ending: UInt8 { case none, stop, crash }

    /// What the other threads tell the loop.
    private enum Report: Sendable {
        case blobAnswered(Message, requestID: UInt32, ConnectionID)
        case voted(WorkID, [BlobReference], VoteCounter.Outcome)
        case damaged(WorkID, ContentDigest)
        case verified(WorkID)
        case removed([ContentDigest])
        case store(StoreThread.Report)
        case asked(PageQuestion)
        case live(LiveQuestion)
        case snapshotKept(BlobReference, number: UInt64, requestID: UInt32, ConnectionID)
    }

    private typealias Inbox = Guarded<[Report]>

    private struct Shelf: BlobShelf {
        let blobs: BlobDirectory
        let sent: SentBlobs

        func byteCount(of digest: ContentDigest) -> UInt64? { blobs.byteCount(of: digest.bytes) }
        func hasSent(_ worker: WorkerName, _ digest: ContentDigest) -> Bool { sent.hasSent(worker, digest) }
        func read(_ digest: ContentDigest, byteCount: Int) throws -> [UInt8] {
            try blobs.read(digest.bytes, offset: 0, count: byteCount)
        }
    }

    private static let tickMillisecondsMax: Int64 = 500
    private static let voteAgainSeconds = 5
    /// How often unused blobs are looked for; the first time a minute after the start.
    private static let cleaningMilliseconds: UInt64 = 3_600_000
    /// However soon runs are to be forgotten: cleaning walks through all files.
    private static let leastCleaningMilliseconds: UInt64 = 200
    private static let firstCleaningMilliseconds: UInt64 = 60_000

    /// Opens the state folder, recovers what it holds, and listens: `port` is known from here on, and peers that
    /// connect are served when `run` runs.
    /// - Throws: `CoordinatorError`, `StoreError`, `NetworkError`, `FileError`, `FolderLock.Held`: each says what to
    ///   do.
    public init(configuration: CoordinatorConfiguration) throws {
        var configuration = configuration
        // Peers' words are in some of the lines; none of them makes a line of its own.
        configuration.log = configuration.log.map { Texts.line($0) }
        self.configuration = configuration
        try Self.checkSecurity(configuration)
        try FileSystem.makeFolder(configuration.stateDirectory, isPrivate: true)
        let lock = try FolderLock(folder: configuration.stateDirectory)
        try StandbyFolder.refuse(configuration.stateDirectory)
        blobs = try BlobDirectory(path: configuration.stateDirectory + "/blobs")
        let store = try Store(path: configuration.stateDirectory + "/state.sqlite")
        for external in try store.externalBlobs() {
            do {
                try blobs.registerExternal(
                    path: external.path, digest: external.digest.bytes, byteCount: external.byteCount)
            } catch {
                configuration.log("a file that a run used is not as it was: \(error)")
            }
        }
        var settings = CoreSettings(
            build: configuration.build, heartbeatMilliseconds: configuration.heartbeatMilliseconds,
            scheduler: Scheduler.Configuration(leaseMilliseconds: configuration.leaseMilliseconds),
            limits: configuration.limits)
        settings.needsStandby = configuration.needsStandby
        let reader = try Store(readingFrom: configuration.stateDirectory + "/state.sqlite")
        core = CoordinatorCore(
            settings: settings, shelf: Shelf(blobs: blobs, sent: sent), archive: reader,
            recovery: try store.recovery(), at: MonotonicClock.nowMilliseconds())
        // Behind the lock: nobody else leads from this folder.
        leader = configuration.leader
        try leader?.takeUnlessTaken(log: configuration.log)
        snapshots = SnapshotDesk(folder: configuration.stateDirectory)
        questions = Questions(reader: reader, build: configuration.build)
        // Connections, and the files of blobs and database beside them.
        OpenFileLimit.raise(to: configuration.limits.connectionsMax + 512)
        loop = try NetworkLoop(limits: configuration.limits.network)
        let (inbox, waker) = (Inbox([]), loop.waker)
        (self.inbox, self.waker) = (inbox, waker)
        port = try loop.listen(host: configuration.host, port: configuration.port, security: configuration.security)
        pages = try configuration.metricsAddress.map { address in
            try HTTPServer(address: address) { request in
                PageQuestion.answer(request) { question in
                    inbox.withLock { $0.append(.asked(question)) }
                    waker.wake()
                }
            }
        }
        live = try Self.openLive(configuration, inbox, waker)
        storeThread = StoreThread(
            store: store, folder: configuration.stateDirectory, log: configuration.log,
            eventLog: try configuration.eventLog.map {
                try EventLog(path: $0, stateFolder: configuration.stateDirectory, store: store, log: configuration.log)
            },
            waitsForSaying: configuration.needsStandby
        ) { report in
            inbox.withLock { $0.append(.store(report)) }
            waker.wake()
        }
        self.lock = lock
    }

    private static func openLive(
        _ configuration: CoordinatorConfiguration, _ inbox: Inbox, _ waker: NetworkWaker
    ) throws -> LiveDoor? {
        guard let address = configuration.liveAddress else { return nil }
        let reader = try Store(readingFrom: configuration.stateDirectory + "/state.sqlite")
        return try LiveDoor(
            address: address, certificate: configuration.liveCertificate, security: configuration.security,
            reader: LiveReader(store: reader, build: configuration.build),
            desk: LiveDesk { question in
                inbox.withLock { $0.append(.live(question)) }
                waker.wake()
            }, log: configuration.log)
    }

    /// Whoever still waits is told that nothing comes.
    private func closeLive() {
        guard let live else { return }
        live.end()
        let reports = inbox.withLock { $0 }
        for case .live(let question) in reports { question.give(nil) }
        for question in wishes.values { question.give(nil) }
        live.stop()
    }

    private static func checkSecurity(_ configuration: CoordinatorConfiguration) throws {
        guard configuration.leaseSeconds >= 0.1, configuration.leaseSeconds <= 86_400,
            configuration.heartbeatSeconds > 0, configuration.heartbeatSeconds <= configuration.leaseSeconds / 2
        else {
            throw CoordinatorError(
                "a lease of \(configuration.leaseSeconds) s with heartbeats every \(configuration.heartbeatSeconds) s "
                    + "does not work; a lease lasts 0.1 s to a day and at least two heartbeats")
        }
        try checkLive(configuration)
        guard case .plaintext = configuration.security else { return }
        let address = NetworkAddress(host: configuration.host, port: configuration.port)
        guard configuration.host == "*" || (try? address.isLoopback()) != true else { return }
        throw CoordinatorError(
            "listening at \(configuration.host) without a token would let anyone in; make one with "
                + "`quintet token new FILE` and give --token-file FILE to the coordinator and to every worker, "
                + "or listen at 127.0.0.1")
    }

    /// What the page shows and lets people do is for those with the token, and goes over no wire in the clear.
    private static func checkLive(_ configuration: CoordinatorConfiguration) throws {
        guard let address = configuration.liveAddress else { return }
        let isLoopback = try address.host != "*" && address.isLoopback()
        guard !isLoopback else { return }
        guard configuration.liveCertificate != nil else {
            throw CoordinatorError(
                "the live page at \(address) would go over the network in the clear, the token with it; listen at "
                    + "127.0.0.1:\(address.port) and reach it from elsewhere with "
                    + "`ssh -L \(address.port):127.0.0.1:\(address.port) THIS-MACHINE`, or give it a certificate: "
                    + "--http-certificate FILE --http-key FILE")
        }
        guard configuration.security.hasToken else {
            throw CoordinatorError(
                "the live page at \(address) would be anybody's, since there is no token; make one with "
                    + "`quintet token new FILE` and give --token-file FILE, or listen at 127.0.0.1:\(address.port)")
        }
    }

    /// Makes a file known where it lies, so that a run on this machine copies nothing. The file must not change.
    /// From any thread; a submission that names the digest may follow at once.
    /// - Parameter digest: SHA-256 of the file's bytes.
    /// - Throws: `FileError`; `BlobError.wrongSize`.
    public func registerExternalBlob(path: String, digest: ContentDigest, byteCount: UInt64) throws {
        let path = try FileSystem.absolutePath(path)
        try blobs.registerExternal(path: path, digest: digest.bytes, byteCount: byteCount)
        let wall = Int64(WallClock.nowSeconds() * 1000)
        storeThread.perform(ifItFails: "\(path) will not be known after a restart") {
            try $0.registerExternalBlob(digest, byteCount: byteCount, path: path, wallMilliseconds: wall)
        }
    }

    /// Ends `run` soon: no new connections, the turn under way is committed, the rest is for the next start. From any
    /// thread.
    public func requestStop() {
        ending.store(Ending.stop.rawValue, ordering: .releasing)
        waker.wake()
    }

    /// Ends `run` as if the process had been killed, for tests.
    package func crash() {
        ending.store(Ending.crash.rawValue, ordering: .releasing)
        waker.wake()
    }

    /// Serves until `requestStop`. Once.
    /// - Throws: `NetworkError`, `StoreError`: what makes it impossible to go on.
    public func run() throws {
        defer {
            pages?.stop()
            closeLive()
            lock = nil
        }
        let tick = max(20, min(Self.tickMillisecondsMax, configuration.leaseMilliseconds / 4))
        var lastMilliseconds = MonotonicClock.nowMilliseconds()
        endTurn()
        let unusedMilliseconds = UInt64(configuration.unusedBlobSeconds * 1_000)
        let endedMilliseconds = UInt64((configuration.endedRunSeconds ?? 1e9) * 1_000)
        let cleaningMilliseconds = max(
            Self.leastCleaningMilliseconds, min(Self.cleaningMilliseconds, unusedMilliseconds, endedMilliseconds))
        var cleanAt = lastMilliseconds + min(Self.firstCleaningMilliseconds, cleaningMilliseconds)
        var tickAt = lastMilliseconds
        var notice = configuration.serviceNotice
        notice.begun("listens at port \(port)")
        while ending.load(ordering: .acquiring) == Ending.none.rawValue {
            let events = try loop.wait(timeoutMilliseconds: core.unfinished.isEmpty ? Int(tick) : 0)
            let now = MonotonicClock.nowMilliseconds(), began = MonotonicClock.nowNanoseconds()
            if ending.load(ordering: .acquiring) == Ending.crash.rawValue { return vanish() }
            let away = Int64(now - lastMilliseconds) - tick
            lastMilliseconds = now
            do { try leader?.lead(at: now) } catch {
                // Not a word to anybody: they are another one's by now.
                vanish()
                throw CoordinatorError("\(error)")
            }
            try takeReports(at: now)
            for connection in core.goOn(at: now) { loop.setReading(true, on: connection) }
            for event in events { take(event, at: now) }
            // By the clock and not with every message: it looks at every lease.
            if now >= tickAt || away > 0 {
                tickAt = now + UInt64(tick)
                let runCount = core.scheduler.runs.count
                core.tick(at: now, awayMilliseconds: away)
                if core.scheduler.runs.count < runCount { Machine.returnFreeMemory() }
                lookAfterStandbys()
            }
            endTurn()
            if now >= cleanAt {
                cleanAt = now + cleaningMilliseconds
                clean(at: now)
            }
            for connection in core.unfinished { loop.setReading(false, on: connection) }
            for line in rejections.lines(at: now) { configuration.log.problem(line) }
            notice.isAlive(at: now)
            figures.load.note(seconds: Double(MonotonicClock.nowNanoseconds() - began) / 1e9, at: now)
        }
        notice.ending()
        for line in rejections.lines(at: .max) { configuration.log.problem(line) }
        guard ending.load(ordering: .acquiring) == Ending.stop.rawValue else { return vanish() }
        try leave()
        // Whatever was acknowledged is with the standby; else it would have to be looked for there by people.
        if configuration.needsStandby { leader?.yield() }
    }

    private func endTurn() {
        let (atOnce, turn) = core.endTurn()
        carryOut(atOnce)
        if configuration.needsStandby { storeThread.hasSaid(core.concludedNumber) }
        if let turn { storeThread.commit(turn) }
    }

    // MARK: - In

    private func take(_ event: NetworkEvent, at now: UInt64) {
        switch event {
        case .accepted(let connection, let peer):
            loop.send(FrameEncoder.magic, on: connection)
            core.accepted(connection, address: peer, at: now)
        case .rejected(let peer, let reason):
            figures.rejectedCount += 1
            rejections.note("\(peer) was turned away: \(reason)")
        case .received(let connection, let bytes): core.received(bytes, on: connection, at: now)
        case .closed(let connection, _):
            core.closed(connection, at: now)
            snapshots.remove(connection, blobs)
        case .drained(let connection): core.drained(connection)
        case .connected: break
        }
    }

    private func report(_ report: Report) {
        inbox.withLock { $0.append(report) }
        waker.wake()
    }

    private func takeReports(at now: UInt64) throws {
        let reports = inbox.withLock { reports in
            defer { reports = [] }
            return reports
        }
        for report in reports {
            switch report {
            case .blobAnswered(let message, let requestID, let connection):
                core.answered(connection, message)
                if case .refusal(let refusal) = message, [.diskFull, .internalError].contains(refusal.code) {
                    rejections.note("\(loop.peer(of: connection) ?? "a peer") is told: \(refusal.message)")
                }
                send(message, requestID, connection)
            case .voted(let work, let votes, let outcome): core.voted(work, votes, outcome, at: now)
            case .damaged(let work, let digest): core.inputDamaged(work, digest, at: now)
            case .verified(let work): core.verified(work, at: now)
            case .removed(let digests): core.removed(digests)
            case .store(let report): try take(report, at: now)
            case .snapshotKept(let blob, let number, let requestID, let connection):
                snapshots.isServed(blob.digest, connection)
                send(.following(blob, number: number), requestID, connection)
            case .asked(let question): question.give(page(question.page, at: now))
            case .live(let question): answer(question, at: now)
            }
        }
    }

    private func answer(_ question: LiveQuestion, at now: UInt64) {
        switch question.kind {
        case .look:
            var maker = StatusMaker(
                scheduler: core.scheduler, nowMilliseconds: Int64(now), build: configuration.build)
            maker.problem = core.problem
            question.give(.status(maker.live()))
        case .act(let action):
            lastTicket += 1
            wishes[lastTicket] = question
            core.act(action, ticket: lastTicket, at: now)
        }
    }

    private func take(_ report: StoreThread.Report, at now: UInt64) throws {
        switch report {
        case .committed(let turns, let seconds, let change):
            figures.commitCount += 1
            figures.commitSeconds += seconds
            if let change { carryOut(core.replicate(change)) }
            for (number, unreferenced) in turns { carryOut(core.committed(number, unreferenced: unreferenced)) }
        case .snapshot(let path, let number, let requestID, let connection):
            handOver(path, number, requestID, connection)
        case .snapshotFailed(let why, let requestID, let connection):
            snapshots.end(nil, connection)
            configuration.log.problem("nobody can follow: \(why)")
            let refusal = Refusal(code: .internalError, message: Texts.bounded("coordinator: \(why)"))
            send(.refusal(refusal), requestID, connection)
        case .waits(let problem): carryOut(core.waits(problem))
        case .failed(let problem):
            guard let recovery = try storeThread.startAgain() else { return }
            carryOut(core.startAgain(after: problem, recovery, at: now))
        }
    }

    // MARK: - Out

    private func carryOut(_ outgoing: [Outgoing]) {
        for one in outgoing {
            switch one {
            case .send(let message, let requestID, let connection): send(message, requestID, connection)
            case .close(let connection, let reason):
                note(connection, reason)
                loop.close(connection)
            case .abort(let connection, let reason):
                note(connection, reason)
                loop.abort(connection, reason: reason)
            case .tell(let message, let ticket): wishes.removeValue(forKey: ticket)?.give(.told(message))
            case .read(let message, let requestID, let connection):
                let answer = questions.answer(
                    message, core.scheduler, problem: core.problem, at: MonotonicClock.nowMilliseconds())
                send(answer, requestID, connection)
            case .blob(let message, let requestID, let connection, let sender):
                let desk = BlobDesk(blobs: blobs, sent: sent)
                blobQueue.async { [self] in
                    report(.blobAnswered(desk.answer(message, sender: sender), requestID: requestID, connection))
                }
            case .vote(let work, let votes): count(work, votes)
            case .verify(let work, let suspects): verify(work, suspects)
            case .setAside(let digest): setAside(digest)
            case .removeBlobs(let digests): remove(digests)
            case .snapshot(let requestID, let connection):
                storeThread.takeSnapshot(to: snapshots.begin(), requestID: requestID, for: connection)
                isCapturing = true
            }
        }
    }

    /// The file is served from where it lies.
    private func handOver(_ path: String, _ number: UInt64, _ requestID: UInt32, _ connection: ConnectionID) {
        snapshots.end(path, connection)
        guard core.attach(connection) else { return snapshots.remove(connection, blobs) }
        blobQueue.async { [self] in
            do {
                let digest = try SHA256.digest(ofFile: path), byteCount = try FileSystem.byteCount(of: path)
                try blobs.registerExternal(path: path, digest: digest, byteCount: byteCount)
                let blob = BlobReference(
                    role: "snapshot", name: "state", digest: ContentDigest(bytes: digest), byteCount: byteCount)
                report(.snapshotKept(blob, number: number, requestID: requestID, connection))
            } catch {
                configuration.log.problem("nobody can follow: \(error)")
            }
        }
    }

    /// Files that are fetched go; nothing is recorded for nobody.
    private func lookAfterStandbys() {
        if configuration.needsStandby, core.problem != toldProblem {
            toldProblem = core.problem
            if let problem = core.problem { configuration.log.problem(problem) }
        }
        snapshots.removeFetched(blobs) { core.hasSnapshot($0) }
        guard isCapturing, !core.hasStandbys, snapshots.isEmpty else { return }
        isCapturing = false
        storeThread.endCapture()
    }

    private func setAside(_ digest: ContentDigest) {
        blobQueue.async { [self] in
            do { try blobs.setAside(digest.bytes) } catch { configuration.log.problem("\(error)") }
        }
    }

    private func remove(_ digests: [ContentDigest]) {
        blobQueue.async { [self] in
            for digest in digests {
                do { try blobs.remove(digest.bytes) } catch {
                    configuration.log.problem("a blob that nothing refers to stays: \(error)")
                }
            }
            report(.removed(digests))
        }
    }

    private func note(_ connection: ConnectionID, _ reason: String) {
        rejections.note("\(loop.peer(of: connection) ?? "a peer"): connection closed: \(reason)")
    }

    private func count(_ work: WorkID, _ votes: [BlobReference]) {
        let counter = VoteCounter(blobs: blobs)
        voteQueue.async { [self] in
            let outcome = counter.count(votes)
            guard case .later(let why) = outcome else { return report(.voted(work, votes, outcome)) }
            configuration.log.problem("the votes of \(work) are counted again in \(Self.voteAgainSeconds) s: \(why)")
            voteQueue.asyncAfter(deadline: .now() + .seconds(Self.voteAgainSeconds)) { [self] in
                report(.voted(work, votes, outcome))
            }
        }
    }

    private func verify(_ work: WorkID, _ suspects: [BlobReference]) {
        blobQueue.async { [self] in
            for blob in suspects {
                do {
                    try blobs.verify(blob.digest.bytes)
                } catch is BlobError {
                    report(.damaged(work, blob.digest))
                } catch {
                    configuration.log.problem("'\(blob.name)' of \(work) cannot be read: \(error)")
                }
            }
            report(.verified(work))
        }
    }

    private static let goneWorkerSeconds = 7.0 * 86_400

    /// What grows for as long as a coordinator runs: runs that ended long ago where that is wanted, blobs that were
    /// never used, the audit, and names of workers.
    private func clean(at now: UInt64) {
        do {
            if let seconds = configuration.endedRunSeconds {
                let before = Int64((WallClock.nowSeconds() - seconds) * 1000)
                core.forget(try questions.reader.runs(endedBefore: before), at: now)
            }
            removeBlobs(outside: try questions.reader.usedDigests())
        } catch {
            configuration.log.problem("what is old cannot be forgotten: \(error)")
        }
        let goneBefore = Int64((WallClock.nowSeconds() - Self.goneWorkerSeconds) * 1000)
        storeThread.perform(ifItFails: "old events and workers cannot be removed") {
            try $0.trimEvents()
            try $0.trimWorkers(goneBefore: goneBefore)
        }
    }

    /// What was uploaded and never used, and what a crash left between a commit and the removal that follows it.
    private func removeBlobs(outside used: Set<[UInt8]>) {
        blobQueue.async { [self] in
            do {
                let removed = try blobs.removeUnused(keeping: used, unusedSeconds: configuration.unusedBlobSeconds)
                guard removed.count > 0 else { return }
                configuration.log("removed \(removed.count) unused blobs, \(removed.byteCount) bytes")
            } catch {
                configuration.log.problem("unused blobs cannot be removed: \(error)")
            }
        }
    }

    private func page(_ page: PageQuestion.Page, at now: UInt64) -> HTTPResponse {
        guard page == .metrics else {
            let isWell = core.problem == nil || page == .health
            return HTTPResponse(status: isWell ? 200 : 503, body: "\(core.problem ?? "ok")\n")
        }
        figures.connectionCount = core.peers.count
        (figures.receivedByteCount, figures.sentByteCount) = (loop.receivedByteCount, loop.sentByteCount)
        figures.turnsInFlightCount = core.inFlightCount
        figures.freeByteCount = try? FileSystem.freeByteCount(at: configuration.stateDirectory)
        figures.residentByteCount = Machine.residentByteCount
        figures.openDescriptorCount = Machine.openDescriptorCount
        figures.ageSeconds = Machine.processAgeSeconds
        do {
            let status = try questions.report(core.scheduler, problem: core.problem, at: now)
            let text = MetricsPage(status: status, committed: core.counts, shell: figures).text
            return HTTPResponse(status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: text)
        } catch {
            return HTTPResponse(status: 500, body: "\(error)\n")
        }
    }

    private func send(_ message: Message, _ requestID: UInt32, _ connection: ConnectionID) {
        if case .refusal(let refusal) = message { figures.refusals["\(refusal.code)", default: 0] += 1 }
        do {
            loop.send(try MessageCoding.encode(message, requestID: requestID), on: connection)
        } catch {
            // Our own message breaks a bound: say that, rather than nothing.
            configuration.log.problem("\(message.brief) cannot be sent: \(error)")
            let refusal = Refusal(code: .internalError, message: Texts.bounded("coordinator: \(error)"))
            if let bytes = try? MessageCoding.encode(.refusal(refusal), requestID: requestID) {
                loop.send(bytes, on: connection)
            }
        }
    }

    /// What the kernel does to a killed process.
    private func vanish() {
        loop.stopListening()
        for connection in core.peers.keys { loop.abort(connection, reason: "killed") }
        storeThread.end(isAbrupt: true)
        questions.reader.close()
    }

    /// Commits what is decided, says what follows from it, and goodbye to who is there.
    private func leave() throws {
        loop.stopListening()
        storeThread.end()
        try takeReports(at: MonotonicClock.nowMilliseconds())
        let connections = Array(core.peers.keys)
        for connection in connections { loop.close(connection) }
        var openCount = connections.count
        let deadline = MonotonicClock.nowMilliseconds() + 1_000
        while openCount > 0, MonotonicClock.nowMilliseconds() < deadline {
            guard let events = try? loop.wait(timeoutMilliseconds: 100) else { break }
            openCount -= events.count { if case .closed = $0 { true } else { false } }
        }
        blobQueue.sync {}
        voteQueue.sync {}
        questions.reader.close()
    }
}
