import Foundation
import Platform
import Protocol

/// What `train`, `segment`, `status`, `watch` and `cancel` say to a coordinator. Every call waits for its answer. A
/// connection that is lost is made again, for `Waiting.patienceSeconds`, and the request repeated: none of them does
/// harm twice. So a coordinator may be restarted under a client that waits for a run, and elsewhere under the same
/// name: it is looked up anew each time. A coordinator whose disk is full is waited for as well. One thread at a time.
///
///     let client = try CoordinatorClient(address: NetworkAddress(parsing: "lab3:7311"))
///     let data = try client.upload(path: "data/a.nii", role: "volume", name: "a")
///     let run = try client.submit(Submission(...))
///     repeat {
///         try client.watch(run)       // before the reading, so that nothing is missed that changes after it
///         status = try client.status(of: run).runs[0]
///         _ = try client.waitForChange(of: run, seconds: 1)
///     } while status.state == "running"
///     for output in try client.outputs(of: run) { ... try client.download(blob, to: path) }
public final class CoordinatorClient {
    /// How a client waits for a coordinator that is gone.
    public struct Waiting: Sendable {
        /// For how long; 0 gives up at once.
        public var patienceSeconds: Double
        /// Whether the first connection, too, is tried for so long; without it nobody at the address is an error at
        /// once.
        public var isPatientAtFirst: Bool
        /// Asked a few times a second during every wait; true ends it with `ClientError.interrupted`.
        public var isStopped: @Sendable () -> Bool
        /// Lines for people: that the coordinator does not answer, and that it is back.
        public var log: @Sendable (String) -> Void

        public init(
            patienceSeconds: Double = .infinity, isPatientAtFirst: Bool = false,
            isStopped: @escaping @Sendable () -> Bool = { false },
            log: @escaping @Sendable (String) -> Void = { _ in }
        ) {
            self.patienceSeconds = patienceSeconds
            self.isPatientAtFirst = isPatientAtFirst
            self.isStopped = isStopped
            self.log = log
        }
    }

    /// Where the coordinator is, or its standby when it is not there.
    public private(set) var address: NetworkAddress
    private let addresses: [NetworkAddress]
    public var waiting: Waiting
    private let security: ConnectionSecurity
    private let build: String
    private var connection: ClientConnection?
    /// The way may let nothing large through (`NetworkLoop.connect`).
    private var hasLostConnection = false

    /// Whether the last connection stands, as far as is known: one that was lost is noticed when it is next used.
    public var isConnected: Bool { connection != nil }

    private static let retryMilliseconds: UInt64 = 250
    private static let stopMilliseconds: UInt64 = 50
    /// Blobs above this are not read into memory.
    private static let bytesInMemoryMax: UInt64 = 1 << 30

    /// Connects.
    /// - Throws: `ClientError.unreachable` when nobody answers, at once unless `waiting` is patient at first;
    ///   `.refused` when it turns us down; `.interrupted`.
    /// - Parameter standbys: where to look for the coordinator when it is not at its address.
    public init(
        address: NetworkAddress, standbys: [NetworkAddress] = [], security: ConnectionSecurity = .plaintext,
        build: String = "quintet", waiting: Waiting = Waiting()
    ) throws {
        self.address = address
        addresses = [address] + standbys
        self.security = security
        self.build = build
        self.waiting = waiting
        try patiently(forSeconds: waiting.isPatientAtFirst ? waiting.patienceSeconds : 0) { _ in }
    }

    // MARK: - Blobs

    /// Uploads a file, going on where an earlier upload of the same bytes stopped; nothing is sent when the
    /// coordinator has them. The file is read twice: for its digest and to be sent.
    /// - Throws: `FileError`, `ClientError`.
    public func upload(path: String, role: String, name: String) throws -> BlobReference {
        let reference = BlobReference(
            role: role, name: name, digest: ContentDigest(bytes: try SHA256.digest(ofFile: path)),
            byteCount: try FileSystem.byteCount(of: path))
        try upload(path: path, as: reference)
        return reference
    }

    /// Uploads a file whose digest is known; it is read once, and not at all where the coordinator has it.
    /// - Throws: `FileError`; `ClientError.damaged`, or `.refused` as damaged or malformed, where it has changed.
    public func upload(path: String, as reference: BlobReference) throws {
        try upload(reference) { try FileSystem.read(path, offset: $0, count: $1) }
    }

    /// Uploads bytes in memory.
    /// - Throws: `ClientError`.
    public func upload(bytes: [UInt8], role: String, name: String) throws -> BlobReference {
        let reference = BlobReference(
            role: role, name: name, digest: ContentDigest(bytes: SHA256.digest(of: bytes)),
            byteCount: UInt64(bytes.count))
        try upload(reference) { Array(bytes[Int($0)..<(Int($0) + $1)]) }
        return reference
    }

    /// The list of a run's items as a blob, for `Submission.itemManifest`.
    /// - Throws: `ProtocolError` for names or counts beyond the limits; `ClientError`.
    public func uploadManifest(_ items: [ItemSubmission]) throws -> BlobReference {
        try upload(bytes: try ItemManifest.encode(items), role: "manifest", name: "items")
    }

    private func upload(_ reference: BlobReference, read: (UInt64, Int) throws -> [UInt8]) throws {
        try patiently { connection in
            var sent = try Self.offset(try connection.request(
                .blobOffer(reference.digest, byteCount: reference.byteCount)), of: reference)
            try connection.pipeline(
                windowCount: ClientConnection.windowCount,
                next: {
                    guard sent < reference.byteCount else { return nil }
                    let count = Int(min(UInt64(Limits.blobChunkBytesMax), reference.byteCount - sent))
                    let bytes = try read(sent, count)
                    guard bytes.count == count else { throw ClientError.damaged(name: reference.name) }
                    defer { sent += UInt64(count) }
                    return .blobPut(reference.digest, offset: sent, bytes: bytes)
                },
                take: { _ = try Self.offset($0, of: reference) })
            let end = try Self.offset(try connection.request(
                .blobOffer(reference.digest, byteCount: reference.byteCount)), of: reference)
            guard end == reference.byteCount else { throw ClientError.damaged(name: reference.name) }
        }
    }

    private static func offset(_ message: Message, of reference: BlobReference) throws -> UInt64 {
        guard case .blobOffset(let digest, let offset) = message, digest == reference.digest,
            offset <= reference.byteCount
        else { throw ClientError.violation("it answered an upload with something else") }
        return offset
    }

    /// Brings a blob to a file. Goes on where an earlier call for the same blob in the same folder stopped; the file
    /// appears when its digest is right, not before, as readable as any new file. A file that is there is replaced.
    /// - Throws: `ClientError`, `FileError`.
    public func download(_ blob: BlobReference, to path: String) throws {
        let partial = FileSystem.folder(of: path) + "/.quintet-download"
        let directory = try BlobDirectory(path: partial)
        var received: UInt64 = 0
        try patiently { connection in
            received = try directory.offer(blob.digest.bytes, byteCount: blob.byteCount)
            try connection.fetch(blob, from: received) { offset, bytes in
                do {
                    received = try directory.append(blob.digest.bytes, offset: offset, bytes: bytes)
                } catch BlobError.damaged {
                    throw ClientError.damaged(name: blob.name)
                }
            }
        }
        guard let complete = directory.path(of: blob.digest.bytes) else {
            throw ClientError.damaged(name: blob.name)
        }
        try FileSystem.openToOthers(complete)
        try FileSystem.rename(complete, to: path)
        // Empty unless another download is under way; then it is that one's to remove.
        if try directory.isEmpty { try FileSystem.removeTree(partial) }
    }

    /// Brings a blob of at most 1 GiB into memory, its digest checked.
    /// - Throws: `ClientError`.
    public func download(_ blob: BlobReference) throws -> [UInt8] {
        guard blob.byteCount <= Self.bytesInMemoryMax else {
            throw ClientError.violation("'\(blob.name)' has \(blob.byteCount) bytes")
        }
        var bytes: [UInt8] = []
        try patiently { connection in
            bytes = []
            try connection.fetch(blob, from: 0) { _, piece in bytes += piece }
        }
        guard SHA256.digest(of: bytes) == blob.digest.bytes else { throw ClientError.damaged(name: blob.name) }
        return bytes
    }

    // MARK: - Runs

    /// Submits a run whose blobs are all uploaded or registered. The same idempotency key again gives the same run;
    /// what was refused or cancelled in it is then tried again.
    /// - Throws: `ClientError`.
    public func submit(_ submission: Submission) throws -> RunID {
        guard case .submitted(let run) = try request(.submit(submission)) else { throw unexpected }
        return run
    }

    /// - Throws: `ClientError`.
    public func cancel(_ run: RunID) throws {
        guard case .accepted = try request(.cancel(run)) else { throw unexpected }
    }

    /// - Parameters:
    ///   - run: nil for all runs.
    ///   - history: the audit, too.
    /// - Throws: `ClientError`.
    public func status(of run: RunID? = nil, history: Bool = false) throws -> StatusReport {
        let json = try statusJSON(of: run, history: history)
        do {
            return try JSONDecoder().decode(StatusReport.self, from: Data(json.utf8))
        } catch {
            throw ClientError.violation("its status cannot be read: \(error)")
        }
    }

    /// The status as the coordinator said it: one JSON object, see `StatusReport`.
    /// - Throws: `ClientError`.
    public func statusJSON(of run: RunID? = nil, history: Bool = false) throws -> String {
        guard case .status(let json) = try request(.statusRequest(run, history: history)) else { throw unexpected }
        return json
    }

    /// Asks to hear of a run's next change: outputs, figures, its end, whatever people do to it. Saying it twice is
    /// saying it once.
    /// - Throws: `ClientError`; `.refused` for a run that nobody knows.
    public func watch(_ run: RunID) throws { try patiently { try $0.watch(run) } }

    /// Waits until a run that is watched has changed.
    /// - Returns: false when it has not in so many seconds. When it has, or may have while the connection was lost, it
    ///   is to be watched again, and then read.
    /// - Throws: `ClientError`.
    public func waitForChange(of run: RunID, seconds: Double) throws -> Bool {
        try patiently { try $0.waitForChange(of: run, milliseconds: UInt64(seconds * 1000)) }
    }

    /// Everything that a run has produced so far, in the order in which it came: all of it, or what has come after an
    /// output that was seen.
    /// - Parameter sequence: that output's.
    /// - Throws: `ClientError`.
    public func outputs(of run: RunID, after sequence: UInt64 = 0) throws -> [RunOutput] {
        var all: [RunOutput] = [], last = sequence
        while true {
            let message = Message.outputsRequest(run, after: last, countMax: UInt32(Limits.runOutputsMax))
            guard case .outputs(let page, let moreFollow) = try request(message) else { throw unexpected }
            for output in page {
                // One that goes back would be asked for without end.
                guard output.sequence > last else { throw ClientError.violation("its list of outputs goes back") }
                last = output.sequence
            }
            all += page
            if !moreFollow || page.isEmpty { return all }
        }
    }

    /// A session's figures from an iteration on, as far as they have arrived.
    /// - Parameter step: the session's label in the run's plan.
    /// - Throws: `ClientError`.
    public func figures(
        of run: RunID, step: String, replica: Int, firstIteration: Int = 0
    ) throws -> [IterationFigures] {
        var all: [IterationFigures] = []
        var first = UInt32(firstIteration)
        while true {
            let message = Message.metricsRequest(run, step: step, replica: UInt16(replica), firstIteration: first)
            guard case .metrics(let page, let moreFollow) = try request(message) else { throw unexpected }
            all += page
            guard moreFollow, let last = page.last, last.iteration >= first, last.iteration < .max else { return all }
            first = last.iteration + 1
        }
    }

    var unexpected: ClientError { .violation("it answered something else than was asked") }

    func request(_ message: Message) throws -> Message { try patiently { try $0.request(message) } }

    /// Does something over the connection, again over a new one while there is patience. People hear of it once, when
    /// it does not come back at once, and again when it is back.
    private func patiently<Result>(
        forSeconds seconds: Double? = nil, _ body: (ClientConnection) throws -> Result
    ) throws -> Result {
        let patience = seconds ?? waiting.patienceSeconds
        var lostSince: UInt64?
        var told = ""
        // Everybody on the list is tried before anything is said of it.
        var untriedCount = addresses.count
        while true {
            if waiting.isStopped() { throw ClientError.interrupted }
            let trouble: Trouble
            do {
                let connection = try self.connection ?? ClientConnection(
                    address: address, security: security, build: build, hasSmallSegments: hasLostConnection,
                    isStopped: waiting.isStopped)
                self.connection = connection
                let result = try body(connection)
                if !told.isEmpty { waiting.log("the coordinator at \(address) is back") }
                return result
            } catch {
                guard let known = Trouble(error) else { throw error }
                trouble = known
            }
            let isReconnecting = connection == nil
            if !isReconnecting { hasLostConnection = true }
            connection = nil
            if isReconnecting, trouble.isLoss, addresses.count > 1 {
                address = addresses[(addresses.firstIndex(of: address)! + 1) % addresses.count]
                untriedCount -= 1
                if untriedCount > 0 { continue }
                untriedCount = addresses.count
            }
            let now = MonotonicClock.nowMilliseconds()
            let since = lostSince ?? now
            lostSince = since
            guard Double(now - since) < patience * 1000 else { throw trouble.end(at: address) }
            if isReconnecting || trouble.isToldAtOnce, told != trouble.line(at: address) {
                told = trouble.line(at: address)
                waiting.log(told)
            }
            try pause()
        }
    }

    private func pause() throws {
        for _ in 0..<Self.retryMilliseconds / Self.stopMilliseconds {
            if waiting.isStopped() { throw ClientError.interrupted }
            MonotonicClock.sleep(milliseconds: Self.stopMilliseconds)
        }
    }
}

/// What a client bears for a while.
private enum Trouble {
    /// Nobody answers.
    case lost(String)
    /// Somebody answers, and cannot take anything just now.
    case busy(Refusal)

    /// nil for what waiting does not mend.
    init?(_ error: any Error) {
        switch error {
        case let lost as ClientConnection.Lost: self = .lost(lost.reason)
        case let error as NetworkError: self = .lost("\(error)")
        case ClientError.refused(let refusal) where refusal.code == .diskFull || refusal.code == .shuttingDown:
            self = .busy(refusal)
        default: return nil
        }
    }

    /// Somebody else on the list of addresses may be the one.
    var isLoss: Bool { if case .lost = self { true } else { false } }

    /// A connection that is lost is often there again with the next attempt.
    var isToldAtOnce: Bool { if case .busy = self { true } else { false } }

    func line(at address: NetworkAddress) -> String {
        switch self {
        // As in a worker's shell: a handshake that fails for the token says so and what to do.
        case .lost(let reason) where reason.contains("token"):
            "the coordinator at \(address) answers and turns us down: \(reason); trying again"
        case .lost: "the coordinator at \(address) does not answer; trying again"
        case .busy(let refusal): "the coordinator at \(address): \(refusal.message); trying again"
        }
    }

    func end(at address: NetworkAddress) -> ClientError {
        switch self {
        case .lost(let reason): .unreachable(address: "\(address)", reason: reason)
        case .busy(let refusal): .refused(refusal)
        }
    }
}
