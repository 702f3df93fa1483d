import Platform
import Protocol

/// What the compute thread says, waiting for the network thread. Bounded: progress reports of one lease merge into one,
/// and there is at most one checkpoint and one end, since the compute thread is asked for them one at a time.
final class ComputeMailbox: Sendable {
    private let reports = Guarded<[ComputeReport]>([])
    private let waker: NetworkWaker

    init(waker: NetworkWaker) { self.waker = waker }

    /// Progress wakes nobody, it goes out with the next heartbeat; everything else does.
    func post(_ report: ComputeReport) {
        let isUrgent = reports.withLock { reports in
            if case .progressed(let progress, let metrics) = report {
                if case .progressed(let earlier, let earlierMetrics)? = reports.last, earlier.lease == progress.lease {
                    reports.removeLast()
                    reports.append(.progressed(progress, earlierMetrics + metrics))
                } else {
                    reports.append(report)
                }
                return false
            }
            reports.append(report)
            return true
        }
        if isUrgent { waker.wake() }
    }

    func takeAll() -> [ComputeReport] {
        reports.withLock { reports in
            defer { reports = [] }
            return reports
        }
    }
}

extension WorkerEvent {
    /// On the network thread: here the bytes get their digests.
    init(_ report: ComputeReport) {
        switch report {
        case .progressed(let progress, let metrics): self = .progressed(progress, metrics)
        case .checkpointTaken(let lease, let iteration, let bytes):
            self = .checkpointTaken(lease, TakenCheckpoint(iteration: iteration, bytes: bytes))
        case .ended(let lease, let end): self = .computeEnded(lease, ComputeOutcome(end))
        }
    }
}

extension ComputeOutcome {
    fileprivate init(_ end: ComputeEnd) {
        switch end {
        case .done(let result, let seconds):
            let outputs = result.outputs.map { Payload(role: $0.role, name: $0.name, bytes: $0.bytes) }
            self = .done(outputs: outputs, reportJSON: result.reportJSON, seconds: seconds)
        case .cancelled: self = .cancelled
        case .stopped(let iteration, let bytes): self = .stopped(TakenCheckpoint(iteration: iteration, bytes: bytes))
        case .stoppedWithNothing: self = .stopped(nil)
        case .inputsDamaged(let digests): self = .inputsDamaged(digests)
        case .inputRefused(let message): self = .inputRefused(message)
        case .failed(let message): self = .failed(message)
        }
    }
}

extension TakenCheckpoint {
    fileprivate init(iteration: Int, bytes: [UInt8]) {
        self.init(
            iteration: UInt32(iteration),
            payload: Payload(role: "checkpoint", name: "checkpoint-\(iteration)", bytes: bytes))
    }
}

extension Payload {
    fileprivate init(role: String, name: String, bytes: [UInt8]) {
        let digest = ContentDigest(bytes: SHA256.digest(of: bytes))
        self.init(
            reference: BlobReference(role: role, name: name, digest: digest, byteCount: UInt64(bytes.count)),
            bytes: bytes)
    }
}
