import Protocol

/// What a worker is and may do.
package struct WorkerSettings: Hashable, Sendable {
    /// The worker's name for people, unique per start: "host:pid-9f2c1b04".
    package var name: String
    package var build: String
    package var threadCount: UInt16
    package var device: String
    /// What its machine or container lets it have; 0: not known.
    package var memoryByteCount: UInt64 = 0
    package var versionMin: UInt16
    package var versionMax: UInt16
    /// The recipes it can compute.
    package var recipes: Set<String>
    /// Of what its recipes compute to prove their arithmetic: workers of one digest give the same results.
    package var arithmetic: ContentDigest
    /// The cache's size: work whose inputs are larger is given back.
    package var cacheBytesMax: UInt64
    /// Computing that shows no progress for so long hangs: it is given back.
    package var progressMilliseconds: UInt64
    /// Bytes of a blob in one message; a simulation cuts its small blobs into many.
    package var pieceBytes = WorkerLimits.pieceBytes
    /// It has the file system that clients name places on.
    package var seesShared = false

    package init(
        name: String, build: String, threadCount: UInt16, device: String, versionMin: UInt16, versionMax: UInt16,
        recipes: Set<String>, arithmetic: ContentDigest, cacheBytesMax: UInt64,
        progressMilliseconds: UInt64 = WorkerLimits.progressMilliseconds
    ) {
        self.name = name
        self.build = build
        self.threadCount = threadCount
        self.device = device
        self.versionMin = versionMin
        self.versionMax = versionMax
        self.recipes = recipes
        self.arithmetic = arithmetic
        self.cacheBytesMax = cacheBytesMax
        self.progressMilliseconds = progressMilliseconds
    }
}
