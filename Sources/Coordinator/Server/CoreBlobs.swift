import Platform
import Protocol

/// What the core asks about files: looking up, nothing more.
package protocol BlobShelf {
    /// nil where the blob is not complete.
    func byteCount(of digest: ContentDigest) -> UInt64?
    /// Whether a worker has shown to have all bytes of a blob (`SentBlobs`).
    func hasSent(_ worker: WorkerName, _ digest: ContentDigest) -> Bool
    /// A small blob, whole.
    func read(_ digest: ContentDigest, byteCount: Int) throws -> [UInt8]
}

// Which blobs are here, who may have which, and which files may go.

extension CoordinatorCore {
    mutating func receiveBlob(_ message: Message, _ requestID: UInt32, _ connection: ConnectionID) {
        peers[connection]!.openRequestCount += 1
        if peers[connection]!.openRequestCount > Limits.openRequestsMax {
            refuse(.limit, "more than \(Limits.openRequestsMax) open requests", requestID, connection)
            return hangUp(connection, "too many open requests")
        }
        guard case .worker(let name) = peers[connection]!.role else {
            return turn.atOnce.append(.blob(message, requestID: requestID, from: connection, sender: nil))
        }
        if let refusal = peers[connection]!.leases.refusal(of: message, from: name, by: scheduler) {
            peers[connection]!.openRequestCount -= 1
            return refuse(refusal, requestID, connection)
        }
        if case .blobGet(let digest, _, _) = message, byteCount(of: digest) == nil,
            let run = peers[connection]!.leases.run(sharing: digest, by: scheduler)
        {
            peers[connection]!.openRequestCount -= 1
            return want(digest, of: run, requestID, connection)
        }
        var isReadable = false
        if case .blobOffer(let digest, _) = message {
            isReadable = peers[connection]!.leases.reads(digest, of: name, by: scheduler)
        }
        turn.atOnce.append(
            .blob(message, requestID: requestID, from: connection, sender: isReadable ? nil : name))
    }

    /// A worker does not see this on the shared file system: the run's client is to upload it.
    private mutating func want(
        _ digest: ContentDigest, of run: RunID, _ requestID: UInt32, _ connection: ConnectionID
    ) {
        let isNew = wanted[run, default: []].insert(digest).inserted
        refuse(.onItsWay, "the run's client is asked for it", requestID, connection)
        if isNew { turn.atOnce += news(of: [run]) }
    }

    /// What its client is to upload. Workers ask again for what does not come.
    mutating func answerWanted(of run: RunID, _ requestID: UInt32, _ connection: ConnectionID) {
        let missing = (wanted.removeValue(forKey: run) ?? []).filter { byteCount(of: $0) == nil }
            .sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        turn.atOnce.append(
            .send(.wanted(Array(missing.prefix(Limits.wantedMax))), requestID: requestID, to: connection))
    }

    /// A blob request of this peer has been answered. One that uploads something else than it says, again and again,
    /// is sent away.
    package mutating func answered(_ connection: ConnectionID, _ answer: Message) {
        peers[connection]?.openRequestCount -= 1
        if case .refusal(let refusal) = answer, refusal.code == .diskFull { problem = refusal.message }
        if case .blobOffset = answer, !isWaitingForRoom { problem = nil }
        guard case .refusal(let refusal) = answer, refusal.code == .damaged || refusal.code == .malformed,
            peers[connection]?.isClosing == false
        else { return }
        peers[connection]!.blobFaultCount += 1
        if peers[connection]!.blobFaultCount > Limits.blobFaultsMax {
            hangUp(connection, "its blobs are not what it says: \(refusal.message)")
        }
    }

    /// nil where the blob is not complete, or is about to go.
    func byteCount(of digest: ContentDigest) -> UInt64? {
        leaving.contains(digest) ? nil : shelf.byteCount(of: digest)
    }

    /// The files of these are gone. Until then nobody may count on them, however long the disk takes.
    package mutating func removed(_ digests: [ContentDigest]) { leaving.subtract(digests) }

    /// Whether these blobs are all here; refuses the request where one is not.
    mutating func hasBlobs(_ wanted: [BlobReference], _ requestID: UInt32, _ connection: ConnectionID) -> Bool {
        for blob in wanted {
            let found = byteCount(of: blob.digest)
            guard found != blob.byteCount else { continue }
            let what = "blob \(blob.digest) ('\(blob.name)')"
            if let found {
                refuse(.malformed, "\(what) has \(found) bytes, not \(blob.byteCount)", requestID, connection)
            } else {
                refuse(.unknown, "\(what) is not here; upload it first", requestID, connection)
            }
            return false
        }
        return true
    }

    /// Whatever a worker names under a lease that does not count, only its own upload goes.
    mutating func discard(_ digest: ContentDigest, of connection: ConnectionID?) {
        guard let connection, case .worker(let name)? = peers[connection]?.role, shelf.hasSent(name, digest) else {
            return
        }
        turn.candidates.append(digest)
    }

    /// The files that may go now, of those that nothing refers to: a later turn, which the store has not seen yet, may
    /// refer to the same bytes again, and somebody may be about to begin with them.
    mutating func takeRemovable() -> [ContentDigest] {
        guard !doomed.isEmpty else { return [] }
        let fetched = scheduler.digestsBeingFetched
        let wanted = inFlight.reduce(into: Set(turn.changes.flatMap(\.references))) { $0.formUnion($1.references) }
        let removable = doomed.filter { !fetched.contains($0) && !wanted.contains($0) }
        doomed.subtract(removable)
        leaving.formUnion(removable)
        return removable.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }
}

extension StoreChange {
    /// Blobs that count once this change is committed.
    var references: [ContentDigest] {
        switch self {
        case .runAdded(_, let request, _):
            return (request.inputs + request.items.flatMap(\.inputs)).map(\.digest)
        case .itemsAdded(_, _, _, let items): return items.flatMap(\.inputs).map(\.digest)
        case .checkpointAccepted(_, _, let checkpoint, _): return [checkpoint.blob.digest]
        case .resultAccepted(let result, _): return result.outputs.map(\.digest)
        case .votesCounted(_, let blob): return [blob.digest]
        case .checkAdded(let check): return [check.base, check.target].compactMap { $0?.blob.digest }
        default: return []
        }
    }
}
