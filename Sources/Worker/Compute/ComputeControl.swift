import Synchronization

/// What the network thread wants of the piece of work that the compute thread runs. Flags only go from false to true,
/// `checkpoint` excepted; the compute thread looks at them between two steps, the recipe through `isCancelled`.
final class ComputeControl: Sendable {
    private let cancelled = Atomic(false)
    private let stopped = Atomic(false)
    private let stepInterrupted = Atomic(false)
    private let checkpointAsked = Atomic(false)
    private let keepsResults = Atomic(false)

    /// Nothing of it is wanted any more.
    func cancel() { cancelled.store(true, ordering: .relaxed) }

    /// End after the current step, with a checkpoint.
    func stop() { stopped.store(true, ordering: .relaxed) }

    /// Undo the current step.
    func interruptStep() { stepInterrupted.store(true, ordering: .relaxed) }

    func askForCheckpoint() { checkpointAsked.store(true, ordering: .relaxed) }

    /// From now on stopping leaves something worth keeping, so that the current step may end.
    func beginKeepingResults() { keepsResults.store(true, ordering: .relaxed) }

    var isCancelled: Bool { cancelled.load(ordering: .relaxed) }
    var isStopped: Bool { stopped.load(ordering: .relaxed) }

    /// What the recipe asks: whether to throw `RecipeError.interrupted`.
    var isInterrupted: Bool {
        isCancelled || stepInterrupted.load(ordering: .relaxed)
            || isStopped && !keepsResults.load(ordering: .relaxed)
    }

    /// True once for every `askForCheckpoint`.
    func takeCheckpointRequest() -> Bool {
        checkpointAsked.exchange(false, ordering: .relaxed)
    }
}
