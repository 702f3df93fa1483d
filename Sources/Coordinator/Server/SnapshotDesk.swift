import Platform
import Protocol

/// The copies of the database that standbys fetch: files in the state folder that live until they are fetched. Used by
/// the loop's thread.
struct SnapshotDesk {
    private let folder: String
    private var lastNumber = 0
    /// Asked for, and not there yet.
    private(set) var pendingCount = 0
    private var files: [ConnectionID: (path: String, digest: ContentDigest?)] = [:]

    private static let prefix = "standby-snapshot-"

    /// What an earlier process has left goes.
    init(folder: String) {
        self.folder = folder
        for name in (try? FileSystem.list(folder)) ?? [] where name.hasPrefix(Self.prefix) {
            try? FileSystem.remove("\(folder)/\(name)")
        }
    }

    var isEmpty: Bool { pendingCount == 0 && files.isEmpty }

    /// Where the next one goes.
    mutating func begin() -> String {
        pendingCount += 1
        lastNumber += 1
        return "\(folder)/\(Self.prefix)\(lastNumber).sqlite"
    }

    /// It was made, or could not be.
    mutating func end(_ path: String?, _ connection: ConnectionID) {
        pendingCount -= 1
        if let path { files[connection] = (path, nil) }
    }

    mutating func isServed(_ digest: ContentDigest, _ connection: ConnectionID) { files[connection]?.digest = digest }

    /// Nobody reads it any more.
    mutating func remove(_ connection: ConnectionID, _ blobs: BlobDirectory) {
        guard let file = files.removeValue(forKey: connection) else { return }
        // An external file is forgotten, not moved.
        if let digest = file.digest { try? blobs.setAside(digest.bytes) }
        try? FileSystem.remove(file.path)
    }

    /// Those whose standby has them.
    mutating func removeFetched(_ blobs: BlobDirectory, isFetched: (ConnectionID) -> Bool) {
        for connection in files.keys where isFetched(connection) { remove(connection, blobs) }
    }
}
