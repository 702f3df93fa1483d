import Protocol

/// The number that an answer shares with its request; 0: no answer is awaited.
package typealias RequestID = UInt32

/// A blob that this worker made, with its bytes, on its way to the coordinator.
package struct Payload: Hashable, Sendable {
    package var reference: BlobReference
    package var bytes: [UInt8]

    package init(reference: BlobReference, bytes: [UInt8]) {
        precondition(UInt64(bytes.count) == reference.byteCount, "a payload is as long as its reference says")
        self.reference = reference
        self.bytes = bytes
    }
}

/// A training session's state after `iteration` steps.
package struct TakenCheckpoint: Hashable, Sendable {
    package var iteration: UInt32
    package var payload: Payload

    package init(iteration: UInt32, payload: Payload) {
        self.iteration = iteration
        self.payload = payload
    }
}

/// How the compute thread's work on a lease ended. Every `compute` action is followed by exactly one of these.
package enum ComputeOutcome: Hashable, Sendable {
    /// Shared: the outputs lie in the assignment's folder on the shared file system and are not sent.
    case done(outputs: [Payload], reportJSON: String, seconds: Double = 0, isShared: Bool = false)
    /// Asked to stop for good (`cancelCompute`): nothing of it is kept.
    case cancelled
    /// Asked to stop and keep what there is (`stopCompute`); nil where nothing is worth keeping.
    case stopped(TakenCheckpoint?)
    /// These files in the cache no longer have their digest; they must be fetched again.
    case inputsDamaged([ContentDigest])
    /// The input is at fault, anywhere. The message names the file and the remedy.
    case inputRefused(String)
    /// It failed here. The message says what happened.
    case failed(String)
}

/// Everything that can happen to a worker, as `WorkerState` sees it.
package enum WorkerEvent: Hashable, Sendable {
    case started
    /// Time has passed; nothing else happened.
    case tick
    /// SIGTERM, or its like: hand everything back and leave.
    case drainRequested

    // The connection. After `dial` comes `connected` or `disconnected`; after `connected`, one day, `disconnected`
    // (not after our own `hangUp`).
    case connected
    /// Gone, or not to be had; the text says why, for people.
    case disconnected(String)
    /// What listens there does not take us as we come: another token, no TLS, another program. The text says what to
    /// do.
    case rejected(String)
    case received(Message, requestID: RequestID)

    // The cache.
    /// Answers `openBlob` and `storePiece`: this many bytes of the blob, from its beginning, lie in the cache. Equal to
    /// its size: complete, and its digest was verified.
    case blobHeld(ContentDigest, byteCount: UInt64)
    /// Answers `readShared` where the file is not there, or another one; why, for people.
    case sharedMissing(ContentDigest, String)
    /// Answers the same: all bytes were there and the digest was another; the cache has thrown them away.
    case blobDamaged(ContentDigest)
    /// Answers the same: the disk is full; nothing was written.
    case storageFull(ContentDigest, String)
    /// Answers the same: it cannot be written or read; nothing is known to be there.
    case storageFailed(ContentDigest, String)
    /// Answers `probeCache`: nil where it takes them, or why it does not.
    case cacheProbed(String?)

    // The compute thread.
    case progressed(LeaseProgress, [IterationFigures])
    case checkpointTaken(Lease, TakenCheckpoint)
    case computeEnded(Lease, ComputeOutcome)
}
