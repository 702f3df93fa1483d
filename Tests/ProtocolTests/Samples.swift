import Protocol
import TestSupport

/// Reproducible numbers for tests (SplitMix64).
struct TestRandom: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}

/// One message of each type, small; also the golden examples of docs/PROTOCOL.md, in its order.
enum Samples {
    static let digest = ContentDigest(bytes: (0..<32).map { UInt8($0) })
    static let lease = Lease(work: WorkID(7), epoch: 3)
    static let volume = BlobReference(role: "volume", name: "P002", digest: digest, byteCount: 5_000_000_000)
    static let replica = BlobReference(role: "replica", name: "replica-0", digest: digest, byteCount: 19_251_264)
    static let metric = IterationFigures(iteration: 500, ["loss": 0.25, "dice": 0.875, "seconds": 1.5])

    static let all: [(message: Message, requestID: UInt32)] = [
        (
            .hello(
                Hello(
                    role: .worker, versionMin: 4, versionMax: 4, build: "quintet 0.1.0", name: "lab3:4711-9f2c1b04",
                    threadCount: 8, device: "cpu", held: [lease], memoryByteCount: 64 << 30)), 1
        ),
        (
            .welcome(
                Welcome(version: 4, build: "quintet 0.1.0", heartbeatMilliseconds: 2000, leaseMilliseconds: 15000)), 1
        ),
        (.refusal(Refusal(code: .version, message: "no common protocol version")), 1),
        (.idle, 0),
        (.heartbeat([LeaseProgress(lease: lease, fraction: 0.5, iteration: 500, note: "loss 0.250")]), 2),
        (.checkpointSaved(lease, Checkpoint(iteration: 500, blob: replica), [metric]), 3),
        (.finished(WorkResult(lease: lease, outputs: [replica], reportJSON: "{\"loss\":0.25}", metrics: [metric],
                seconds: 12.5)), 4),
        (.surrender(lease, .inputRefused, "P002 has no lung"), 5),
        (
            .assignment(
                Assignment(
                    lease: lease,
                    description: WorkDescription(
                        run: RunID(1), recipe: "lung-normnet", step: "train", kind: .session, replica: 2, seed: 42,
                        parameters: "{\"preset\":\"demo\"}", inputs: [volume]),
                    resume: Checkpoint(iteration: 500, blob: replica), checkpointSeconds: 60,
                    places: [SharedPlace(digest: digest, path: "ct/P002.nii.gz")], answerFolder: "masks/new")), 0
        ),
        (.heartbeatAnswer, 2),
        (.accepted, 3),
        (.revoke(lease), 0),
        (.leave, 0),
        (.blobGet(digest, offset: 262_144, byteCountMax: 262_144), 6),
        (.blobChunk(digest, offset: 262_144, byteCount: 262_147, bytes: [1, 2, 3]), 6),
        (.blobOffer(digest, byteCount: 3), 7),
        (.blobOffset(digest, offset: 0), 7),
        (.blobPut(digest, offset: 0, bytes: [1, 2, 3]), 8),
        (
            .submit(
                Submission(
                    plan: .segmenting, recipe: "lung-normnet", parameters: "{}", seed: 42, replicaCount: 5,
                    checkpointSeconds: 60, inputs: [replica],
                    itemManifest: BlobReference(role: "manifest", name: "archive", digest: digest, byteCount: 120),
                    idempotencyKey: "a1b2c3", label: "march", submitter: "ada@lab3", memoryByteCount: 3 << 30,
                    answerFolder: "masks/new")), 9
        ),
        (.submitted(RunID(2)), 9),
        (.statusRequest(RunID(2), history: true), 10),
        (.status(json: "{\"runs\":[]}"), 10),
        (.cancel(RunID(2)), 11),
        (.outputsRequest(RunID(2), after: 7, countMax: 100), 12),
        (
            .outputs(
                [
                    RunOutput(
                        sequence: 8, step: "finish", name: "P002", state: .done, outputs: [volume], report: "{}",
                        item: 1, worker: "lab3:4711-9f2c1b04", seconds: 12.5, isShared: true),
                    RunOutput(
                        sequence: 10, step: "predict", name: "P003", state: .refused, outputs: [],
                        report: "no lung in P003"),
                ], moreFollow: false), 12
        ),
        (.metricsRequest(RunID(2), step: "train", replica: 4, firstIteration: 500), 13),
        (.metrics([metric], moreFollow: true), 13),
        (.forget(RunID(2)), 14),
        (.pause(RunID(2)), 15),
        (.resume(RunID(2)), 16),
        (.prioritise(RunID(2), priority: -1), 17),
        (.drain(worker: "lab3"), 18),
        (
            .appendItems(
                RunID(2), first: 500,
                manifest: BlobReference(role: "manifest", name: "more", digest: digest, byteCount: 120)), 19
        ),
        (.closeItems(RunID(2)), 20),
        (.watch(RunID(2)), 21),
        (.changed(RunID(2)), 0),
        (.readmit(machine: "lab3"), 22),
        (.collected(RunID(2), items: [0, 7]), 25),
        (.wantedRequest(RunID(2)), 26),
        (.wanted([digest]), 26),
        (.follow, 23),
        (
            .following(
                BlobReference(role: "snapshot", name: "state", digest: digest, byteCount: 40_960), number: 7), 23
        ),
        (.standbyPart(number: 8, isLast: true, bytes: [1, 2, 3]), 0),
        (.standbyHas(number: 8), 24),
    ]
}
