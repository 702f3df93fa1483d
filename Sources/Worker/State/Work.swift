import Protocol

/// A piece of work that a worker has leased.
///
/// - fetching: its inputs are on their way into the cache; when all are there and the compute thread is free, it
///   starts. Until then it waits its turn.
/// - computing: the compute thread runs it. While it trains, every `checkpointSeconds` a checkpoint is taken
///   and uploaded beside it; the thread never waits for that.
/// - stopping: it was asked to end with a checkpoint (the worker leaves).
/// - uploading: computed; the outputs are uploaded, then `finished` is said until it is answered.
/// - handingOver: stopped; the last checkpoint is uploaded, then the work is given back.
/// - givingBack: `surrender` is said until it is answered.
struct Work: Sendable {
    enum Phase: Hashable, Sendable {
        case fetching, computing, stopping, uploading, handingOver, givingBack

        var name: String {
            switch self {
            case .fetching: "fetching"
            case .computing: "computing"
            case .stopping: "stopping"
            case .uploading: "uploading"
            case .handingOver: "handingOver"
            case .givingBack: "givingBack"
            }
        }
    }

    let assignment: Assignment
    private(set) var phase = Phase.fetching
    var fetch: InputFetch
    /// A checkpoint beside the computing; a result, a last checkpoint or a surrender after it.
    private(set) var upload: Upload?
    /// Figures that the coordinator has not accepted yet, in the order of their iterations.
    private(set) var metrics: [IterationFigures] = []
    private var acceptedIteration: UInt32
    /// The last figure in the statement that is out.
    private var statedIteration: UInt32?
    private var progress: LeaseProgress
    private var checkpointAt: UInt64?
    private var isCheckpointAsked = false
    /// How often inputs that had arrived whole were found damaged in the cache.
    private var refetchCount = 0
    /// Whether it was said that it may be prepared while it waits its turn.
    var isPreparedAhead = false
    /// When computing last showed progress.
    private var progressAt: UInt64 = 0

    var lease: Lease { assignment.lease }

    /// A training takes hours: nothing is to wait behind it. Every other piece of work is a matter of minutes.
    var isSession: Bool { assignment.description.kind == .session }

    /// Whether only the digests of what comes out are asked for.
    var isCheck: Bool { assignment.checkedUntil != nil }

    /// Whether its inputs are still of use in the cache.
    var isToBeComputed: Bool {
        switch phase {
        case .fetching, .computing, .stopping: true
        case .uploading, .handingOver, .givingBack: false
        }
    }

    var canBePreparedAhead: Bool { phase == .fetching && fetch.isComplete && !isSession && !isPreparedAhead }

    private let pieceBytes: Int

    /// - Parameter seesShared: this worker has the shared file system.
    init(_ assignment: Assignment, pieceBytes: Int, seesShared: Bool = false) {
        self.assignment = assignment
        self.pieceBytes = pieceBytes
        fetch = InputFetch(assignment, pieceBytes: pieceBytes, seesShared: seesShared)
        acceptedIteration = assignment.resume?.iteration ?? 0
        progress = LeaseProgress(lease: assignment.lease, fraction: 0, iteration: acceptedIteration, note: "")
    }

    // MARK: What people see

    var report: LeaseProgress {
        var report = progress
        switch phase {
        case .fetching:
            let note = fetch.isComplete ? "waits its turn" : "fetching, \(fetch.needs.count) inputs to go"
            report.note = fetch.obstacle ?? note
        case .computing, .stopping:
            if let obstacle = upload?.obstacle { report.note += report.note.isEmpty ? obstacle : "; " + obstacle }
        case .uploading, .handingOver, .givingBack:
            report.note = upload?.obstacle ?? "uploading"
        }
        report.note = report.note.cut(toBytes: Limits.noteBytesMax)
        return report
    }

    // MARK: Computing

    private var checkpointMilliseconds: UInt64 { max(UInt64(assignment.checkpointSeconds), 1) * 1_000 }

    mutating func startComputing(atMilliseconds now: UInt64) {
        precondition(phase == .fetching && fetch.isComplete, "computing needs every input")
        phase = .computing
        progressAt = now
        if isSession, !isCheck { checkpointAt = now + checkpointMilliseconds }
    }

    /// Some inputs were found damaged in the cache.
    /// - Returns: false where it has happened too often: then this disk gives back something else than was written, and
    ///   fetching would go on for ever while heartbeats keep the lease.
    mutating func fetchAgain() -> Bool {
        refetchCount += 1
        guard refetchCount < WorkerLimits.damageMax else { return false }
        phase = .fetching
        isPreparedAhead = false
        fetch = InputFetch(assignment, pieceBytes: pieceBytes)
        upload = nil
        checkpointAt = nil
        isCheckpointAsked = false
        return true
    }

    mutating func progressed(_ report: LeaseProgress, _ newMetrics: [IterationFigures], atMilliseconds now: UInt64) {
        progress = report
        progressAt = now
        if !isCheck { metrics += newMetrics.filter { $0.iteration > acceptedIteration } }
        if metrics.count > WorkerLimits.metricsHeldMax {
            metrics.removeFirst(metrics.count - WorkerLimits.metricsHeldMax / 2)
        }
    }

    /// Whether to ask the compute thread for a checkpoint now: it is time (or too many figures wait), none is asked
    /// for, and an earlier one is not just being uploaded. While the coordinator is away or cannot take it, a fresh one
    /// replaces the one that waits.
    func isCheckpointDue(isServing: Bool, atMilliseconds now: UInt64) -> Bool {
        guard let checkpointAt = checkpointWakeMilliseconds(isServing: isServing) else { return false }
        return now >= checkpointAt || isServing && metrics.count >= WorkerLimits.metricsWaitingMax
    }

    /// When the next checkpoint is due; nil while none can be asked for.
    func checkpointWakeMilliseconds(isServing: Bool) -> UInt64? {
        guard phase == .computing, !isCheckpointAsked else { return nil }
        if isServing, let upload, upload.pausedUntil == nil { return nil }
        return checkpointAt
    }

    /// When computing is taken to hang, or a cache that takes nothing is somebody else's turn; nil while neither may
    /// be.
    func stuckMilliseconds(_ settings: WorkerSettings) -> UInt64? {
        switch phase {
        case .fetching: return fetch.storageFailedSince.map { $0 + WorkerLimits.storageMilliseconds }
        case .computing, .stopping: return progressAt + settings.progressMilliseconds
        case .uploading, .handingOver, .givingBack: return nil
        }
    }

    mutating func askedForCheckpoint() { isCheckpointAsked = true }

    mutating func took(_ taken: TakenCheckpoint, atMilliseconds now: UInt64) {
        isCheckpointAsked = false
        guard phase == .computing else { return }
        checkpointAt = now + checkpointMilliseconds
        begin(Upload(taken))
    }

    // MARK: After computing

    mutating func stop() { if phase == .computing { phase = .stopping } }

    mutating func finish(outputs: [Payload], reportJSON: String, seconds: Double, isShared: Bool) {
        phase = .uploading
        let result = Upload.Statement.result(
            outputs.map(\.reference), reportJSON: reportJSON, seconds: seconds, isShared: isShared)
        // What a check gives is not sent.
        begin(Upload(result, payloads: isCheck || isShared ? [] : outputs))
    }

    mutating func handOver(_ taken: TakenCheckpoint) {
        phase = .handingOver
        begin(Upload(taken))
    }

    mutating func giveBack(_ reason: SurrenderReason, _ message: String) {
        phase = .givingBack
        begin(Upload(.surrender(reason, message.cut(toBytes: Limits.messageBytesMax))))
    }

    private mutating func begin(_ upload: Upload) {
        self.upload = upload
        statedIteration = nil
    }

    // MARK: Upload

    /// Hands the upload out for a change; nil ends it.
    mutating func withUpload<Result>(_ body: (inout Upload) -> Result) -> Result? {
        guard var current = upload else { return nil }
        upload = nil
        defer { upload = current }
        return body(&current)
    }

    mutating func pumpUpload(requests: inout RequestNumbers, atMilliseconds now: UInt64) -> [WorkerAction] {
        guard let statement = upload?.statement else { return [] }
        let (lease, stated, pieceBytes) = (lease, metricsToState(statement), pieceBytes)
        let actions = withUpload {
            $0.pump(requests: &requests, pieceBytes: pieceBytes, atMilliseconds: now) {
                switch statement {
                case .checkpoint(let checkpoint):
                    .checkpointSaved(lease, checkpoint, Array(stated))
                case .result(let outputs, let reportJSON, let seconds, let isShared):
                    .finished(WorkResult(
                        lease: lease, outputs: outputs, reportJSON: reportJSON, metrics: Array(stated),
                        seconds: seconds, isShared: isShared))
                case .surrender(let reason, let message):
                    .surrender(lease, reason, message)
                }
            }
        }
        if let actions, !actions.isEmpty { statedIteration = stated.last?.iteration }
        return actions ?? []
    }

    /// A checkpoint carries the oldest figures up to its iteration, a result all that are left (the newest, should they
    /// be more than a message holds).
    private func metricsToState(_ statement: Upload.Statement) -> ArraySlice<IterationFigures> {
        switch statement {
        case .checkpoint(let checkpoint):
            metrics.prefix { $0.iteration <= checkpoint.iteration }.prefix(Limits.metricsMax)
        case .result: metrics.suffix(Limits.metricsMax)
        case .surrender: []
        }
    }

    /// The checkpoint at hand was accepted with the figures stated. When more figures belong to it, it is stated
    /// again with those.
    /// - Returns: whether the upload is over.
    mutating func settleCheckpoint(_ checkpoint: Checkpoint) -> Bool {
        if let statedIteration {
            acceptedIteration = statedIteration
            metrics.removeAll { $0.iteration <= statedIteration }
        }
        if let next = metrics.first, next.iteration <= checkpoint.iteration {
            _ = withUpload { $0.stateAgain() }
            return false
        }
        upload = nil
        return true
    }

    /// The coordinator will not have this checkpoint; the next one is due at its time.
    mutating func dropCheckpoint() { upload = nil }
}

extension Assignment {
    /// Everything that it reads.
    package var blobs: [BlobReference] { description.inputs + (resume.map { [$0.blob] } ?? []) }
}
