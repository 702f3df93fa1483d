import Coordinator
import Protocol

/// What the store remembers, read once after each commit: of runs that have ended, too.
struct CommittedState {
    var runs: [RecoveredRun] = []
    private(set) var recovery = Recovery()
    private var works: [WorkID: WorkRecord] = [:]
    /// Counts commits.
    var version = 0

    init() {}

    init(_ store: Store, version: Int) throws {
        recovery = try store.recovery()
        let archived = try recovery.archived.compactMap { try store.recover($0.id) }
        runs = (recovery.runs + archived).sorted { $0.id < $1.id }
        self.version = version
        for run in runs { for work in run.works { works[work.id] = work } }
    }

    subscript(id: WorkID) -> WorkRecord? { works[id] }
    var allWorks: [WorkRecord] { runs.flatMap(\.works) }
}

/// The real store, on a disk that can lose what was not synced.
final class SimulatedDisk {
    let store: Store
    private(set) var committed = CommittedState()
    /// Under a planted bug: what was said to be kept and is not.
    private var unsynced: [Turn] = []

    init() throws { store = try Store(path: ":memory:") }

    /// - Parameter isSynced: false only under a planted bug.
    func commit(_ turn: Turn, at now: Int64, isSynced: Bool) throws -> [ContentDigest] {
        unsynced.append(turn)
        guard isSynced else { return [] }
        return try flush(now)
    }

    private func flush(_ now: Int64) throws -> [ContentDigest] {
        let turns = unsynced
        unsynced = []
        guard !turns.isEmpty else { return [] }
        let unreferenced = try store.commit(turns, wallMilliseconds: now)
        committed = try CommittedState(store, version: committed.version + 1)
        return unreferenced.flatMap { $0 }
    }

    /// As a standby does: another store's changes.
    func apply(_ change: StandbyChange) throws {
        try store.database.apply(changes: change.changeset)
        committed = try CommittedState(store, version: committed.version + 1)
    }

    func lostPower() { unsynced = [] }

    /// What a killed process has written is there.
    func processEnded() { _ = try? flush(0) }
}
