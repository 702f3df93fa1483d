import Platform
import Protocol
import Recipes

/// Carries out what `WorkerState` decides: sockets, cache and compute thread. One thread.
final class WorkerShell {
    private let configuration: WorkerConfiguration
    private let loop: NetworkLoop
    private let cache: WorkerCache
    private let mailbox: ComputeMailbox
    private let thread: ComputeThread
    private let ahead: AheadThread
    private let shared: SharedFiles?
    /// What the compute thread has.
    private var assignment: Assignment?
    private var state: WorkerState
    private var link: CoordinatorLink?
    private var addressIndex = 0
    /// Since the last connection that stood.
    private var isDialledInVain = false
    /// The way may let nothing large through (`NetworkLoop.connect`).
    private var hasLostConnection = false
    /// Events that actions brought about, to be applied in order.
    private var events: [WorkerEvent] = []
    private(set) var exit: WorkerExit?
    /// Why it was not even tried to connect.
    private(set) var plaintext: PlaintextError?

    /// The longest wait; so that progress, which wakes nobody, is taken in.
    private static let waitMillisecondsMax: UInt64 = 1_000

    /// - Throws: `FileError` for the cache's folder, `NetworkError`.
    init(
        _ configuration: WorkerConfiguration, recipes: [String: any Recipe], arithmetic: ContentDigest,
        loop: NetworkLoop
    ) throws {
        self.configuration = configuration
        self.loop = loop
        let cache = try WorkerCache(
            path: configuration.cacheDirectory, byteCountMax: configuration.cacheBytesMax)
        let mailbox = ComputeMailbox(waker: loop.waker)
        self.cache = cache
        self.mailbox = mailbox
        shared = configuration.sharedRoot.map { SharedFiles(root: $0, cache: cache, waker: loop.waker) }
        let environment = ComputeEnvironment(
            cacheDirectory: cache.preparedPath, memoryByteCount: configuration.memoryByteCount,
            isIntact: { cache.isIntact($0, isReadAgain: $1) },
            nowNanoseconds: MonotonicClock.nowNanoseconds, log: { [log = configuration.log] in log($0) })
        thread = ComputeThread(
            recipes: recipes, threadCount: configuration.threadCount, environment: environment,
            report: mailbox.post)
        ahead = AheadThread(recipes: recipes, environment: environment)
        var settings = WorkerSettings(
            name: configuration.name, build: configuration.build, threadCount: UInt16(configuration.threadCount),
            device: configuration.device, versionMin: VersionNegotiation.versionMin,
            versionMax: VersionNegotiation.versionMax, recipes: Set(recipes.keys), arithmetic: arithmetic,
            cacheBytesMax: configuration.cacheBytesMax,
            progressMilliseconds: UInt64(configuration.progressSeconds * 1_000))
        settings.memoryByteCount = configuration.memoryByteCount
        settings.seesShared = configuration.sharedRoot != nil
        state = WorkerState(settings)
        apply(.started)
    }

    /// Waits for the next thing to happen and deals with it.
    /// - Throws: `NetworkError` when the system has no memory left.
    func turn(isDrainRequested: Bool) throws {
        if isDrainRequested { apply(.drainRequested) }
        let now = MonotonicClock.nowMilliseconds()
        let wake = state.wakeMilliseconds.map { $0 > now ? $0 - now : 0 } ?? Self.waitMillisecondsMax
        for event in try loop.wait(timeoutMilliseconds: Int(min(wake, Self.waitMillisecondsMax))) { happened(event) }
        for event in shared?.takeAll() ?? [] { apply(event) }
        for report in mailbox.takeAll() { take(WorkerEvent(report)) }
        apply(.tick)
    }

    /// Lets the last bytes leave, as far as the kernel takes them at once, and ends the compute thread.
    func end() throws {
        _ = try loop.wait(timeoutMilliseconds: 0)
        ahead.end()
        guard !thread.end(withinSeconds: 2) else { return }
        configuration.log.problem("the recipe does not stop; it ends with the process")
    }

    /// An answer goes to the shared file system first, where there is one.
    private func take(_ event: WorkerEvent) {
        guard case .computeEnded(let lease, .done) = event, let assignment, assignment.lease == lease, let shared,
            shared.takes(assignment)
        else { return apply(event) }
        shared.write(event, of: assignment)
    }

    private func apply(_ event: WorkerEvent) {
        events.append(event)
        while !events.isEmpty {
            let actions = state.apply(events.removeFirst(), atMilliseconds: MonotonicClock.nowMilliseconds())
            for action in actions { perform(action) }
        }
    }

    // MARK: The network

    private func happened(_ event: NetworkEvent) {
        switch event {
        case .connected(let connection):
            guard connection == link?.connection else { return }
            link?.isConnected = true
            isDialledInVain = false
            apply(.connected)
        case .received(let connection, let bytes):
            guard connection == link?.connection else { return }
            link?.received(bytes)
            takeMessages()
        case .closed(let connection, let reason):
            guard connection == link?.connection else { return }
            // A handshake that failed for the token, on either side, says so and what to do.
            let isRejected = link?.isConnected == false && reason.contains("token")
            dropLink()
            apply(isRejected ? .rejected(reason) : .disconnected(reason))
        case .drained, .accepted, .rejected: break
        }
    }

    private func takeMessages() {
        do {
            while exit == nil, let (requestID, message) = try link?.next() {
                apply(.received(message, requestID: requestID))
            }
        } catch ProtocolError.foreignProtocol {
            hangUp()
            apply(.rejected("what listens there is no coordinator, or one that wants a token: "
                + "check the port, and give --token-file if the coordinator has one"))
        } catch {
            hangUp()
            apply(.disconnected("it sent something that is not understood: \(error)"))
        }
    }

    /// Whom it dialled last.
    var address: NetworkAddress { configuration.addresses[addressIndex] }

    /// The same coordinator first; when it is not there, the next address of the list.
    private func dial() {
        if isDialledInVain { addressIndex = (addressIndex + 1) % configuration.addresses.count }
        isDialledInVain = true
        do {
            link = CoordinatorLink(try loop.connect(
                host: address.host, port: address.port, security: configuration.security,
                hasSmallSegments: hasLostConnection))
        } catch let error as PlaintextError {
            // People must act: no waiting makes it right.
            plaintext = error
            events.append(.rejected("\(error)"))
        } catch {
            events.append(.disconnected("\(error)"))
        }
    }

    /// Nothing of this connection is heard any more.
    private func hangUp() {
        if let link { loop.close(link.connection) }
        dropLink()
    }

    private func dropLink() {
        if link?.isConnected == true { hasLostConnection = true }
        link = nil
    }

    private func send(_ message: Message, _ requestID: RequestID) {
        guard let connection = link?.connection else { return }
        do {
            guard let bytes = try link?.bytes(of: message, requestID: requestID) else { return }
            loop.send(bytes, on: connection)
        } catch {
            // As if the coordinator had refused it: it would.
            let refusal = Refusal(code: .malformed, message: "\(error)")
            events.append(.received(.refusal(refusal), requestID: requestID))
        }
    }

    // MARK: Actions

    private func perform(_ action: WorkerAction) {
        switch action {
        case .dial: dial()
        case .hangUp: hangUp()
        case .send(let message, let requestID): send(message, requestID)
        case .openBlob(let digest, let byteCount):
            events.append(cache.open(digest, byteCount: byteCount, keeping: state.neededDigests))
        case .readShared(let digest, let byteCount, let path):
            shared?.read(digest, byteCount: byteCount, path: path)
        case .storePiece(let digest, let offset, let bytes):
            events.append(cache.store(digest, offset: offset, bytes: bytes))
        case .probeCache(let byteCount): events.append(.cacheProbed(cache.obstacle(toTaking: byteCount)))
        case .discardBlob(let digest): cache.discard(digest)
        case .compute(let assignment): compute(assignment)
        case .prepareAhead(let assignment): ahead.start(order(for: assignment))
        case .takeCheckpoint(let lease): thread.takeCheckpoint(of: lease)
        case .stopCompute(let lease): thread.stop(lease)
        case .interruptStep(let lease): thread.interruptStep(of: lease)
        case .cancelCompute(let lease): thread.cancel(lease)
        case .log(let text): configuration.log(text)
        case .problem(let text): configuration.log.problem(text)
        case .leave(let exit): self.exit = exit
        }
    }

    private func compute(_ assignment: Assignment) {
        cache.trimPrepared()
        let missing = Set(assignment.blobs.map(\.digest)).filter { cache.path(of: $0) == nil }
        guard missing.isEmpty else {
            // Another process with the same cache removed it in this moment: fetched again.
            return events.append(.computeEnded(assignment.lease, .inputsDamaged(Array(missing))))
        }
        self.assignment = assignment
        thread.start(order(for: assignment))
    }

    private func order(for assignment: Assignment) -> ComputeOrder {
        let inputs = assignment.description.inputs.map { blob in
            RecipeInput(role: blob.role, name: blob.name, path: cache.path(of: blob.digest) ?? "")
        }
        let resumePath = assignment.resume.map { cache.path(of: $0.blob.digest) ?? "" }
        return ComputeOrder(assignment: assignment, inputs: inputs, resumePath: resumePath)
    }
}
