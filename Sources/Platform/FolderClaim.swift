import Glibc

/// The one owner of a folder for results, as long as this value lives. Needs no working file locks: where the system
/// has none, a file that only one process can make says who has the folder.
///
/// The file goes when the value does. One that was left by a process that is gone does not hold: the kernel says so
/// by its lock, or, where there are no locks, the file itself, which names the process and its start. What a process
/// on another machine left on a network file system holds until somebody removes it, since nothing can be known of it.
public final class FolderClaim: Sendable {
    /// Who has the folder, and what to do.
    public struct Held: Error, Hashable, Sendable, CustomStringConvertible {
        public var folder: String
        public var path: String
        /// "process 71 on lab3, since 2026-03-01T08:30:00Z"; nil when the file does not say.
        public var owner: String?
        /// The owner may be gone without a trace.
        public var isUncertain: Bool

        public var description: String {
            "\(folder) is in use by \(owner ?? "another process"); wait until it has ended, or choose another folder"
                + (isUncertain ? "; if it has ended, remove \(path)" : "")
        }
    }

    private let path: String
    private let descriptor: Int32

    /// - Parameter fileName: the file in the folder, which must be there.
    /// - Throws: `Held`; `FileError`.
    public init(folder: String, fileName: String = "in-use") throws {
        path = folder + "/" + fileName
        descriptor = try Self.claim(folder, path)
        Self.live.withLock { $0[descriptor] = path }
    }

    deinit {
        Self.live.withLock { $0[descriptor] = nil }
        if Self.isFile(descriptor, at: path) { unlink(path) }
        close(descriptor)
    }

    /// Of this process, by their descriptors.
    private static let live = Guarded<[Int32: String]>([:])

    /// For a process that is about to end at once: its claims' files go.
    public static func removeFiles() {
        for (descriptor, path) in live.withLock({ $0 }) where isFile(descriptor, at: path) { unlink(path) }
    }

    private static func claim(_ folder: String, _ path: String) throws -> Int32 {
        // A file that goes, or changes, while it is looked at means that another process has just come or gone.
        for _ in 0..<100 {
            let descriptor = try OpenFile.repeated("open", path) {
                open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
            }
            do {
                if let owned = try claim(folder, path, descriptor) {
                    if owned != descriptor { close(descriptor) }
                    return owned
                }
                close(descriptor)
            } catch {
                close(descriptor)
                throw error
            }
        }
        throw held(folder, path, ClaimNote(path), isUncertain: true)
    }

    /// - Returns: a descriptor of the file that holds the claim; nil to look again.
    private static func claim(_ folder: String, _ path: String, _ descriptor: Int32) throws -> Int32? {
        do {
            try FileLocks.lock(descriptor, path)
        } catch where error.code == EWOULDBLOCK {
            throw held(folder, path, ClaimNote(path), isUncertain: false)
        } catch where FileLocks.unsupportedCodes.contains(error.code) {
            return try claimWithoutLocks(folder, path, descriptor)
        }
        guard isFile(descriptor, at: path) else { return nil }
        if let note = ClaimNote(path), note.mayHold(on: descriptor) {
            throw held(folder, path, note, isUncertain: true)
        }
        ClaimNote.own(isLocked: true).write(to: descriptor)
        return descriptor
    }

    /// The file that was opened is empty where nobody had one: it is replaced, in one step, by one that names this
    /// process, if it is still the same.
    private static func claimWithoutLocks(_ folder: String, _ path: String, _ descriptor: Int32) throws -> Int32? {
        if let note = ClaimNote(path), !note.process.isGone {
            throw held(folder, path, note, isUncertain: note.process.space != ProcessIdentity.own.space)
        }
        let aside = AtomicFile.temporaryName(for: path), own = AtomicFile.temporaryName(for: path)
        defer {
            unlink(aside)
            unlink(own)
        }
        // Two that take over the same file at once: whoever moves it aside first has it, the other finds another file.
        guard isFile(descriptor, at: path), rename(path, aside) == 0 else { return nil }
        guard isFile(descriptor, at: aside) else {
            link(aside, path)
            return nil
        }
        let claimed = try OpenFile.repeated("open", own) { open(own, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644) }
        guard ClaimNote.own(isLocked: false).write(to: claimed) else {
            let code = errno
            close(claimed)
            throw FileError(operation: "write", path: path, code: code)
        }
        guard link(own, path) == 0 else {
            close(claimed)
            return nil
        }
        return claimed
    }

    private static func held(_ folder: String, _ path: String, _ note: ClaimNote?, isUncertain: Bool) -> Held {
        Held(folder: folder, path: path, owner: note?.description, isUncertain: isUncertain)
    }

    /// Whether the path still names this open file.
    private static func isFile(_ descriptor: Int32, at path: String) -> Bool {
        var open = stat(), named = stat()
        guard fstat(descriptor, &open) == 0, lstat(path, &named) == 0 else { return false }
        return open.st_dev == named.st_dev && open.st_ino == named.st_ino
    }
}

/// What stands in a claim's file, a line each.
private struct ClaimNote: CustomStringConvertible {
    var process: ProcessIdentity
    /// Its owner had a lock on it, too.
    var isLocked: Bool
    var since: String

    private static let head = "this folder is in use by a process of quintet"

    static func own(isLocked: Bool) -> ClaimNote {
        ClaimNote(process: .own, isLocked: isLocked, since: WallClock.nowText())
    }

    private init(process: ProcessIdentity, isLocked: Bool, since: String) {
        self.process = process
        self.isLocked = isLocked
        self.since = since
    }

    /// nil where the file has no such note: it is new, or its owner has not written it yet.
    init?(_ path: String) {
        guard let text = try? FileSystem.readText(path, byteCountMax: 4096) else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard lines.count >= 7, lines[0] == Self.head, let number = Int32(lines[2]), let ticks = UInt64(lines[4]) else {
            return nil
        }
        process = ProcessIdentity(host: lines[1], processID: number, space: lines[3], startTicks: ticks)
        since = lines[5]
        isLocked = lines[6] == "locked"
    }

    var description: String { "process \(process.processID) on \(process.host), since \(since)" }

    /// Whether the note's process may have the folder although this one was given the lock: it had none, or its
    /// machine and this one may not see each other's locks.
    func mayHold(on descriptor: Int32) -> Bool {
        if isLocked, process.host == Machine.hostName || !FileSystem.isOnNetwork(descriptor) { return false }
        return !process.isGone
    }

    @discardableResult
    func write(to descriptor: Int32) -> Bool {
        let lines = [
            Self.head, process.host, "\(process.processID)", process.space, "\(process.startTicks)", since,
            isLocked ? "locked" : "without locks", "",
        ]
        let bytes = Array(lines.joined(separator: "\n").utf8)
        guard ftruncate(descriptor, 0) == 0 else { return false }
        return pwrite(descriptor, bytes, bytes.count, 0) == bytes.count
    }
}
