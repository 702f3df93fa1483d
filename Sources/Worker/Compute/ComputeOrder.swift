import Protocol
import Recipes

/// A piece of work whose inputs lie in the cache.
package struct ComputeOrder: Sendable {
    package var assignment: Assignment
    /// In the order of the description's inputs.
    package var inputs: [RecipeInput]
    package var resumePath: String?

    package init(assignment: Assignment, inputs: [RecipeInput], resumePath: String?) {
        precondition(inputs.count == assignment.description.inputs.count, "every input has its file")
        precondition((resumePath == nil) == (assignment.resume == nil), "a checkpoint to go on from has its file")
        self.assignment = assignment
        self.inputs = inputs
        self.resumePath = resumePath
    }
}

/// What the compute thread says. Bytes have no digest yet: hashing a checkpoint is the network thread's work, so that
/// training goes on meanwhile.
package enum ComputeReport: Sendable {
    case progressed(LeaseProgress, [IterationFigures])
    case checkpointTaken(Lease, iteration: Int, bytes: [UInt8])
    case ended(Lease, ComputeEnd)
}

/// As `ComputeOutcome`, with bytes in place of payloads.
package enum ComputeEnd: Sendable {
    case done(RecipeResult, seconds: Double)
    case cancelled
    case stopped(iteration: Int, bytes: [UInt8])
    case stoppedWithNothing
    case inputsDamaged([ContentDigest])
    case inputRefused(String)
    case failed(String)
}

/// What a piece of work needs of the world.
package struct ComputeEnvironment: Sendable {
    package var cacheDirectory: String
    /// What this machine or container lets the worker have; 0: not known.
    package var memoryByteCount: UInt64
    /// Whether the blob in the cache still has this digest; read again in any case, or only where it may have changed.
    package var isIntact: @Sendable (_ digest: ContentDigest, _ isReadAgain: Bool) -> Bool
    /// A clock that never runs backwards, in nanoseconds.
    package var nowNanoseconds: @Sendable () -> UInt64
    package var log: @Sendable (String) -> Void

    package init(
        cacheDirectory: String, memoryByteCount: UInt64 = 0,
        isIntact: @escaping @Sendable (ContentDigest, Bool) -> Bool,
        nowNanoseconds: @escaping @Sendable () -> UInt64, log: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.cacheDirectory = cacheDirectory
        self.memoryByteCount = memoryByteCount
        self.isIntact = isIntact
        self.nowNanoseconds = nowNanoseconds
        self.log = log
    }
}
