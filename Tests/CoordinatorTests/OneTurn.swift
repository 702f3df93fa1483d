import Coordinator
import Protocol

extension Store {
    /// Commits the changes of one turn.
    /// - Returns: the blobs that nothing refers to since.
    func commit(_ changes: [StoreChange], wallMilliseconds: Int64) throws -> [ContentDigest] {
        try commit([Turn(number: 0, changes: changes)], wallMilliseconds: wallMilliseconds)[0]
    }
}

extension Store {
    /// Every run, those that have ended among them, oldest first.
    func recover() throws -> [RecoveredRun] {
        let recovery = try recovery()
        return (recovery.runs + (try recovery.archived.compactMap { try recover($0.id) })).sorted { $0.id < $1.id }
    }
}
