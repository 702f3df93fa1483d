import Glibc

/// Which file lies under a name, and when it was changed last, as the file system says: whoever writes to a file, cuts
/// it, or puts another one in its place, changes this. What rots below the file system does not.
struct FileVersion: Hashable, Sendable {
    private let device: UInt64
    private let inode: UInt64
    private let byteCount: Int64
    /// Of the bytes; what people may set.
    private let modifiedNanoseconds: Int64
    /// Of anything about the file; what nobody sets.
    private let changedNanoseconds: Int64

    /// nil where there is no such file, or it may not be looked at.
    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        func nanoseconds(_ time: timespec) -> Int64 { Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec) }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        byteCount = Int64(status.st_size)
        modifiedNanoseconds = nanoseconds(status.st_mtim)
        changedNanoseconds = nanoseconds(status.st_ctim)
    }
}
