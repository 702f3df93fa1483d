import Glibc

/// An open file: every call repeated after a signal, every short write completed, every error with the path.
struct OpenFile: ~Copyable {
    let descriptor: Int32
    let path: String

    /// - Parameter flags: as of open(2); O_CLOEXEC is added, and to those for reading O_NONBLOCK: a pipe where a file
    ///   should be, in an archive that somebody sent, would be waited for without end.
    init(_ path: String, flags: Int32, mode: mode_t = 0o644) throws(FileError) {
        if case .fail(let code) = Failpoint.hit("file.open", detail: path) {
            throw FileError(operation: "open", path: path, code: code)
        }
        let isNew = flags & O_CREAT != 0 && !FileSystem.exists(path)
        let more = flags & O_ACCMODE == O_RDONLY ? O_CLOEXEC | O_NONBLOCK : O_CLOEXEC
        self.descriptor = try OpenFile.repeated("open", path) { open(path, flags | more, mode) }
        self.path = path
        if isNew { DiskTrace.note(path, .create(path)) }
    }

    deinit { close(descriptor) }

    /// Repeats a call that returns -1 with EINTR.
    @discardableResult
    static func repeated(_ operation: String, _ path: String, _ call: () -> Int32) throws(FileError) -> Int32 {
        while true {
            let result = call()
            if result != -1 { return result }
            if errno != EINTR { throw FileError(operation: operation, path: path, code: errno) }
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(FileError) {
        var done = 0
        while done < bytes.count {
            var count = bytes.count - done
            switch Failpoint.hit("file.write", detail: path) {
            case .none: break
            case .short: count = (count + 1) / 2
            case .fail(EINTR): continue
            case .fail(let code): throw FileError(operation: "write", path: path, code: code)
            }
            let written = pwrite(descriptor, bytes.baseAddress! + done, count, off_t(offset) + off_t(done))
            if written == -1 {
                if errno == EINTR { continue }
                throw FileError(operation: "write", path: path, code: errno)
            }
            let piece = done..<done + written
            DiskTrace.note(path, .write(path, offset: offset + UInt64(done), Array(bytes[piece])))
            done += written
        }
    }

    /// Fills the buffer, or as much of it as the file has from `offset` on.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(FileError) -> Int {
        var done = 0
        while done < buffer.count {
            switch Failpoint.hit("file.read", detail: path) {
            case .none, .short: break
            case .fail(EINTR): continue
            case .fail(let code): throw FileError(operation: "read", path: path, code: code)
            }
            let count = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset) + off_t(done))
            if count == -1 {
                if errno == EINTR { continue }
                throw FileError(operation: "read", path: path, code: errno)
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// To the disk. A file whose sync failed must not be synced again: the kernel may have dropped the pages and
    /// would call the second attempt good. Throw the file away.
    func sync() throws(FileError) {
        switch Failpoint.hit("file.sync", detail: path) {
        case .none, .short: break
        case .fail(let code):
            DiskTrace.note(path, .syncFailed(path))
            throw FileError(operation: "sync", path: path, code: code)
        }
        try Self.repeated("sync", path) { fsync(descriptor) }
        DiskTrace.note(path, .sync(path))
    }

    /// To no bytes.
    func truncate() throws(FileError) {
        try Self.repeated("truncate", path) { ftruncate(descriptor, 0) }
        DiskTrace.note(path, .truncate(path))
    }

    /// - Throws: EISDIR for a folder, EINVAL for a device or a pipe, beside fstat's own errors.
    func byteCount() throws(FileError) -> UInt64 {
        var status = stat()
        try Self.repeated("examine", path) { fstat(descriptor, &status) }
        if status.st_mode & S_IFMT == S_IFDIR { throw FileError(operation: "read", path: path, code: EISDIR) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw FileError(operation: "read", path: path, code: EINVAL)
        }
        return UInt64(status.st_size)
    }
}
