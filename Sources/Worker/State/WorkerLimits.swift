import Protocol

/// Every bound and waiting time of a worker, in one place; those that a peer must share are in `Limits`.
package enum WorkerLimits {
    /// Bytes asked for, or sent, in one piece of a blob.
    package static let pieceBytes = Limits.blobChunkBytesMax
    /// Pieces asked for, or sent, before the first of them is answered. Together 1 MiB: fills a gigabit line
    /// with 8 ms of delay, and bounds what a peer can make us hold.
    package static let piecesInFlightMax = 4

    package static let dialMilliseconds: UInt64 = 10_000
    /// The first pause after a lost connection; doubles up to the last.
    package static let retryFirstMilliseconds: UInt64 = 250
    package static let retryLastMilliseconds: UInt64 = 15_000
    /// A connection that lasted this long was a good one: the next pause is the first again.
    package static let settledMilliseconds: UInt64 = 5_000
    /// A request that got no answer for this long is asked again.
    package static let answerMilliseconds: UInt64 = 30_000
    /// Pause after a full disk or an error of the disk, here or at the coordinator.
    package static let pauseMilliseconds: UInt64 = 5_000
    /// A cache that takes nothing for so long, before computing has begun, gives the work to somebody else.
    package static let storageMilliseconds: UInt64 = 30_000
    /// An input that does not come although its run's client was asked for it: somebody else may see it.
    package static let onItsWayMilliseconds: UInt64 = 60_000
    /// How often a blob may arrive damaged, be found damaged in the cache, or be forgotten by the coordinator, before
    /// the work is given back.
    package static let damageMax = 3

    /// The first rest after work that failed here; doubles with every failure in a row, up to the last.
    package static let restFirstMilliseconds: UInt64 = 1_000
    package static let restLastMilliseconds: UInt64 = 60_000

    /// From the wish to leave until the worker is gone, whatever has not ended by then.
    package static let drainMilliseconds: UInt64 = 10_000
    /// How long the current training step may go on before it is interrupted (and undone).
    package static let drainStepMilliseconds: UInt64 = 3_000

    /// Nothing is begun while so many results wait for their upload, or results of so many bytes: what waits in
    /// memory is at most this much and the result that was made last.
    package static let resultsWaitingMax = 2
    package static let resultWaitingBytesMax: UInt64 = 256 << 20
    /// A computation that was told to end and has not ended for so long: what waits behind it is somebody else's turn.
    package static let cancelMilliseconds: UInt64 = 10_000

    /// Unless the worker is told otherwise: the longest that computing may show no progress. A training step of the
    /// largest networks on the smallest machines takes minutes.
    package static let progressMilliseconds: UInt64 = 3_600_000

    /// With this many figures waiting, a checkpoint is due whatever the clock says.
    package static let metricsWaitingMax = Limits.metricsMax / 2
    /// Figures kept while the coordinator is away; the oldest go first.
    package static let metricsHeldMax = 1 << 20
}
