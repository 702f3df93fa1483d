import Protocol

/// Brings blobs to the coordinator and then says what they are: a checkpoint, a result; or only says something
/// (a surrender). Repeated until answered.
///
/// For each payload: offer it, then send pieces from the offset that the coordinator names (a cut transfer goes on
/// where it was cut), `piecesInFlightMax` at a time, until the coordinator says that it holds all; then the next one.
/// When all are there: the statement. After a lost connection the payload at hand is offered again, or the statement
/// repeated; what the coordinator has, it does not get twice.
struct Upload: Sendable {
    enum Statement: Hashable, Sendable {
        case checkpoint(Checkpoint)
        case result([BlobReference], reportJSON: String, seconds: Double, isShared: Bool)
        case surrender(SurrenderReason, String)
    }

    /// What an answer means for the work.
    enum Verdict: Hashable, Sendable {
        case goesOn
        /// The statement was accepted.
        case settled
        /// The lease has moved on.
        case stale
        /// The coordinator will never take it.
        case hopeless(String)
        /// The coordinator broke the rules: the connection cannot be trusted.
        case violation(String)
    }

    private struct PieceRequest: Sendable {
        let requestID: RequestID
        let end: UInt64
    }

    private enum Step: Sendable {
        case toOffer
        case offered(RequestID)
        case sending(sent: UInt64, inFlight: [PieceRequest])
        case toState
        case stated(RequestID)
    }

    let statement: Statement
    private let payloads: [Payload]
    private var uploadedCount = 0
    private var step = Step.toOffer
    private var setbackCount = 0
    private var quietSince: UInt64 = 0
    private(set) var pausedUntil: UInt64?
    /// What holds it up, for people; nil while it goes on.
    private(set) var obstacle: String?

    init(_ statement: Statement, payloads: [Payload] = []) {
        self.statement = statement
        self.payloads = payloads
    }

    init(_ taken: TakenCheckpoint) {
        self.init(
            .checkpoint(Checkpoint(iteration: taken.iteration, blob: taken.payload.reference)),
            payloads: [taken.payload])
    }

    /// What of it lies in memory.
    var payloadBytes: UInt64 { payloads.reduce(0) { $0 + UInt64($1.bytes.count) } }

    /// When a pause or an answer's patience ends.
    var wakeMilliseconds: UInt64? {
        if let pausedUntil { return pausedUntil }
        switch step {
        case .offered, .sending, .stated: return quietSince + WorkerLimits.answerMilliseconds
        case .toOffer, .toState: return nil
        }
    }

    /// What can be sent now. `makeStatement` gives the statement's message, with figures up to date.
    mutating func pump(
        requests: inout RequestNumbers, pieceBytes: Int, atMilliseconds now: UInt64, makeStatement: () -> Message
    ) -> [WorkerAction] {
        if let pausedUntil, now < pausedUntil { return [] }
        pausedUntil = nil
        if let wakeMilliseconds, now >= wakeMilliseconds { connectionLost() }
        if case .toOffer = step, uploadedCount == payloads.count { step = .toState }
        switch step {
        case .toOffer:
            let requestID = requests.next()
            let reference = payloads[uploadedCount].reference
            step = .offered(requestID)
            quietSince = now
            return [.send(.blobOffer(reference.digest, byteCount: reference.byteCount), requestID: requestID)]
        case .sending(let sent, let inFlight):
            return sendPieces(of: pieceBytes, from: sent, inFlight: inFlight, requests: &requests, at: now)
        case .toState:
            let requestID = requests.next()
            step = .stated(requestID)
            quietSince = now
            return [.send(makeStatement(), requestID: requestID)]
        case .offered, .stated:
            return []
        }
    }

    private mutating func sendPieces(
        of pieceBytes: Int, from offset: UInt64, inFlight earlier: [PieceRequest], requests: inout RequestNumbers,
        at now: UInt64
    ) -> [WorkerAction] {
        let payload = payloads[uploadedCount]
        var (sent, inFlight, actions) = (offset, earlier, [WorkerAction]())
        while inFlight.count < WorkerLimits.piecesInFlightMax, sent < payload.reference.byteCount {
            let end = min(sent + UInt64(pieceBytes), payload.reference.byteCount)
            let requestID = requests.next()
            let bytes = Array(payload.bytes[Int(sent)..<Int(end)])
            let message = Message.blobPut(payload.reference.digest, offset: sent, bytes: bytes)
            actions.append(.send(message, requestID: requestID))
            inFlight.append(PieceRequest(requestID: requestID, end: end))
            sent = end
        }
        if !actions.isEmpty, earlier.isEmpty { quietSince = now }
        step = .sending(sent: sent, inFlight: inFlight)
        return actions
    }

    /// Every answer is lost with the connection: ask again.
    mutating func connectionLost() {
        switch step {
        case .toOffer, .offered, .sending: step = .toOffer
        case .toState, .stated: step = .toState
        }
    }

    /// The statement was accepted in part; say the rest.
    mutating func stateAgain() { step = .toState }

    // MARK: Answers

    func awaits(_ requestID: RequestID) -> Bool {
        switch step {
        case .offered(let awaited), .stated(let awaited): return awaited == requestID
        case .sending(_, let inFlight): return inFlight.contains { $0.requestID == requestID }
        case .toOffer, .toState: return false
        }
    }

    mutating func answered(_ message: Message, requestID: RequestID, atMilliseconds now: UInt64) -> Verdict {
        quietSince = now
        obstacle = nil
        switch (step, message) {
        case (_, .refusal(let refusal)):
            return refused(refusal, at: now)
        case (.offered, .blobOffset(let digest, let offset)):
            return goOn(from: offset, of: digest, inFlight: [])
        case (.sending(_, let inFlight), .blobOffset(let digest, let offset)):
            if let first = inFlight.first, first.requestID == requestID, first.end == offset {
                return goOn(from: offset, of: digest, inFlight: Array(inFlight.dropFirst()))
            }
            // It holds more or less than we think: what it says counts.
            return countSetback("the upload does not advance") ?? goOn(from: offset, of: digest, inFlight: [])
        case (.stated, .accepted):
            return .settled
        default:
            return .violation("it answered \(Self.name(step)) with something else")
        }
    }

    private mutating func goOn(from offset: UInt64, of digest: ContentDigest, inFlight: [PieceRequest]) -> Verdict {
        let reference = payloads[uploadedCount].reference
        guard digest == reference.digest, offset <= reference.byteCount else {
            return .violation("it named an offset outside the blob that was offered")
        }
        if offset == reference.byteCount {
            uploadedCount += 1
            step = .toOffer
        } else {
            step = .sending(sent: inFlight.last?.end ?? offset, inFlight: inFlight)
        }
        return .goesOn
    }

    private mutating func refused(_ refusal: Refusal, at now: UInt64) -> Verdict {
        switch refusal.code {
        case .staleLease:
            return .stale
        case .diskFull, .internalError, .shuttingDown, .onItsWay:
            connectionLost()
            obstacle = "the coordinator cannot take \(Self.name(statement)): \(refusal.message)"
            pausedUntil = now + WorkerLimits.pauseMilliseconds
            return .goesOn
        case .unknown, .damaged:
            // It lost, or never had, what we thought it holds: everything again, from the first payload.
            if payloads.isEmpty { return .hopeless(refusal.message) }
            uploadedCount = 0
            step = .toOffer
            return countSetback(refusal.message) ?? .goesOn
        case .version, .malformed, .limit, .notAllowed:
            return .hopeless(refusal.message)
        }
    }

    /// Bounds what a coordinator can make us repeat.
    private mutating func countSetback(_ reason: String) -> Verdict? {
        setbackCount += 1
        return setbackCount > WorkerLimits.damageMax ? .hopeless(reason) : nil
    }

    static func name(_ statement: Statement) -> String {
        switch statement {
        case .checkpoint(let checkpoint): "the checkpoint of iteration \(checkpoint.iteration)"
        case .result: "the result"
        case .surrender: "the work given back"
        }
    }

    private static func name(_ step: Step) -> String {
        switch step {
        case .toOffer, .offered: "the offer of a blob"
        case .sending: "a piece of a blob"
        case .toState, .stated: "a statement"
        }
    }
}
