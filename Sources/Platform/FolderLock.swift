import Glibc

/// The one owner of a folder, as long as this value lives; the kernel lets go of it when the process dies.
public final class FolderLock: Sendable {
    public static let fileName = "lock"
    private let descriptor: Int32

    public struct Held: Error, Hashable, Sendable, CustomStringConvertible {
        public var folder: String
        public var description: String {
            "\(folder) is in use by another process; stop that one first, or choose another folder"
        }
    }

    /// - Throws: `Held` when another process has it; `FileError`.
    public init(folder: String) throws {
        let path = folder + "/" + Self.fileName
        let descriptor = try OpenFile.repeated("open", path) { open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600) }
        do {
            try OpenFile.repeated("lock", path) { flock(descriptor, LOCK_EX | LOCK_NB) }
        } catch {
            close(descriptor)
            throw error.code == EWOULDBLOCK ? Held(folder: folder) : error as any Error
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }
}
