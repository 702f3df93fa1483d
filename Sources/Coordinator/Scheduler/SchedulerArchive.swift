import Protocol

// Runs that have ended leave memory: the store has them, and people ask there. One comes back when it is submitted
// again, and leaves again after a while if nothing of it is left to do.

extension Scheduler {
    /// Runs that ended so long ago that nobody has to hear of them any more: a worker that has not heard that its
    /// result was accepted says so again within a lease's time. In order.
    package func runsToArchive(at nowMilliseconds: Int64) -> [RunID] {
        guard runs.count > activeRuns.count else { return [] }
        return runs.values.filter { run in
            guard let ended = run.endedMilliseconds else { return false }
            return ended + configuration.leaseMilliseconds <= nowMilliseconds
        }.map(\.id).sorted()
    }

    /// A run that has ended and is in the store as it is here.
    mutating func archive(_ id: RunID) {
        guard let run = runs[id], run.state != .running else { return }
        works.remove(id, works: run.works)
        runs[id] = nil
        archived[id] = ArchivedRun(id: id, idempotencyKey: run.request.idempotencyKey, state: run.state)
    }

    /// The run in the store that was submitted under a key; nil where it is here, or there is none.
    package func archivedRun(submittedAs key: String) -> RunID? {
        runsByKey[key].flatMap { archived[$0]?.id }
    }

    /// An archived run is here again, as the store has it.
    mutating func revive(_ run: RecoveredRun, at nowMilliseconds: Int64) {
        guard archived.removeValue(forKey: run.id) != nil else { return }
        recover(run, at: nowMilliseconds)
        runs[run.id]!.endedMilliseconds = nowMilliseconds
    }
}
