import Glibc
import Synchronization

/// A file that has its old or its new content after a crash at any instruction, never a part of either: written
/// beside the target, synced, renamed over it, and the folder synced.
public enum AtomicFile {
    private static let counter = Atomic<UInt64>(0)
    /// What is being written beside targets at this moment.
    private static let unfinished = Guarded<Set<String>>([])

    /// For a process that is about to end at once, whatever its threads are writing: nothing half-written stays.
    public static func removeUnfinished() {
        for path in unfinished.withLock({ $0 }) { try? FileSystem.remove(path) }
    }

    /// - Parameter mode: less the process's umask; 0o600 for secrets.
    /// - Throws: what was written beside the target is removed. The target is as it was; or new, but not certain to
    ///   survive a power cut, where only its folder could not be synced.
    public static func write(_ bytes: [UInt8], to path: String, mode: mode_t = 0o666) throws(FileError) {
        let temporary = temporaryName(for: path)
        unfinished.withLock { _ = $0.insert(temporary) }
        defer { unfinished.withLock { _ = $0.remove(temporary) } }
        do throws(FileError) {
            try writeTemporary(bytes, temporary, mode)
            try FileSystem.rename(temporary, to: path)
        } catch {
            try? FileSystem.remove(temporary)
            throw error
        }
    }

    public static func write(_ text: String, to path: String, mode: mode_t = 0o666) throws(FileError) {
        try write(Array(text.utf8), to: path, mode: mode)
    }

    private static func writeTemporary(_ bytes: [UInt8], _ path: String, _ mode: mode_t) throws(FileError) {
        let file = try OpenFile(path, flags: O_WRONLY | O_CREAT | O_EXCL, mode: mode)
        var failure: FileError?
        bytes.withUnsafeBytes { buffer in
            do throws(FileError) { try file.write(buffer, at: 0) } catch { failure = error }
        }
        if let failure { throw failure }
        try file.sync()
    }

    /// In the same folder, so that the rename stays on one file system; different for every call and process.
    static func temporaryName(for path: String) -> String {
        let number = counter.add(1, ordering: .relaxed).newValue
        return "\(path).\(getpid())-\(number).tmp"
    }
}
