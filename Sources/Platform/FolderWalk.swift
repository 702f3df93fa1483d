import Glibc

/// Everything below a folder, in a fixed order. Links are followed, as people who link patients' folders from another
/// disk expect it; each folder is entered once, so that links that lead upwards end. Hidden files and folders are left
/// out; whatever else is not listed is named with the reason.
public struct FolderWalk: Sendable {
    public struct File: Hashable, Sendable {
        /// Path below the folder that was asked for.
        public var relative: String
        public var path: String
        /// As the walk has seen it; nil for a file that was named.
        public var stamp: FileStamp?

        public init(relative: String, path: String, stamp: FileStamp? = nil) {
            (self.relative, self.path, self.stamp) = (relative, path, stamp)
        }
    }

    public struct Skipped: Hashable, Sendable {
        /// Fit for a message; not always the path itself.
        public var relative: String
        /// One clause, with the remedy behind a semicolon.
        public var reason: String
        /// Something that might have been wanted was not seen; false for what is left out on purpose.
        public var isLoss: Bool
    }

    /// Regular files, by path: those in real folders first, then those behind linked folders.
    public private(set) var files: [File] = []
    public private(set) var skipped: [Skipped] = []
    private var entered: [FileIdentity: String] = [:]
    private var links: [(relative: String, path: String)] = []

    /// - Parameters:
    ///   - root: a folder, or a link to one.
    ///   - leavesOut: asked of every folder below the root, and of the root itself as ""; a reason leaves it out.
    ///   - isStopped: asked at every folder.
    /// - Throws: `FileError` when the root cannot be listed.
    public init(
        _ root: String, leavesOut: (_ relative: String, _ path: String) -> String? = { _, _ in nil },
        isStopped: () -> Bool = { false }
    ) throws(FileError) {
        let path = root.hasSuffix("/") ? String(root.dropLast()) : root
        guard let identity = FileIdentity(root) else { throw FileError(operation: "list", path: root, code: errno) }
        entered[identity] = root
        _ = try FileSystem.list(root)
        enter("", path.isEmpty ? "/" : path, leavesOut, isStopped)
        while !links.isEmpty, !isStopped() {
            let link = links.removeFirst()
            if isNew(link.relative, link.path) { enter(link.relative, link.path, leavesOut, isStopped) }
        }
    }

    /// Whether a folder is one of those that were entered, or lies somewhere below one.
    public func holds(_ folder: String) -> Bool {
        var path = (try? FileSystem.absolutePath(FileSystem.nearestExisting(folder))) ?? folder
        while true {
            if let identity = FileIdentity(path), entered[identity] != nil { return true }
            if path == "/" || path == "." { return false }
            path = FileSystem.folder(of: path)
        }
    }

    private mutating func skip(_ relative: String, _ reason: String, isLoss: Bool = true) {
        skipped.append(Skipped(relative: relative, reason: reason, isLoss: isLoss))
    }

    private mutating func isNew(_ relative: String, _ path: String) -> Bool {
        guard let identity = FileIdentity(path) else { return true }
        guard let before = entered[identity] else {
            entered[identity] = relative
            return true
        }
        skip(relative, "is a link to a folder that is read as \(before) already", isLoss: false)
        return false
    }

    private mutating func enter(
        _ relative: String, _ path: String, _ leavesOut: (String, String) -> String?, _ isStopped: () -> Bool
    ) {
        guard !isStopped() else { return }
        if let reason = leavesOut(relative, path) {
            return skip(relative.isEmpty ? path : relative, reason, isLoss: false)
        }
        let names: [[UInt8]]
        do {
            names = try FileSystem.nameBytes(in: path)
        } catch {
            return skip(relative, "\(error)")
        }
        for bytes in names where bytes.first != UInt8(ascii: ".") {
            guard let name = String(validating: bytes, as: UTF8.self) else {
                skip(below(relative, String(decoding: bytes, as: UTF8.self)), "its name is not UTF-8; rename it")
                continue
            }
            look(below(relative, name), path + "/" + name, leavesOut, isStopped)
        }
    }

    private func below(_ relative: String, _ name: String) -> String { relative.isEmpty ? name : relative + "/" + name }

    private mutating func look(
        _ relative: String, _ path: String, _ leavesOut: (String, String) -> String?, _ isStopped: () -> Bool
    ) {
        var own = stat(), target = stat()
        guard lstat(path, &own) == 0 else { return skip(relative, "cannot be examined") }
        let isLink = own.st_mode & S_IFMT == S_IFLNK
        guard stat(path, &target) == 0 else {
            return skip(relative, isLink ? "is a link to nothing; mend or remove it" : "cannot be examined")
        }
        switch (target.st_mode & S_IFMT, isLink) {
        case (S_IFREG, _): files.append(File(relative: relative, path: path, stamp: FileStamp(target)))
        case (S_IFDIR, true): links.append((relative, path))
        case (S_IFDIR, false): if isNew(relative, path) { enter(relative, path, leavesOut, isStopped) }
        // Pipes, sockets and devices hold no image.
        default: break
        }
    }
}
