import Protocol
import Worker

// The words of a transcript. A blob is written NAME:BYTES; its digest is the name's letters, so that it reads back.

func digest(_ name: some StringProtocol) -> ContentDigest {
    let letters = Array(name.utf8.prefix(32))
    return ContentDigest(bytes: letters + Array(repeating: 0, count: 32 - letters.count))
}

func word(_ digest: ContentDigest) -> String { String(decoding: digest.bytes.filter { $0 != 0 }, as: UTF8.self) }

func word(_ blob: BlobReference) -> String { "\(word(blob.digest)):\(blob.byteCount)" }

func word(_ lease: Lease) -> String { "\(lease.work.value)/\(lease.epoch)" }

func word(_ metrics: [IterationFigures]) -> String {
    guard let first = metrics.first, let last = metrics.last else { return "no metrics" }
    return "metrics \(first.iteration)..\(last.iteration)"
}

func word(_ checkpoint: Checkpoint) -> String { "@\(checkpoint.iteration) \(word(checkpoint.blob))" }

func word(_ message: Message) -> String {
    switch message {
    case .hello(let hello):
        "hello \(hello.name) holds [\(hello.held.map { word($0) }.joined(separator: " "))]"
    case .idle: "idle"
    case .heartbeat(let reports):
        "heartbeat [" + reports.map {
            "\(word($0.lease)) \(Int(($0.fraction * 100).rounded()))% @\($0.iteration) '\($0.note)'"
        }.joined(separator: " ") + "]"
    case .checkpointSaved(let lease, let checkpoint, let metrics):
        "checkpointSaved \(word(lease)) \(word(checkpoint)) \(word(metrics))"
    case .finished(let result):
        "finished \(word(result.lease)) [\(result.outputs.map { word($0) }.joined(separator: " "))] "
            + word(result.metrics)
    case .surrender(let lease, let reason, let text): "surrender \(word(lease)) \(reason) '\(text)'"
    case .blobGet(let name, let offset, let count): "blobGet \(word(name)) from \(offset) at most \(count)"
    case .blobOffer(let name, let count): "blobOffer \(word(name)):\(count)"
    case .blobPut(let name, let offset, let bytes): "blobPut \(word(name)) \(offset)+\(bytes.count)"
    default: "UNEXPECTED \(message)"
    }
}

func word(_ action: WorkerAction) -> String {
    switch action {
    case .dial: "dial"
    case .hangUp: "hang up"
    case .send(let message, let requestID): "send \(requestID) \(word(message))"
    case .readShared(let name, _, let path): "shared \(word(name)):\(path)"
    case .openBlob(let name, let count): "open \(word(name)):\(count)"
    case .storePiece(let name, let offset, let bytes): "store \(word(name)) \(offset)+\(bytes.count)"
    case .probeCache(let count): "probe \(count)"
    case .discardBlob(let name): "discard \(word(name))"
    case .compute(let assignment):
        "compute \(word(assignment.lease))" + (assignment.resume.map { " from " + word($0) } ?? "")
    case .prepareAhead(let assignment): "prepare ahead \(word(assignment.lease))"
    case .takeCheckpoint(let lease): "take a checkpoint of \(word(lease))"
    case .stopCompute(let lease): "stop \(word(lease)) with a checkpoint"
    case .interruptStep(let lease): "interrupt the step of \(word(lease))"
    case .cancelCompute(let lease): "cancel \(word(lease))"
    case .log(let text), .problem(let text): "log \(text)"
    case .leave(.drained): "leave"
    case .leave(.refused(let text)): "leave, refused: \(text)"
    }
}

/// Reads the words of one event, from left to right.
struct EventReader {
    private var words: [Substring]

    init(_ text: some StringProtocol) { words = String(text).split(separator: " ") }

    mutating func next() -> Substring {
        precondition(!words.isEmpty, "the event lacks a word")
        return words.removeFirst()
    }

    mutating func number() -> UInt64 {
        let text = next()
        guard let value = UInt64(text) else { preconditionFailure("'\(text)' is not a number") }
        return value
    }

    mutating func rest() -> String {
        defer { words = [] }
        return words.joined(separator: " ")
    }

    mutating func lease() -> Lease {
        let parts = next().split(separator: "/").map { UInt64($0)! }
        return Lease(work: WorkID(parts[0]), epoch: parts[1])
    }

    mutating func blob() -> BlobReference {
        let parts = next().split(separator: ":")
        return BlobReference(
            role: "volume", name: String(parts[0]), digest: digest(parts[0]), byteCount: UInt64(parts[1])!)
    }

    mutating func payload() -> Payload {
        let reference = blob()
        return Payload(reference: reference, bytes: Array(repeating: 7, count: Int(reference.byteCount)))
    }

    mutating func event() -> WorkerEvent {
        let verb = next()
        switch verb {
        case "started": return .started
        case "tick": return .tick
        case "drain": return .drainRequested
        case "connected": return .connected
        case "lost": return .disconnected(rest())
        case "rejected": return .rejected(rest())
        case "got": return .received(message(), requestID: words.isEmpty ? 0 : RequestID(number()))
        case "held": return .blobHeld(digest(next()), byteCount: number())
        case "damaged": return .blobDamaged(digest(next()))
        case "storageFull": return .storageFull(digest(next()), rest())
        case "storageFailed": return .storageFailed(digest(next()), rest())
        case "probed": return .cacheProbed(words.isEmpty ? nil : rest())
        case "progress": return progress()
        case "checkpoint":
            return .checkpointTaken(lease(), TakenCheckpoint(iteration: UInt32(number()), payload: payload()))
        case "ended": return .computeEnded(lease(), outcome())
        default: preconditionFailure("no event is called \(verb)")
        }
    }

    /// "1/1 40% 10..20": the figures of iterations 10 to 20 are new.
    private mutating func progress() -> WorkerEvent {
        let lease = lease()
        let fraction = Double(next().dropLast())! / 100
        let range = next().split(separator: ".").map { UInt32($0)! }
        let metrics = (range[0]...range[1]).map {
            IterationFigures(iteration: $0, ["loss": 0.5, "dice": 0.5, "seconds": 0.1])
        }
        let report = LeaseProgress(lease: lease, fraction: fraction, iteration: range[1], note: "loss 0.500")
        return .progressed(report, metrics)
    }

    private mutating func outcome() -> ComputeOutcome {
        switch next() {
        case "done": return .done(outputs: words.indices.map { _ in payload() }, reportJSON: "{}")
        case "cancelled": return .cancelled
        case "stopped":
            return words.isEmpty
                ? .stopped(nil) : .stopped(TakenCheckpoint(iteration: UInt32(number()), payload: payload()))
        case "inputsDamaged": return .inputsDamaged(words.indices.map { _ in digest(next()) })
        case "inputRefused": return .inputRefused(rest())
        default: return .failed(rest())
        }
    }

    private mutating func message() -> Message {
        switch next() {
        case "welcome":
            let version = UInt16(number())
            return .welcome(Welcome(
                version: version, build: "quintet-test", heartbeatMilliseconds: 1_000, leaseMilliseconds: 5_000))
        case "refusal":
            let codes: [Substring: RefusalCode] = [
                "staleLease": .staleLease, "diskFull": .diskFull, "unknown": .unknown, "version": .version,
                "internalError": .internalError, "limit": .limit, "damaged": .damaged, "shuttingDown": .shuttingDown,
            ]
            let code = next()
            return .refusal(Refusal(code: codes[code]!, message: "it is \(code)"))
        case "assignment": return assignment()
        case "heartbeatAnswer": return .heartbeatAnswer
        case "accepted": return .accepted
        case "revoke": return .revoke(lease())
        case "blobOffset": return .blobOffset(digest(next()), offset: number())
        case "blobChunk":
            let blob = blob()
            let (offset, count) = (number(), Int(number()))
            return .blobChunk(
                blob.digest, offset: offset, byteCount: blob.byteCount, bytes: Array(repeating: 1, count: count))
        case let other: preconditionFailure("no message is called \(other)")
        }
    }

    /// "1/1 train [ct:100 lung:50] from 20 state:30": checkpoints every 30 s; the last two words may be missing.
    private mutating func assignment() -> Message {
        let lease = lease()
        let step = String(next())
        let recipe = String(next())
        var (inputs, resume): ([BlobReference], Checkpoint?) = ([], nil)
        while words.count > 1 {
            if words[0] == "from" {
                _ = next()
                resume = Checkpoint(iteration: UInt32(number()), blob: blob())
            } else {
                inputs.append(blob())
            }
        }
        return .assignment(Assignment(
            lease: lease,
            description: WorkDescription(
                run: RunID(1), recipe: recipe, step: step, kind: step == "train" ? .session : .task, replica: 0,
                seed: 7, parameters: "{}", inputs: inputs),
            resume: resume, checkpointSeconds: 30))
    }
}
