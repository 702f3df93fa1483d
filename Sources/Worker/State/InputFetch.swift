import Protocol

/// Brings the blobs that a piece of work reads into the cache, one after the other, each in pieces.
///
/// For the blob at the head of the list: `openBlob` asks the cache how much of it lies there (a cut transfer left a
/// beginning), then up to `piecesInFlightMax` pieces are asked for, from there on. Pieces come back in the order they
/// were asked for, since one connection carries them; one that does not fit is a broken coordinator, and the
/// connection ends. With the last one stored the cache verifies the digest.
struct InputFetch: Sendable {
    struct Need: Sendable {
        let digest: ContentDigest
        let byteCount: UInt64
        let name: String
        var damageCount = 0
    }

    private struct PieceRequest: Sendable {
        let requestID: RequestID
        let offset: UInt64
        let byteCount: UInt64
    }

    /// What an answer means for the work.
    enum Verdict: Hashable, Sendable {
        case goesOn
        /// The coordinator broke the rules: the connection cannot be trusted.
        case violation(String)
        /// It has not come for so long that somebody else may try; nobody's fault.
        case tooLate(String)
        /// This worker cannot get this blob.
        case hopeless(String)
    }

    private(set) var needs: [Need]
    private(set) var fetchedBytes: UInt64 = 0
    let wantedBytes: UInt64
    /// What holds it up, for people; nil while it goes on.
    private(set) var obstacle: String?

    /// Bytes of the first need in the cache; nil until the cache has said.
    private var heldBytes: UInt64?
    private var isOpening = false
    private var requestedBytes: UInt64 = 0
    private var inFlight: [PieceRequest] = []
    private var quietSince: UInt64 = 0
    private(set) var pausedUntil: UInt64?
    /// The most of the first need that was ever in the cache: what goes beyond it is progress.
    private var mostHeldBytes: UInt64 = 0
    /// Since when the cache has taken nothing.
    private(set) var storageFailedSince: UInt64?

    private let pieceBytes: UInt64
    /// Where blobs lie on the shared file system, of those that were not looked for there yet.
    private var places: [ContentDigest: String] = [:]
    private var isReadingShared = false
    /// Since when the run's client has been asked for the first need.
    private var askedForSince: UInt64?

    /// - Parameter seesShared: this worker has the shared file system.
    init(_ assignment: Assignment, pieceBytes: Int, seesShared: Bool = false) {
        self.pieceBytes = UInt64(pieceBytes)
        if seesShared {
            places = Dictionary(assignment.places.map { ($0.digest, $0.path) }, uniquingKeysWith: { first, _ in first })
        }
        var seen: Set<ContentDigest> = []
        needs = assignment.blobs.compactMap { blob in
            seen.insert(blob.digest).inserted
                ? Need(digest: blob.digest, byteCount: blob.byteCount, name: blob.name) : nil
        }
        wantedBytes = needs.reduce(0) { $0.addingReportingOverflow($1.byteCount).partialValue }
    }

    var isComplete: Bool { needs.isEmpty }

    /// What the cache has still to take of the blob at hand.
    var missingBytes: UInt64 { needs.first.map { $0.byteCount - mostHeldBytes } ?? 0 }

    /// When a pause or an answer's patience ends.
    var wakeMilliseconds: UInt64? {
        pausedUntil ?? (inFlight.isEmpty ? nil : quietSince + WorkerLimits.answerMilliseconds)
    }

    /// What can be asked for now. Without a connection (`isServing` false) only the cache is asked.
    mutating func pump(isServing: Bool, requests: inout RequestNumbers, atMilliseconds now: UInt64) -> [WorkerAction] {
        guard let need = needs.first else { return [] }
        if let pausedUntil, now < pausedUntil { return [] }
        pausedUntil = nil
        guard let heldBytes else {
            guard !isOpening else { return [] }
            isOpening = true
            return [.openBlob(need.digest, byteCount: need.byteCount)]
        }
        guard !isReadingShared else { return [] }
        if let path = places.removeValue(forKey: need.digest) {
            isReadingShared = true
            return [.readShared(need.digest, byteCount: need.byteCount, path: path)]
        }
        guard isServing else { return [] }
        if !inFlight.isEmpty, now >= quietSince + WorkerLimits.answerMilliseconds { askAgain(from: heldBytes) }
        var actions: [WorkerAction] = []
        while inFlight.count < WorkerLimits.piecesInFlightMax, requestedBytes < need.byteCount {
            let count = min(pieceBytes, need.byteCount - requestedBytes)
            let request = PieceRequest(requestID: requests.next(), offset: requestedBytes, byteCount: count)
            let message = Message.blobGet(need.digest, offset: request.offset, byteCountMax: UInt32(count))
            actions.append(.send(message, requestID: request.requestID))
            if inFlight.isEmpty { quietSince = now }
            inFlight.append(request)
            requestedBytes += count
        }
        return actions
    }

    /// The connection is gone and with it every answer.
    mutating func connectionLost() {
        askAgain(from: heldBytes ?? 0)
    }

    private mutating func askAgain(from offset: UInt64) {
        inFlight = []
        requestedBytes = offset
    }

    // MARK: Answers of the coordinator

    func awaits(_ requestID: RequestID) -> Bool { inFlight.contains { $0.requestID == requestID } }

    /// - Returns: the piece to store, if it is a good one, and what the answer means.
    mutating func answered(_ message: Message, requestID: RequestID, atMilliseconds now: UInt64)
        -> (WorkerAction?, Verdict)
    {
        guard let need = needs.first, let request = inFlight.first else { return (nil, .goesOn) }
        quietSince = now
        switch message {
        case .blobChunk(let digest, let offset, let byteCount, let bytes):
            guard requestID == request.requestID, digest == need.digest, byteCount == need.byteCount,
                offset == request.offset, !bytes.isEmpty, UInt64(bytes.count) <= request.byteCount
            else { return (nil, .violation("it sent a piece of a blob that was not asked for")) }
            inFlight.removeFirst()
            // A shorter piece is allowed; what was asked for behind it then leaves a gap.
            if UInt64(bytes.count) < request.byteCount { askAgain(from: offset + UInt64(bytes.count)) }
            return (.storePiece(digest, offset: offset, bytes: bytes), .goesOn)
        case .refusal(let refusal):
            askAgain(from: heldBytes ?? 0)
            switch refusal.code {
            case .onItsWay:
                let since = askedForSince ?? now
                askedForSince = since
                guard now - since < WorkerLimits.onItsWayMilliseconds else {
                    return (nil, .tooLate("\(need.name) does not come: \(refusal.message)"))
                }
                pause(because: "\(need.name) is on its way: \(refusal.message)", at: now)
                return (nil, .goesOn)
            case .internalError, .diskFull, .shuttingDown:
                pause(because: "the coordinator cannot send \(need.name): \(refusal.message)", at: now)
                return (nil, .goesOn)
            default:
                return (nil, .hopeless("the coordinator does not give \(need.name): \(refusal.message)"))
            }
        default:
            return (nil, .violation("it answered the request for a blob with something else"))
        }
    }

    // MARK: Answers of the cache

    mutating func held(_ digest: ContentDigest, byteCount: UInt64) {
        // More than the whole blob is another's, of the same name and another size.
        guard let need = needs.first, need.digest == digest, byteCount <= need.byteCount else { return }
        isOpening = false
        if byteCount == need.byteCount { isReadingShared = false }
        obstacle = nil
        if byteCount > mostHeldBytes || byteCount == need.byteCount { storageFailedSince = nil }
        mostHeldBytes = max(mostHeldBytes, byteCount)
        if byteCount == need.byteCount {
            askedForSince = nil
            needs.removeFirst()
            fetchedBytes += need.byteCount
            heldBytes = nil
            mostHeldBytes = 0
            askAgain(from: 0)
        } else {
            // The first answer, or one that shows other bytes than we counted on, sets where to ask from.
            if heldBytes == nil || requestedBytes < byteCount { askAgain(from: byteCount) }
            heldBytes = byteCount
        }
    }

    /// The shared file system does not have it: it comes over the wire.
    mutating func sharedMissing(_ digest: ContentDigest) {
        guard let need = needs.first, need.digest == digest else { return }
        isReadingShared = false
    }

    mutating func damaged(_ digest: ContentDigest) -> Verdict {
        guard let need = needs.first, need.digest == digest else { return .goesOn }
        needs[0].damageCount += 1
        isOpening = false
        heldBytes = nil
        mostHeldBytes = 0
        askAgain(from: 0)
        guard needs[0].damageCount < WorkerLimits.damageMax else {
            return .hopeless("\(need.name) arrived damaged \(needs[0].damageCount) times: check the coordinator's "
                + "blob \(need.digest) and this machine's memory and disk")
        }
        return .goesOn
    }

    /// A full disk, or one with errors: neither is the work's fault, and either may pass.
    mutating func storageFailed(_ digest: ContentDigest, because reason: String, atMilliseconds now: UInt64) {
        guard let need = needs.first, need.digest == digest else { return }
        isOpening = false
        heldBytes = nil
        askAgain(from: 0)
        storageFailedSince = storageFailedSince ?? now
        pause(because: "cannot keep \(need.name): \(reason)", at: now)
    }

    private mutating func pause(because reason: String, at now: UInt64) {
        obstacle = reason
        pausedUntil = now + WorkerLimits.pauseMilliseconds
    }
}
