import Coordinator
import Foundation
import Platform
import Protocol

/// A coordinator on a thread of its own, listening on loopback.
final class RunningServer {
    let server: CoordinatorServer
    private let ended = DispatchSemaphore(value: 0)

    init(
        folder: String, leaseSeconds: Double = 60, port: UInt16 = 0, security: ConnectionSecurity = .plaintext,
        unusedBlobSeconds: Double = 86_400, endedRunSeconds: Double? = nil, limits: PeerLimits = PeerLimits(),
        hasMetrics: Bool = false, hasLivePage: Bool = false, needsStandby: Bool = false,
        log: @escaping @Sendable (String) -> Void = { _ in }
    ) throws {
        var configuration = CoordinatorConfiguration(
            stateDirectory: folder, port: port, security: security, leaseSeconds: leaseSeconds,
            heartbeatSeconds: leaseSeconds / 4, unusedBlobSeconds: unusedBlobSeconds,
            endedRunSeconds: endedRunSeconds, build: "test", log: Log { log($1) })
        configuration.limits = limits
        configuration.needsStandby = needsStandby
        if hasLivePage { configuration.liveAddress = NetworkAddress(host: "127.0.0.1", port: 0) }
        if hasMetrics { configuration.metricsAddress = NetworkAddress(host: "127.0.0.1", port: 0) }
        // No test is about it, and the thread of an honest peer may stand still before its hello.
        configuration.limits.handshakeMilliseconds = 600_000
        server = try Self.open(configuration)
        let (server, ended) = (server, ended)
        Thread.detachNewThread {
            try? server.run()
            ended.signal()
        }
    }

    /// A process that another test starts just now has the lock of a server that has ended, from its fork to its exec.
    private static func open(_ configuration: CoordinatorConfiguration) throws -> CoordinatorServer {
        for _ in 0..<100 {
            do { return try CoordinatorServer(configuration: configuration) } catch is FolderLock.Held {
                Thread.sleep(forTimeInterval: 0.05)
            }
        }
        return try CoordinatorServer(configuration: configuration)
    }

    var port: UInt16 { server.port }

    func client() throws -> CoordinatorClient {
        try CoordinatorClient(address: NetworkAddress(host: "127.0.0.1", port: server.port))
    }

    /// SIGTERM.
    func stop() {
        server.requestStop()
        ended.wait()
    }

    /// SIGKILL, as far as that is possible within one process.
    func crash() {
        server.crash()
        ended.wait()
    }
}

/// A worker that says what a test tells it to.
final class FakeWorker {
    let loop: NetworkLoop
    private let connection: ConnectionID
    private var decoder = FrameDecoder(frameBytesMax: Limits.frameBytesMax)
    private var lastRequestID: UInt32 = 0
    private var answers: [UInt32: Message] = [:]
    /// Messages of the coordinator's own, oldest first.
    private var pushed: [Message] = []
    private(set) var endReason: String?

    struct Silence: Error {}

    /// What is waited for comes at once, unless the machine stands still.
    static let patienceSeconds: Double = 60

    init(
        _ server: RunningServer, name: String, role: PeerRole = .worker, held: [Lease] = [],
        version: UInt16 = VersionNegotiation.versionMax, memoryByteCount: UInt64 = 0, greets: Bool = true,
        magic: [UInt8] = FrameEncoder.magic
    ) throws {
        loop = try NetworkLoop()
        connection = try loop.connect(host: "127.0.0.1", port: server.server.port, security: .plaintext)
        loop.send(magic, on: connection)
        guard greets else { return }
        let hello = Hello(
            role: role, versionMin: version, versionMax: version, build: "fake", name: name, threadCount: 1,
            device: "cpu", held: held, memoryByteCount: memoryByteCount)
        greeting = try request(.hello(hello))
    }

    private(set) var greeting: Message?

    @discardableResult
    func send(_ message: Message) throws -> UInt32 {
        var id: UInt32 = 0
        if case .idle = message {} else {
            lastRequestID += 1
            id = lastRequestID
        }
        loop.send(try MessageCoding.encode(message, requestID: id), on: connection)
        return id
    }

    func sendRaw(_ bytes: [UInt8]) { loop.send(bytes, on: connection) }

    func request(_ message: Message) throws -> Message {
        let id = try send(message)
        try wait { answers[id] != nil }
        return answers.removeValue(forKey: id)!
    }

    func idle() throws { try send(.idle) }

    func nextPush() throws -> Message {
        try wait { !pushed.isEmpty }
        return pushed.removeFirst()
    }

    /// Is heard while it waits, as a real worker: somebody's lease may have to run out first.
    func nextAssignment() throws -> Assignment {
        let deadline = Date().addingTimeInterval(Self.patienceSeconds)
        while Date() < deadline {
            while !pushed.isEmpty { if case .assignment(let assignment) = pushed.removeFirst() { return assignment } }
            _ = try request(.heartbeat([]))
            if pushed.isEmpty { try? wait(seconds: 0.2) { !pushed.isEmpty } }
        }
        throw Silence()
    }

    /// Whether it takes what is sent to it.
    func listens(_ isListening: Bool) { loop.setReading(isListening, on: connection) }

    func hasAnswer(to requestID: UInt32) -> Bool { answers[requestID] != nil }

    var answerCount: Int { answers.count }

    func waitForEnd() throws {
        listens(true)
        try wait { endReason != nil }
    }

    /// The connection ends without a word.
    func drop() throws {
        loop.abort(connection, reason: "dropped")
        _ = try loop.wait(timeoutMilliseconds: 0)
    }

    /// - Throws: `Silence` when the time is over, or the connection, and it is not so.
    func wait(seconds: Double = patienceSeconds, until isDone: () -> Bool) throws {
        let deadline = Date().addingTimeInterval(seconds)
        while !isDone() {
            guard endReason == nil, Date() < deadline else { throw Silence() }
            try turn(milliseconds: 50)
        }
    }

    /// Takes in what has come.
    func turn(milliseconds: Int = 0) throws {
        for event in try loop.wait(timeoutMilliseconds: milliseconds) {
            switch event {
            case .received(_, let bytes):
                decoder.append(bytes)
                while let frame = try decoder.next() {
                    let (id, message) = try MessageCoding.decode(frame)
                    if id == 0 { pushed.append(message) } else { answers[id] = message }
                }
            case .closed(_, let reason): endReason = reason
            default: break
            }
        }
    }

    /// Offers and sends in one piece.
    func upload(_ bytes: [UInt8], role: String, name: String) throws -> BlobReference {
        let digest = ContentDigest(bytes: SHA256.digest(of: bytes))
        let reference = BlobReference(role: role, name: name, digest: digest, byteCount: UInt64(bytes.count))
        let offer = try request(.blobOffer(digest, byteCount: UInt64(bytes.count)))
        if offer == .blobOffset(digest, offset: UInt64(bytes.count)) { return reference }
        let answer = try request(.blobPut(digest, offset: 0, bytes: bytes))
        guard answer == .blobOffset(digest, offset: UInt64(bytes.count)) else {
            throw ClientError.violation("\(answer)")
        }
        return reference
    }

    func fetch(_ blob: BlobReference) throws -> [UInt8] {
        let answer = try request(.blobGet(blob.digest, offset: 0, byteCountMax: 1 << 18))
        guard case .blobChunk(_, 0, _, let bytes) = answer else { throw ClientError.violation("\(answer)") }
        return bytes
    }

    func finish(_ assignment: Assignment, _ outputs: [BlobReference], metrics: [IterationFigures] = []) throws
        -> Message
    {
        try request(
            .finished(
                WorkResult(lease: assignment.lease, outputs: outputs, reportJSON: "{\"ok\":true}", metrics: metrics)))
    }
}
