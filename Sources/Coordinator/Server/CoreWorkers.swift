import Platform
import Protocol

// What workers say, as events of the scheduler; and what of it is not even asked of the scheduler.

extension CoordinatorCore {
    mutating func receive(
        _ message: Message, _ requestID: UInt32, from name: WorkerName, _ connection: ConnectionID, at now: UInt64
    ) {
        switch message {
        case .idle: apply(.idle(name), connection, requestID, at: now)
        case .heartbeat(let progress): apply(.heartbeat(name, progress), connection, requestID, at: now)
        case .checkpointSaved(let lease, let checkpoint, let metrics):
            guard mayState([checkpoint.blob], metrics, lease, name, requestID, connection, at: now) else { return }
            apply(.checkpointSaved(name, lease, checkpoint, metrics), connection, requestID, at: now)
        case .finished(let result):
            let uploaded = result.isShared ? [] : result.outputs
            guard mayState(uploaded, result.metrics, result.lease, name, requestID, connection, at: now)
            else { return }
            guard !result.isShared || mayShare(result.lease) else {
                let text = "\(result.lease) has no folder on a shared file system for what it makes; upload it"
                return refuse(.notAllowed, text, requestID, connection)
            }
            apply(.finished(name, result), connection, requestID, at: now)
        case .surrender(let lease, let reason, let text):
            apply(.surrendered(name, lease, reason, Texts.bounded(text)), connection, requestID, at: now)
        default: refuse(.notAllowed, "a worker does not say this", requestID, connection)
        }
    }

    /// Whether what is made under a lease may lie on a shared file system; what does not count may lie anywhere.
    private func mayShare(_ lease: Lease) -> Bool {
        guard scheduler.checks.check(under: lease) == nil, let work = scheduler.works[lease.work] else { return true }
        return !scheduler.answerFolder(of: work).isEmpty
    }

    /// Whether what a worker says it has made may be asked of the scheduler; refuses it where not. What counts for
    /// nothing anyway is the scheduler's to refuse, whatever has become of the upload, as long as there is not too
    /// much of it.
    private mutating func mayState(
        _ outputs: [BlobReference], _ metrics: [IterationFigures], _ lease: Lease, _ name: WorkerName,
        _ requestID: UInt32, _ connection: ConnectionID, at now: UInt64
    ) -> Bool {
        switch scheduler.standing(of: lease, of: name) {
        case .accepted: return true
        case .stale: return mayBeStale(lease, requestID, connection, at: now)
        case .running, .lapsed: break
        }
        // What a check gives is compared by its digests, and not sent.
        if let check = scheduler.checks.check(under: lease), check.beaten == nil { return true }
        let iterationCount = scheduler.step(of: scheduler.works[lease.work]!).iterationCount
        if let beyond = metrics.first(where: { $0.iteration > iterationCount }) {
            let text = "figures of iteration \(beyond.iteration) of \(lease), which has \(iterationCount)"
            refuse(.malformed, text, requestID, connection)
            return false
        }
        guard hasBlobs(outputs, requestID, connection) else { return false }
        let readable = outputs.isEmpty ? [] : scheduler.digestsRead(under: lease)
        for blob in outputs where blob.byteCount > 0 && !readable.contains(blob.digest) {
            if shelf.hasSent(name, blob.digest) { continue }
            // Not asked for: it reads the same bytes for another piece of work.
            if peers[connection]!.leases.reads(blob.digest, of: name, by: scheduler) { continue }
            let text = "blob \(blob.digest) ('\(blob.name)') has not come from '\(name)'; upload it first"
            refuse(.unknown, text, requestID, connection)
            return false
        }
        return true
    }

    /// Each one is a row in the audit and a line in the log: not for ever.
    private mutating func mayBeStale(
        _ lease: Lease, _ requestID: UInt32, _ connection: ConnectionID, at now: UInt64
    ) -> Bool {
        guard peers[connection]!.staleResults.note(at: now) <= settings.limits.staleResultsMax else {
            refuse(.limit, "too many results under leases that do not count", requestID, connection)
            hangUp(connection, "it goes on stating results under leases that do not count")
            return false
        }
        guard staleResults.note(at: now) > settings.limits.staleResultsRecordedMax else { return true }
        refuse(.staleLease, "\(lease) does not count; stop working on it", requestID, connection)
        return false
    }
}
