import Platform
import Protocol

/// One connection of a client: requests out, answers in, and what was asked to be told of.
final class ClientConnection {
    /// The connection ended; the same requests on a new one may succeed.
    struct Lost: Error {
        var reason: String
    }

    private let loop: NetworkLoop
    private let connection: ConnectionID
    private var decoder = FrameDecoder(frameBytesMax: Limits.frameBytesMax)
    private var lastRequestID: UInt32 = 0
    private var answers: [UInt32: Message] = [:]
    /// Runs of which the coordinator has yet to say that they have changed.
    private var watchedRuns: Set<RunID> = []
    /// What a coordinator that is followed has told, in order.
    private var standbyParts: [(number: UInt64, isLast: Bool, bytes: [UInt8])] = []
    private var endReason: String?
    private let isStopped: @Sendable () -> Bool

    /// How often a wait looks whether it is still wanted.
    private static let stopMilliseconds: UInt64 = 200

    /// Pieces of a blob under way at the same moment.
    static let windowCount = 8

    /// A coordinator that says nothing for so long while an answer is awaited is taken for gone.
    private static let answerMilliseconds: UInt64 = 60_000

    /// Resolves the address, connects and says hello.
    /// - Parameter isStopped: asked a few times a second while something is waited for; true ends the wait.
    /// - Throws: `Lost`; `ClientError.refused`, `.interrupted`.
    init(
        address: NetworkAddress, security: ConnectionSecurity, build: String, hasSmallSegments: Bool,
        isStopped: @escaping @Sendable () -> Bool
    ) throws {
        self.isStopped = isStopped
        loop = try NetworkLoop()
        connection = try loop.connect(
            host: address.host, port: address.port, security: security, hasSmallSegments: hasSmallSegments)
        var isConnected = false
        while !isConnected {
            for event in try wait(milliseconds: Self.stopMilliseconds) {
                if case .connected = event { isConnected = true } else { take(event) }
            }
            if let endReason { throw Lost(reason: endReason) }
        }
        loop.send(FrameEncoder.magic, on: connection)
        let hello = Hello(
            role: .client, versionMin: VersionNegotiation.versionMin, versionMax: VersionNegotiation.versionMax,
            build: build, name: "client", threadCount: 0, device: "none", held: [])
        guard case .welcome = try request(.hello(hello), milliseconds: Limits.handshakeMilliseconds) else {
            throw ClientError.violation("it did not answer hello with welcome")
        }
    }

    deinit { loop.abort(connection, reason: "the client has ended") }

    /// Sends one request and waits for its answer.
    /// - Throws: `Lost`; `ClientError.refused` when the answer is a refusal, `.interrupted`.
    func request(_ message: Message, milliseconds: UInt64 = answerMilliseconds) throws -> Message {
        try answer(to: try send(message), milliseconds: milliseconds)
    }

    /// Asks to hear of a run's next change, unless that is so already.
    /// - Throws: as `request`.
    func watch(_ run: RunID) throws {
        guard !watchedRuns.contains(run) else { return }
        // Before the answer: with it may come that the run has changed.
        watchedRuns.insert(run)
        do {
            guard case .accepted = try request(.watch(run)) else {
                throw ClientError.violation("it did not answer watch with accepted")
            }
        } catch {
            watchedRuns.remove(run)
            throw error
        }
    }

    /// - Returns: whether a run has changed since it was watched; true, too, for one that nobody watches here: what
    ///   was said over an earlier connection is lost with it.
    /// - Throws: `Lost`; `ClientError.refused`, `.interrupted`.
    func waitForChange(of run: RunID, milliseconds: UInt64) throws -> Bool {
        let deadline = MonotonicClock.nowMilliseconds() + milliseconds
        while watchedRuns.contains(run) { guard try goOn(until: deadline) else { return false } }
        return true
    }

    /// The next piece of what a coordinator that is followed has changed.
    /// - Returns: nil where none has come in time.
    /// - Throws: `Lost`; `ClientError.refused`, `.interrupted`.
    func nextStandbyPart(milliseconds: UInt64) throws -> (number: UInt64, isLast: Bool, bytes: [UInt8])? {
        let deadline = MonotonicClock.nowMilliseconds() + milliseconds
        while standbyParts.isEmpty { guard try goOn(until: deadline) else { return nil } }
        return standbyParts.removeFirst()
    }

    /// Brings a blob, piece by piece, from an offset on.
    /// - Throws: `Lost`; `ClientError`.
    func fetch(_ blob: BlobReference, from offset: UInt64, take: (UInt64, [UInt8]) throws -> Void) throws {
        var asked = offset
        var received = offset
        try pipeline(
            windowCount: Self.windowCount,
            next: {
                guard asked < blob.byteCount else { return nil }
                let count = min(UInt64(Limits.blobChunkBytesMax), blob.byteCount - asked)
                defer { asked += count }
                return .blobGet(blob.digest, offset: asked, byteCountMax: UInt32(count))
            },
            take: {
                let expected = min(UInt64(Limits.blobChunkBytesMax), blob.byteCount - received)
                guard case .blobChunk(blob.digest, received, blob.byteCount, let bytes) = $0,
                    UInt64(bytes.count) == expected
                else { throw ClientError.violation("it answered a download with something else") }
                try take(received, bytes)
                received += expected
            })
    }

    /// Keeps up to `windowCount` requests under way. `next` makes them until nil; `take` gets the answers in the same
    /// order, each before `next` is asked for a request that would exceed the window.
    func pipeline(windowCount: Int, next: () throws -> Message?, take: (Message) throws -> Void) throws {
        var open: [UInt32] = []
        var isExhausted = false
        while true {
            while !isExhausted, open.count < windowCount {
                guard let message = try next() else {
                    isExhausted = true
                    break
                }
                open.append(try send(message))
            }
            guard !open.isEmpty else { return }
            try take(try answer(to: open.removeFirst(), milliseconds: Self.answerMilliseconds))
        }
    }

    private func send(_ message: Message) throws -> UInt32 {
        lastRequestID += 1
        loop.send(try MessageCoding.encode(message, requestID: lastRequestID), on: connection)
        return lastRequestID
    }

    private func answer(to requestID: UInt32, milliseconds: UInt64) throws -> Message {
        let deadline = MonotonicClock.nowMilliseconds() + milliseconds
        while true {
            if let message = answers.removeValue(forKey: requestID) {
                if case .refusal(let refusal) = message { throw ClientError.refused(refusal) }
                return message
            }
            guard try goOn(until: deadline) else { throw Lost(reason: "it does not answer") }
        }
    }

    /// Takes in what comes within a moment.
    /// - Returns: false when it is too late for that.
    private func goOn(until deadline: UInt64) throws -> Bool {
        // A refusal without a request id is about the connection itself.
        if case .refusal(let refusal)? = answers.removeValue(forKey: 0) { throw ClientError.refused(refusal) }
        if let endReason { throw Lost(reason: endReason) }
        let now = MonotonicClock.nowMilliseconds()
        guard now < deadline else { return false }
        for event in try wait(milliseconds: deadline - now) { take(event) }
        return true
    }

    private func wait(milliseconds: UInt64) throws -> [NetworkEvent] {
        if isStopped() { throw ClientError.interrupted }
        return try loop.wait(timeoutMilliseconds: Int(min(milliseconds, Self.stopMilliseconds)))
    }

    private func take(_ event: NetworkEvent) {
        switch event {
        case .received(_, let bytes):
            decoder.append(bytes)
            do {
                while let frame = try decoder.next() {
                    let (requestID, message) = try MessageCoding.decode(frame)
                    switch message {
                    case .changed(let run): watchedRuns.remove(run)
                    case .standbyPart(let number, let isLast, let bytes):
                        standbyParts.append((number, isLast, bytes))
                    default: answers[requestID] = message
                    }
                }
            } catch {
                endReason = "\(error)"
                loop.abort(connection, reason: "\(error)")
            }
        case .closed(_, let reason): endReason = endReason ?? reason
        case .accepted, .rejected, .connected, .drained: break
        }
    }
}
