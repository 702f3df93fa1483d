import Protocol

/// Why a worker leaves for good.
package enum WorkerExit: Hashable, Sendable {
    /// It was asked to.
    case drained
    /// The coordinator will never serve it; what is wrong and what to do.
    case refused(String)
}

/// Everything that `WorkerState` can ask of the world. The shell carries them out in order.
package enum WorkerAction: Hashable, Sendable {
    // The connection.
    case dial
    case hangUp
    /// Request id 0 where no answer is expected.
    case send(Message, requestID: RequestID)

    // The cache. Each of the first two is answered with `blobHeld`, `blobDamaged` or `storageFailed`.
    case openBlob(ContentDigest, byteCount: UInt64)
    /// Takes a blob into the cache from the shared file system; answered with `blobHeld`, or `sharedMissing`.
    case readShared(ContentDigest, byteCount: UInt64, path: String)
    case storePiece(ContentDigest, offset: UInt64, bytes: [UInt8])
    /// Whether the cache would take so many bytes more; answered with `cacheProbed`.
    case probeCache(byteCount: UInt64)
    /// Its digest was found wrong.
    case discardBlob(ContentDigest)

    // The compute thread.
    /// Every input lies complete in the cache; the thread is free.
    case compute(Assignment)
    /// Every input lies complete in the cache, and the thread computes something else: what can be made of the inputs
    /// alone may be made now. Nobody waits for it and nothing answers it.
    case prepareAhead(Assignment)
    /// After the current training step; answered with `checkpointTaken`, or by the end of the work.
    case takeCheckpoint(Lease)
    /// End after the current step, with a checkpoint.
    case stopCompute(Lease)
    /// End now: the current step is undone.
    case interruptStep(Lease)
    /// End now; nothing of it is wanted.
    case cancelCompute(Lease)

    /// A line for people.
    case log(String)
    /// The same, of what goes wrong.
    case problem(String)
    case leave(WorkerExit)
}
