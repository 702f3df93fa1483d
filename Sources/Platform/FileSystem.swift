import Glibc

/// Files and folders, as far as Quintet needs them. Writing is `AtomicFile`'s affair.
public enum FileSystem {
    /// A whole file.
    /// - Throws: EFBIG when it has more than `byteCountMax` bytes.
    public static func read(_ path: String, byteCountMax: Int) throws(FileError) -> [UInt8] {
        let file = try OpenFile(path, flags: O_RDONLY)
        let byteCount = try file.byteCount()
        guard byteCount <= UInt64(byteCountMax) else { throw FileError(operation: "read", path: path, code: EFBIG) }
        return try read(file, offset: 0, count: Int(byteCount))
    }

    /// `count` bytes from `offset` on, fewer where the file ends.
    public static func read(_ path: String, offset: UInt64, count: Int) throws(FileError) -> [UInt8] {
        let file = try OpenFile(path, flags: O_RDONLY)
        let byteCount = try file.byteCount()
        guard offset < byteCount else { return [] }
        return try read(file, offset: offset, count: Int(min(UInt64(count), byteCount - offset)))
    }

    /// A whole text. Also for the kernel's files, whose size is said to be 0.
    /// - Throws: EFBIG when it has more than `byteCountMax` bytes, EILSEQ when it is not UTF-8.
    public static func readText(_ path: String, byteCountMax: Int) throws(FileError) -> String {
        let file = try OpenFile(path, flags: O_RDONLY)
        let bytes = try read(file, offset: 0, count: byteCountMax + 1)
        guard bytes.count <= byteCountMax else { throw FileError(operation: "read", path: path, code: EFBIG) }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw FileError(operation: "read", path: path, code: EILSEQ)
        }
        return text
    }

    private static func read(
        _ file: borrowing OpenFile, offset: UInt64, count: Int
    ) throws(FileError) -> [UInt8] {
        // Swift's one empty array is shared by all threads, and making one without capacity writes its count.
        guard count > 0 else { return [] }
        var failure: FileError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            do throws(FileError) {
                initialized = try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// The names in a folder, sorted by their bytes, without "." and "..".
    public static func list(_ folder: String) throws(FileError) -> [String] {
        try nameBytes(in: folder).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The same as they are stored: a name may be no UTF-8.
    static func nameBytes(in folder: String) throws(FileError) -> [[UInt8]] {
        guard let handle = opendir(folder) else { throw FileError(operation: "list", path: folder, code: errno) }
        defer { closedir(handle) }
        var names: [[UInt8]] = []
        while true {
            errno = 0
            guard let entry = readdir(handle) else { break }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != Array(".".utf8) && name != Array("..".utf8) { names.append(name) }
        }
        if errno != 0 { throw FileError(operation: "list", path: folder, code: errno) }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// The folder and those above it, durable when this returns; no error when it is there already.
    /// - Parameter isPrivate: only its owner may look into it, also where it was there before; those above it are as
    ///   any folder.
    /// - Throws: ENOTUNIQ for a private folder that other users share or own.
    public static func makeFolder(_ path: String, isPrivate: Bool = false) throws(FileError) {
        if path.isEmpty { return }
        if isFolder(path) { return isPrivate ? try makePrivate(path) : () }
        let parent = folder(of: path)
        try makeFolder(parent)
        guard mkdir(path, isPrivate ? 0o700 : 0o777) == 0 else {
            // Another process may have made it at the same moment.
            if errno == EEXIST && isFolder(path) { return isPrivate ? try makePrivate(path) : () }
            throw FileError(operation: "make the folder", path: path, code: errno)
        }
        DiskTrace.note(path, .makeFolder(path))
        do {
            try syncFolder(parent)
        } catch {
            // So that the next attempt makes it, and syncs, again.
            try? remove(path)
            throw error
        }
    }

    /// Somebody may have made it, with a mode of their own, for what will be secret.
    private static func makePrivate(_ path: String) throws(FileError) {
        let file = try OpenFile(path, flags: O_RDONLY | O_DIRECTORY)
        var status = stat()
        try OpenFile.repeated("examine", path) { fstat(file.descriptor, &status) }
        // Like /tmp, where everybody may write: not ours to close, even for root.
        let isShared = status.st_mode & S_ISVTX != 0
        guard status.st_uid == geteuid(), !isShared else {
            throw FileError(operation: "keep secrets in", path: path, code: ENOTUNIQ)
        }
        if status.st_mode & 0o077 == 0 { return }
        try OpenFile.repeated("close to other users", path) { fchmod(file.descriptor, 0o700) }
    }

    /// A file or an empty folder; no error when nothing is there.
    public static func remove(_ path: String) throws(FileError) {
        if Glibc.remove(path) != 0 && errno != ENOENT {
            throw FileError(operation: "remove", path: path, code: errno)
        }
        DiskTrace.note(path, .remove(path))
    }

    /// A folder with everything in it; links are removed, not followed.
    public static func removeTree(_ path: String) throws(FileError) {
        var status = stat()
        if lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR {
            for name in try list(path) { try removeTree(path + "/" + name) }
        }
        try remove(path)
    }

    /// Replaces what is at `target`, in one step; both on the same file system. The folder is synced.
    public static func rename(_ path: String, to target: String) throws(FileError) {
        if case .fail(let code) = Failpoint.hit("file.rename", detail: path) {
            throw FileError(operation: "rename", path: path, code: code)
        }
        try OpenFile.repeated("rename", path) { Glibc.rename(path, target) }
        DiskTrace.note(path, .rename(path, to: target))
        try syncFolder(folder(of: target))
    }

    /// Makes the folder's entries durable: names added, renamed and removed.
    public static func syncFolder(_ folder: String) throws(FileError) {
        let file = try OpenFile(folder, flags: O_RDONLY | O_DIRECTORY)
        if case .fail(let code) = Failpoint.hit("folder.sync", detail: folder) {
            DiskTrace.note(folder, .syncFailed(folder))
            throw FileError(operation: "sync", path: folder, code: code)
        }
        do throws(FileError) {
            try OpenFile.repeated("sync", folder) { fsync(file.descriptor) }
        } catch {
            // Some network file systems cannot sync a folder and say EINVAL; they have no such thing to lose.
            if error.code != EINVAL { throw error }
        }
        DiskTrace.note(folder, .syncFolder(folder))
    }

    public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    public static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    public static func byteCount(of path: String) throws(FileError) -> UInt64 {
        var status = stat()
        guard stat(path, &status) == 0 else { throw FileError(operation: "examine", path: path, code: errno) }
        return UInt64(status.st_size)
    }

    /// The permission bits, 0o600 for example.
    public static func mode(of path: String) throws(FileError) -> UInt32 {
        var status = stat()
        guard stat(path, &status) == 0 else { throw FileError(operation: "examine", path: path, code: errno) }
        return status.st_mode & 0o7777
    }

    /// What a new file of this process is readable by: every permission that its umask leaves. Read where the kernel
    /// tells it, since asking umask(2) changes it for all threads.
    static var newFileMode: mode_t {
        let line = (try? readText("/proc/self/status", byteCountMax: 1 << 16))?
            .split(separator: "\n").first { $0.hasPrefix("Umask:") }
        let mask = line?.split(whereSeparator: \.isWhitespace).last.flatMap { mode_t($0, radix: 8) }
        return 0o666 & ~(mask ?? 0o022)
    }

    /// A file that was kept from other users while it was incomplete becomes as readable as any new file.
    public static func openToOthers(_ path: String) throws(FileError) {
        let mode = newFileMode
        try OpenFile.repeated("set the permissions of", path) { chmod(path, mode) }
    }

    /// Seconds since 1970.
    public static func modificationSeconds(of path: String) throws(FileError) -> Double {
        var status = stat()
        guard stat(path, &status) == 0 else { throw FileError(operation: "examine", path: path, code: errno) }
        return Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9
    }

    /// Sets the file's modification time to now. Not being allowed to is no error.
    static func touch(_ path: String) { _ = utimensat(AT_FDCWD, path, nil, 0) }

    /// Bytes that this user may still write to the disk of `path`.
    public static func freeByteCount(at path: String) throws(FileError) -> UInt64 {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw FileError(operation: "examine", path: path, code: errno) }
        return UInt64(status.f_bavail) * UInt64(status.f_frsize)
    }

    /// Whether other machines may have the same files: what is mounted there goes over a network, or through FUSE.
    static func isOnNetwork(_ descriptor: Int32) -> Bool {
        let kinds = ["nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "ceph", "afs", "9p", "fuse", "panfs", "pvfs"]
        var status = stat()
        guard fstat(descriptor, &status) == 0,
            let mounts = try? readText("/proc/self/mountinfo", byteCountMax: 16 << 20)
        else { return false }
        // As Linux cuts a device's number into its two parts.
        let device = UInt64(status.st_dev)
        let major = device >> 8 & 0xFFF | device >> 32 & ~0xFFF, minor = device & 0xFF | device >> 12 & ~0xFF
        for line in mounts.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 2, words[2] == "\(major):\(UInt32(truncatingIfNeeded: minor))",
                let dash = words.firstIndex(of: "-"), dash + 1 < words.count
            else { continue }
            return kinds.contains { words[dash + 1].hasPrefix($0) }
        }
        return false
    }

    /// With links resolved; the file must be there.
    public static func absolutePath(_ path: String) throws(FileError) -> String {
        guard let resolved = realpath(path, nil) else {
            throw FileError(operation: "find", path: path, code: errno)
        }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// The path itself where something is there, else the folder above it that is.
    public static func nearestExisting(_ path: String) -> String {
        var path = path
        while !exists(path), path != ".", path != "/" { path = folder(of: path) }
        return path
    }

    /// Whether there is a symbolic link of this name, whatever it leads to.
    public static func isLink(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
    }

    /// Makes a file with this text, if there is none yet: of several who try, on one machine or on several, one makes
    /// it.
    /// - Returns: false where it is there already.
    public static func create(_ text: String, at path: String) throws(FileError) -> Bool {
        do throws(FileError) {
            try makeNew(text, at: path)
            return true
        } catch {
            if error.code == EEXIST { return false }
            throw error
        }
    }

    private static func makeNew(_ text: String, at path: String) throws(FileError) {
        let file = try OpenFile(path, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
        var failure: FileError?
        Array(text.utf8).withUnsafeBytes { bytes in
            do throws(FileError) { try file.write(bytes, at: 0) } catch { failure = error }
        }
        if let failure { throw failure }
        try file.sync()
        try syncFolder(folder(of: path))
    }

    /// Adds to the end of a file, which is made where it is missing. Not synced: for notes that may be lost in a power
    /// cut.
    public static func append(_ text: String, to path: String) throws(FileError) {
        try append(Array(text.utf8), to: path)
    }

    public static func append(_ bytes: [UInt8], to path: String) throws(FileError) {
        let file = try OpenFile(path, flags: O_WRONLY | O_CREAT | O_APPEND, mode: 0o666)
        var failure: FileError?
        bytes.withUnsafeBytes { bytes in
            // The kernel puts it at the end, whatever the offset.
            do throws(FileError) { try file.write(bytes, at: 0) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// What was written to a file is there after a power cut.
    public static func sync(_ path: String) throws(FileError) { try OpenFile(path, flags: O_WRONLY).sync() }

    /// Whole or not at all.
    public static func copy(_ path: String, to target: String) throws(FileError) {
        try AtomicFile.write(try read(path, byteCountMax: 8 << 30), to: target)
    }

    /// Leaves a folder that holds anything.
    public static func removeIfEmpty(_ folder: String) throws(FileError) {
        guard rmdir(folder) == 0 || errno == ENOTEMPTY || errno == EEXIST || errno == ENOENT else {
            throw FileError(operation: "remove", path: folder, code: errno)
        }
    }

    /// "a/b" of "a/b/c", "." of "c".
    public static func folder(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
