import Glibc

/// Which file lies under a name, and when it was changed last, as the file system says: whoever writes to a file, cuts
/// it, or puts another one in its place, changes this. What rots below the file system does not.
struct FileVersion: Hashable, Sendable {
    private let stamp: FileStamp
    private let device: UInt64
    /// Of anything about the file; what nobody sets.
    private let changedNanoseconds: Int64

    /// nil where there is no such file, or it may not be looked at.
    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        stamp = FileStamp(status)
        device = UInt64(status.st_dev)
        changedNanoseconds = FileStamp.nanoseconds(status.st_ctim)
    }
}
