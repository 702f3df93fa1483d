import Protocol
import Worker

/// A coordinator just good enough to judge workers: leases with epochs, blobs, checkpoints. Not the real one.
struct ModelCoordinator {
    struct Piece {
        var epoch: UInt64 = 0
        var holder: String?
        var leaseUntil: UInt64 = 0
        var checkpoint: Checkpoint?
        var resultDigest: ContentDigest?
        var metrics: Set<UInt32> = []
    }

    /// Nobody here waits for the end of one, and a thread that stands still must not lose it.
    static let leaseMilliseconds: UInt64 = 60_000
    let iterationCount: UInt32
    let input: [UInt8]
    var parameters = ""
    var digestOf: @Sendable ([UInt8]) -> ContentDigest
    /// The bytes that each piece's result must have.
    var expected: @Sendable (_ piece: Int) -> [UInt8] = { _ in [] }
    /// Bytes of blobs sent to workers.
    var servedByteCount = 0
    var helloCount = 0
    var pieces: [Piece]
    var blobs: [ContentDigest: [UInt8]] = [:]
    var partial: [ContentDigest: [UInt8]] = [:]
    var acceptedCount = 0
    var violations: [String] = []

    init(
        pieceCount: Int, iterationCount: UInt32, inputBytes: Int,
        digestOf: @escaping @Sendable ([UInt8]) -> ContentDigest
    ) {
        self.digestOf = digestOf
        pieces = Array(repeating: Piece(), count: pieceCount)
        self.iterationCount = iterationCount
        input = (0..<inputBytes).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        blobs[digestOf(input)] = input
    }

    var isDone: Bool { pieces.allSatisfy { $0.resultDigest != nil } }

    private func isCurrent(_ lease: Lease, _ name: String) -> Bool {
        let piece = pieces[Int(lease.work.value)]
        return piece.epoch == lease.epoch && piece.holder == name
    }

    mutating func answer(_ message: Message, from name: String, at now: UInt64) -> [Message] {
        switch message {
        case .hello(let hello):
            helloCount += 1
            let welcome = Welcome(
                version: 4, build: "model", heartbeatMilliseconds: 500,
                leaseMilliseconds: UInt32(Self.leaseMilliseconds))
            return [.welcome(welcome)] + hello.held.filter { !isCurrent($0, name) }.map { .revoke($0) }
        case .idle:
            return assign(to: name, at: now)
        case .heartbeat(let reports):
            for report in reports where isCurrent(report.lease, name) {
                pieces[Int(report.lease.work.value)].leaseUntil = now + Self.leaseMilliseconds
            }
            return [.heartbeatAnswer] + reports.filter { !isCurrent($0.lease, name) }.map { .revoke($0.lease) }
        case .checkpointSaved(let lease, let checkpoint, let metrics):
            return [saved(lease, checkpoint, metrics, name)]
        case .finished(let result):
            return [finished(result, name)]
        case .surrender(let lease, _, _):
            if isCurrent(lease, name) { pieces[Int(lease.work.value)].holder = nil }
            return [.accepted]
        default:
            return blob(message)
        }
    }

    private mutating func assign(to name: String, at now: UInt64) -> [Message] {
        // The result of one may be on its way when the next is asked for.
        guard pieces.count(where: { $0.holder == name && $0.resultDigest == nil }) < 2 else { return [] }
        guard let index = pieces.indices.first(where: {
            pieces[$0].resultDigest == nil && (pieces[$0].holder == nil || pieces[$0].leaseUntil < now)
        }) else { return [] }
        pieces[index].epoch += 1
        pieces[index].holder = name
        pieces[index].leaseUntil = now + Self.leaseMilliseconds
        let lease = Lease(work: WorkID(UInt64(index)), epoch: pieces[index].epoch)
        let description = WorkDescription(
            run: RunID(1), recipe: "fake", step: "train", kind: .session, replica: UInt16(index), seed: 1,
            parameters: parameters,
            inputs: [BlobReference(
                role: "ct", name: "case-7", digest: digestOf(input), byteCount: UInt64(input.count))])
        return [.assignment(Assignment(
            lease: lease, description: description, resume: pieces[index].checkpoint, checkpointSeconds: 1))]
    }

    private mutating func saved(
        _ lease: Lease, _ checkpoint: Checkpoint, _ metrics: [IterationFigures], _ name: String
    ) -> Message {
        guard isCurrent(lease, name) else { return stale }
        guard blobs[checkpoint.blob.digest] != nil else {
            violations.append("\(lease): a checkpoint was stated before its blob was there")
            return .refusal(Refusal(code: .unknown, message: "no blob"))
        }
        let index = Int(lease.work.value)
        if let earlier = pieces[index].checkpoint, earlier.iteration > checkpoint.iteration {
            violations.append("\(lease): checkpoints ran backwards")
        }
        pieces[index].checkpoint = checkpoint
        pieces[index].metrics.formUnion(metrics.map(\.iteration))
        if pieces[index].metrics.count != Int(checkpoint.iteration) {
            violations.append("\(lease): figures are missing at iteration \(checkpoint.iteration)")
        }
        return .accepted
    }

    private mutating func finished(_ result: WorkResult, _ name: String) -> Message {
        guard isCurrent(result.lease, name) else { return stale }
        guard let output = result.outputs.first, let bytes = blobs[output.digest] else {
            violations.append("\(result.lease): a result was stated before its blob was there")
            return .refusal(Refusal(code: .unknown, message: "no blob"))
        }
        let index = Int(result.lease.work.value)
        if bytes != expected(index) {
            violations.append("\(result.lease): the result has other bytes")
        }
        pieces[index].metrics.formUnion(result.metrics.map(\.iteration))
        if pieces[index].metrics.count != Int(iterationCount) {
            violations.append("\(result.lease): figures are missing at the end")
        }
        if pieces[index].resultDigest == nil { acceptedCount += 1 }
        pieces[index].resultDigest = output.digest
        return .accepted
    }

    private mutating func blob(_ message: Message) -> [Message] {
        switch message {
        case .blobGet(let digest, let offset, let countMax):
            guard let bytes = blobs[digest] else { return [.refusal(Refusal(code: .unknown, message: "no blob"))] }
            let end = min(Int(offset) + Int(countMax), bytes.count)
            let part = Array(bytes[Int(offset)..<end])
            servedByteCount += part.count
            return [.blobChunk(digest, offset: offset, byteCount: UInt64(bytes.count), bytes: part)]
        case .blobOffer(let digest, let byteCount):
            if blobs[digest] != nil { return [.blobOffset(digest, offset: byteCount)] }
            return [.blobOffset(digest, offset: UInt64(partial[digest]?.count ?? 0))]
        case .blobPut(let digest, let offset, let bytes):
            var part = partial[digest] ?? []
            guard blobs[digest] == nil, part.count == Int(offset) else {
                return [.blobOffset(digest, offset: UInt64(blobs[digest]?.count ?? part.count))]
            }
            part += bytes
            partial[digest] = part
            if digestOf(part) == digest {
                blobs[digest] = part
                partial[digest] = nil
            }
            return [.blobOffset(digest, offset: UInt64(part.count))]
        default:
            violations.append("an unexpected message: \(message)")
            return []
        }
    }

    private var stale: Message { .refusal(Refusal(code: .staleLease, message: "the lease has moved on")) }
}
