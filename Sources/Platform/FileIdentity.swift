import Glibc

/// What a path leads to, whatever it is called: two names of one file (hard links, symbolic links, "./a" and "a", names
/// that differ in case on a file system that does not care) have the same identity.
public struct FileIdentity: Hashable, Sendable {
    private let device: UInt64
    private let inode: UInt64

    /// nil when nothing is there, or nothing that may be looked at.
    public init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    init(_ status: stat) { (device, inode) = (UInt64(status.st_dev), UInt64(status.st_ino)) }
}
