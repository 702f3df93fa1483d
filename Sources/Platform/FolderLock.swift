import Glibc

/// The one owner of a folder that needs locks itself (a database is in it), as long as this value lives; the kernel
/// lets go of it when the process dies. `FolderClaim` is for folders that need none.
public final class FolderLock: Sendable {
    public static let fileName = "lock"
    private let descriptor: Int32

    public struct Held: Error, Hashable, Sendable, CustomStringConvertible {
        public var folder: String
        public var description: String {
            "\(folder) is in use by another process; stop that one first, or choose another folder"
        }
    }

    /// - Throws: `Held` when another process has it; `LockingUnsupported` before anything is written; `FileError`.
    public init(folder: String) throws {
        try FileLocks.check(folder: folder)
        let path = folder + "/" + Self.fileName
        let descriptor = try OpenFile.repeated("open", path) { open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600) }
        do {
            try FileLocks.lock(descriptor, path)
        } catch {
            close(descriptor)
            throw error.code == EWOULDBLOCK ? Held(folder: folder) : error as any Error
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }
}
