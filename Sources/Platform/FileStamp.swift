import Glibc

/// By what a file is known not to have changed since it was read: its size, when its bytes were changed last, and which
/// file it is. Unlike `FileVersion` it outlives a reboot, and a file server's being mounted elsewhere.
public struct FileStamp: Hashable, Sendable, Codable {
    public var byteCount: UInt64
    public var modifiedNanoseconds: Int64
    public var inode: UInt64

    /// Two changes within so short a time may leave the same time.
    private static let uncertainNanoseconds: Int64 = 2_000_000_000

    public init(byteCount: UInt64, modifiedNanoseconds: Int64, inode: UInt64) {
        (self.byteCount, self.modifiedNanoseconds, self.inode) = (byteCount, modifiedNanoseconds, inode)
    }

    /// nil where there is no such file, or it may not be looked at.
    public init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    init(_ status: stat) {
        self.init(
            byteCount: UInt64(clamping: status.st_size), modifiedNanoseconds: Self.nanoseconds(status.st_mtim),
            inode: UInt64(status.st_ino))
    }

    static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }

    /// Whether the file had been left alone for a while at a moment: only then does an equal stamp mean equal bytes.
    /// - Parameter wallSeconds: since 1970.
    public func isSettled(at wallSeconds: Double) -> Bool {
        modifiedNanoseconds + Self.uncertainNanoseconds < Int64(wallSeconds * 1e9)
    }
}
