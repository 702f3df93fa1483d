import Coordinator
import Protocol

extension Store {
    /// Commits the changes of one turn.
    /// - Returns: the blobs that nothing refers to since.
    func commit(_ changes: [StoreChange], wallMilliseconds: Int64) throws -> [ContentDigest] {
        try commit([Turn(number: 0, changes: changes)], wallMilliseconds: wallMilliseconds)[0]
    }
}
