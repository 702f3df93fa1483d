import Platform
import Protocol
import Recipes

/// The folder at which a machine has the file system that client and workers share (`--shared ROOT`). It may be called
/// otherwise on each of them: what travels are paths below it.
struct SharedRoot {
    let path: String

    init(_ text: String) throws { path = try Self.folder(text) }

    static func folder(_ text: String) throws -> String {
        guard FileSystem.isFolder(text) else {
            throw UsageError("--shared \(text): there is no such folder; name the one at which this machine has the "
                + "file system that client and workers share")
        }
        return try FileSystem.absolutePath(text)
    }

    /// A file's path below the root; nil where it lies elsewhere, or is called so that it cannot travel.
    func relative(_ file: String) -> String? {
        guard let absolute = try? FileSystem.absolutePath(file) else { return nil }
        let prefix = path == "/" ? "/" : path + "/"
        guard absolute.hasPrefix(prefix) else { return nil }
        let below = String(absolute.dropFirst(prefix.count))
        guard SharedPlace.isBelowRoot(below), below.utf8.count <= Limits.sharedPathBytesMax,
            below == below.printable(most: .max)
        else { return nil }
        return below
    }
}
