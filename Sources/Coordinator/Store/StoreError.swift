/// What went wrong with the coordinator's database, and what to do about it.
public struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: Hashable, Sendable {
        case diskFull
        /// Another process holds the file.
        case locked
        /// The file is damaged or is no database.
        case corrupt
        /// A later quintet made it.
        case newerSchema
        /// It may not be read or written.
        case notAllowed
        /// A change under an epoch that does not count; nothing of its transaction was kept.
        case staleEpoch
        case other
    }

    public var kind: Kind
    /// SQLite's extended result code; 0 where SQLite has no part in it.
    public var code: Int32
    public var message: String
    /// The statement under way; "" without one.
    public var sql: String
    public var path: String

    public init(kind: Kind, code: Int32, message: String, sql: String, path: String) {
        self.kind = kind
        self.code = code
        self.message = message
        self.sql = sql
        self.path = path
    }

    /// What to do next.
    public var remedy: String {
        switch kind {
        case .diskFull: return "make room on the disk of \(path); nothing acknowledged is lost"
        case .locked: return "another process has \(path) open; end it, or use another --state folder"
        case .corrupt:
            return "\(path) is damaged; `sqlite3 \(path) .recover` saves what can be saved, or start with an empty "
                + "--state folder (finished replicas in the run's folder are not touched)"
        case .newerSchema: return "\(path) was made by a newer quintet; use that one, or another --state folder"
        case .notAllowed: return "give this user the right to read and write \(path) and its folder"
        case .staleEpoch: return "the state in memory and in \(path) differ: the coordinator reads it again"
        case .other:
            return "see the message; `sqlite3 \(path) 'PRAGMA integrity_check'` tells whether the file is whole"
        }
    }

    public var description: String {
        let statement = sql.isEmpty ? "" : " [\(sql)]"
        return "\(path): \(message) (code \(code))\(statement); \(remedy)"
    }
}
