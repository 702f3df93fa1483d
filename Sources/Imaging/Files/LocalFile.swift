import Glibc

/// The few system calls this module needs: reading a regular file in sequence and landing a file whole.
enum LocalFile {
    /// Opens a regular file for reading; a folder, pipe or device is refused.
    static func open(_ path: String, name: String) throws(ImageFileError) -> (descriptor: Int32, byteCount: Int) {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw unreachable(name, "cannot be opened") }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            close(descriptor)
            throw unreachable(name, "cannot be examined")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            let folder = status.st_mode & S_IFMT == S_IFDIR
            close(descriptor)
            throw ImageFileError(
                name, .unreachable, folder ? "is a folder" : "is not a regular file",
                remedy: folder ? "name the image inside it"
                    : "name a .nii, .nii.gz, .hdr, .mha or .mhd file")
        }
        return (descriptor, Int(status.st_size))
    }

    /// At most `buffer.count` bytes from `offset`; 0 at the end.
    static func read(
        _ descriptor: Int32, at offset: Int, into buffer: UnsafeMutableRawBufferPointer, name: String
    ) throws(ImageFileError) -> Int {
        while true {
            let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
            if count >= 0 { return count }
            if errno != EINTR { throw unreachable(name, "cannot be read") }
        }
    }

    static func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Writes beside the target, syncs, renames and syncs the folder: the target is the old file or the new one.
    static func land(_ bytes: [UInt8], at path: String) throws(ImageFileError) {
        let temporary = "\(path).\(getpid()).partial"
        let descriptor = Glibc.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw unreachable(temporary, "cannot be created") }
        let written = bytes.withUnsafeBytes { writeAll(descriptor, $0) } && fsync(descriptor) == 0
        let writeError = errno
        let closed = Glibc.close(descriptor) == 0
        guard written && closed && rename(temporary, path) == 0 else {
            if !written { errno = writeError }
            let error = unreachable(path, "cannot be written")
            unlink(temporary)
            throw error
        }
        syncFolder(of: path)
    }

    private static func writeAll(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = write(descriptor, bytes.baseAddress! + done, min(bytes.count - done, 1 << 24))
            if count < 0 && errno != EINTR { return false }
            done += max(count, 0)
        }
        return true
    }

    private static func syncFolder(of path: String) {
        let folder = folderName(of: path)
        let descriptor = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = fsync(descriptor)
        _ = Glibc.close(descriptor)
    }

    /// "a/b.nii" -> "a", "b.nii" -> ".".
    static func folderName(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    static func fileName(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }

    private static func unreachable(_ name: String, _ what: String) -> ImageFileError {
        let (code, reason) = (errno, String(cString: strerror(errno)))
        let remedy =
            switch code {
            case ENOENT: "check the path"
            case EACCES, EPERM, EROFS: "check the permissions"
            case ENOSPC, EDQUOT: "free some space and run the same command again"
            default: "check the disk and try again"
            }
        return ImageFileError(name, .unreachable, "\(what) (\(reason))", remedy: remedy)
    }
}
