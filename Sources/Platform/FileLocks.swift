import Glibc

/// File locks do not work in a folder, as on some network file systems.
public struct LockingUnsupported: Error, Hashable, Sendable, CustomStringConvertible {
    public var folder: String
    /// What the system answered, or how a lock failed to keep another out.
    public var finding: String

    public var description: String {
        "file locks do not work in \(folder) (\(finding)), as on some network file systems (NFS, Lustre): two "
            + "processes could spoil what is kept there; give --state DIR on a local disk"
    }
}

/// Inside `Calls` the name is a property's.
private func systemLock(_ descriptor: Int32, _ operation: Int32) -> Int32 { flock(descriptor, operation) }

/// The two kinds of file locks, and whether they work.
package enum FileLocks {
    /// What a lock's call answers where there are no locks.
    static let unsupportedCodes: Set<Int32> = [ENOLCK, ENOSYS, EOPNOTSUPP]

    /// The system's calls, which tests replace.
    package struct Calls {
        package var flock: (_ descriptor: Int32, _ operation: Int32) -> Int32
        package var fcntl: (_ descriptor: Int32, _ command: Int32, UnsafeMutablePointer<Glibc.flock>) -> Int32

        package init(
            flock: @escaping (Int32, Int32) -> Int32 = { systemLock($0, $1) },
            fcntl: @escaping (Int32, Int32, UnsafeMutablePointer<Glibc.flock>) -> Int32 = { Glibc.fcntl($0, $1, $2) }
        ) {
            self.flock = flock
            self.fcntl = fcntl
        }
    }

    /// An exclusive flock, without waiting.
    static func lock(_ descriptor: Int32, _ path: String) throws(FileError) {
        if case .fail(let code) = Failpoint.hit("file.lock", detail: path) {
            throw FileError(operation: "lock", path: path, code: code)
        }
        try OpenFile.repeated("lock", path) { flock(descriptor, LOCK_EX | LOCK_NB) }
    }

    /// Tries both kinds with a file of its own: that a lock is granted, and that it keeps another descriptor out; some
    /// file systems grant locks that exclude nobody.
    /// - Throws: `LockingUnsupported`; `FileError`.
    package static func check(folder: String, calls: Calls = Calls()) throws {
        let path = AtomicFile.temporaryName(for: folder + "/lock-probe")
        let first = try OpenFile(path, flags: O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        defer { unlink(path) }
        let second = try OpenFile(path, flags: O_RDWR)
        if case .fail(let code) = Failpoint.hit("file.lock", detail: path) { throw unsupported(folder, "flock", code) }
        guard calls.flock(first.descriptor, LOCK_EX | LOCK_NB) == 0 else { throw unsupported(folder, "flock", errno) }
        guard calls.flock(second.descriptor, LOCK_EX | LOCK_NB) != 0 else {
            throw LockingUnsupported(folder: folder, finding: "flock lets a second one in")
        }
        // NFS makes the one kind of the other.
        _ = calls.flock(first.descriptor, LOCK_UN)

        var range = flock(l_type: Int16(F_WRLCK), l_whence: Int16(SEEK_SET), l_start: 0, l_len: 1, l_pid: 0)
        guard calls.fcntl(first.descriptor, F_SETLK, &range) == 0 else { throw unsupported(folder, "fcntl", errno) }
        // Such locks exclude other processes only; those that belong to a descriptor stand in for one. F_OFD_SETLK.
        var other = flock(l_type: Int16(F_WRLCK), l_whence: Int16(SEEK_SET), l_start: 0, l_len: 1, l_pid: 0)
        guard calls.fcntl(second.descriptor, 37, &other) != 0 else {
            throw LockingUnsupported(folder: folder, finding: "fcntl lets a second one in")
        }
    }

    private static func unsupported(_ folder: String, _ call: String, _ code: Int32) -> any Error {
        guard unsupportedCodes.contains(code) else { return FileError(operation: "lock", path: folder, code: code) }
        return LockingUnsupported(folder: folder, finding: "\(call): \(String(cString: strerror(code)))")
    }
}
