import Glibc

/// Blobs named by their SHA-256, in a folder:
///
///     ab/abcdef...       complete, verified when it arrived
///     partial/abc...-N   an upload of N bytes that has not ended; it goes on after a restart
///     damaged/abc...     set aside by `verify`
///
/// Nothing is held in memory but running uploads and registered external files: what is on the disk is the truth.
/// All calls may be made from any thread. Several processes may share a folder: each one has uploads of its own
/// (`partial-2`, ...), since a file that two write is nobody's to verify.
public final class BlobDirectory: Sendable {
    public let path: String
    private let partialPath: String
    private let partialClaim: FolderClaim
    private let state = Guarded(State())

    private struct State: Sendable {
        var uploads: [[UInt8]: BlobUpload] = [:]
        var externals: [[UInt8]: (path: String, byteCount: UInt64)] = [:]
        /// Files whose bytes this process has read, all of them, and found to be what their name says.
        var verified: [[UInt8]: FileVersion] = [:]
        var useCount: UInt64 = 0
    }

    /// Uploads whose hash is kept running; the others resume from their partial files.
    private static let uploadsMax = 1024

    /// More are forgotten, and read again.
    private static let verifiedMax = 1 << 16

    /// In each folder for uploads.
    public static let claimFileName = "lock"

    /// Processes that may share a folder.
    private static let ownersMax = 256

    /// Makes the folder where it is missing.
    /// - Throws: `FileError`; `FolderClaim.Held` when far too many processes share the folder.
    public init(path: String) throws {
        self.path = path
        try FileSystem.makeFolder(path + "/damaged")
        (partialPath, partialClaim) = try Self.ownPartialFolder(path)
        // A process that was killed between a rename and the sync of the folder leaves a blob that is there now, and
        // would not be after a power cut.
        for name in try FileSystem.list(path) where name.utf8.count == 2 {
            try FileSystem.syncFolder("\(path)/\(name)")
        }
        try FileSystem.syncFolder(path)
        // Left by a process that was killed inside `store`.
        for name in try FileSystem.list(partialPath) where name.hasSuffix(".tmp") {
            try FileSystem.remove("\(partialPath)/\(name)")
        }
    }

    /// The first folder for uploads that no other process has.
    private static func ownPartialFolder(_ path: String) throws -> (String, FolderClaim) {
        var last: FolderClaim.Held?
        for number in 1...ownersMax {
            let folder = number == 1 ? path + "/partial" : "\(path)/partial-\(number)"
            try FileSystem.makeFolder(folder)
            do {
                return (folder, try FolderClaim(folder: folder, fileName: claimFileName))
            } catch let held as FolderClaim.Held {
                last = held
            }
        }
        throw last!
    }

    // MARK: - Looking up

    /// The file of a complete blob, the external one's included; nil where there is none.
    public func path(of digest: [UInt8]) -> String? {
        let own = completePath(digest)
        return state.withLock { state in
            guard FileSystem.exists(own) else { return state.externals[digest]?.path }
            touch(digest, in: &state)
            return own
        }
    }

    /// nil where the blob is not complete.
    public func byteCount(of digest: [UInt8]) -> UInt64? {
        ownByteCount(digest) ?? state.withLock { $0.externals[digest]?.byteCount }
    }

    /// Where durability counts, to be asked under the lock: without it the folder may not be synced yet.
    private func ownByteCount(_ digest: [UInt8]) -> UInt64? { try? FileSystem.byteCount(of: completePath(digest)) }

    /// A piece of a complete blob; fewer than `count` bytes at its end, none behind it.
    /// - Throws: `BlobError.missing`, `.changed`; `FileError`.
    public func read(_ digest: [UInt8], offset: UInt64, count: Int) throws -> [UInt8] {
        let own = completePath(digest)
        if FileSystem.exists(own) { return try FileSystem.read(own, offset: offset, count: count) }
        guard let external = state.withLock({ $0.externals[digest] }) else {
            throw BlobError.missing(digest: Hexadecimal.text(digest))
        }
        guard try FileSystem.byteCount(of: external.path) == external.byteCount else {
            throw BlobError.changed(digest: Hexadecimal.text(digest), path: external.path)
        }
        return try FileSystem.read(external.path, offset: offset, count: count)
    }

    /// Reads the whole blob and compares. A damaged one is moved to `damaged/` (an external one is forgotten), so
    /// that it is missing from then on.
    /// - Throws: `BlobError.damaged`, `.missing`; `FileError`.
    public func verify(_ digest: [UInt8]) throws {
        guard let file = path(of: digest) else { throw BlobError.missing(digest: Hexadecimal.text(digest)) }
        let own = completePath(digest), before = FileVersion(path: own)
        guard try SHA256.digest(ofFile: file) != digest else {
            return state.withLock { state in
                if file == own, FileVersion(path: own) == before { note(before, digest, in: &state) }
            }
        }
        try setAside(digest)
        throw BlobError.damaged(digest: Hexadecimal.text(digest), path: file)
    }

    /// `verify`, but for a blob that this process has verified already, when it arrived or since, and whose file nobody
    /// has touched: reading it again would find only what has rotted below the file system in between.
    /// - Throws: as `verify`.
    public func verifyOnce(_ digest: [UInt8]) throws {
        let isVerified = state.withLock { state in
            guard let known = state.verified[digest] else { return false }
            return known == FileVersion(path: completePath(digest))
        }
        if !isVerified { try verify(digest) }
    }

    private func note(_ identity: FileVersion?, _ digest: [UInt8], in state: inout State) {
        if state.verified.count >= Self.verifiedMax { state.verified = [:] }
        state.verified[digest] = identity
    }

    /// Says that it is in use, and knows it again afterwards.
    private func touch(_ digest: [UInt8], in state: inout State) {
        let file = completePath(digest), before = state.verified[digest]
        let isKnown = before != nil && before == FileVersion(path: file)
        FileSystem.touch(file)
        if isKnown { state.verified[digest] = FileVersion(path: file) }
    }

    /// For a blob that is known to be damaged: moves it to `damaged/`, forgets an external one.
    /// - Throws: `FileError`.
    public func setAside(_ digest: [UInt8]) throws {
        let file = completePath(digest)
        guard FileSystem.exists(file) else { return state.withLock { $0.externals[digest] = nil } }
        try FileSystem.rename(file, to: "\(path)/damaged/\(Hexadecimal.text(digest))")
        try FileSystem.syncFolder(FileSystem.folder(of: file))
    }

    // MARK: - Uploads

    /// Announces an upload. Returns where to go on: 0, or what has arrived of it before, or `byteCount` when the
    /// blob is complete.
    /// - Throws: `BlobError.wrongSize` when it is complete with another size; `FileError`.
    public func offer(_ digest: [UInt8], byteCount: UInt64) throws -> UInt64 {
        try state.withLock { state in
            if let present = ownByteCount(digest) ?? state.externals[digest]?.byteCount {
                guard present == byteCount else {
                    throw BlobError.wrongSize(digest: Hexadecimal.text(digest), expected: present, found: byteCount)
                }
                touch(digest, in: &state)
                return byteCount
            }
            let upload = try upload(digest, byteCount, in: &state)
            guard upload.byteCount > 0 else {
                try finish(digest, upload, in: &state)
                return 0
            }
            return upload.offset
        }
    }

    /// One piece of an upload that was offered. What has arrived already is skipped, so that two peers may send the
    /// same blob. Returns where to go on; `byteCount` after the last piece, when digest and sync were good.
    /// - Throws: `BlobError.notOffered`, `.gap`, `.wrongSize`; `.damaged` at the last piece: the upload then begins
    ///   anew; `FileError`: what had arrived before the piece is kept.
    public func append(_ digest: [UInt8], offset: UInt64, bytes: [UInt8]) throws -> UInt64 {
        try state.withLock { state in
            guard var upload = state.uploads[digest] else {
                // The other one of two peers was faster.
                if let present = ownByteCount(digest) { return present }
                throw BlobError.notOffered(digest: Hexadecimal.text(digest))
            }
            let (end, overflow) = offset.addingReportingOverflow(UInt64(bytes.count))
            guard !overflow, end <= upload.byteCount else {
                throw BlobError.wrongSize(
                    digest: Hexadecimal.text(digest), expected: upload.byteCount, found: overflow ? .max : end)
            }
            guard offset <= upload.offset else {
                throw BlobError.gap(digest: Hexadecimal.text(digest), expected: upload.offset, found: offset)
            }
            guard end > upload.offset else { return upload.offset }
            state.useCount += 1
            upload.lastUse = state.useCount
            // Out of the table while it changes: the hash inside is then not copied.
            state.uploads[digest] = nil
            // Stays out of it on an error, when hash and file may disagree: the next offer reads the file again.
            try upload.append(bytes, skipping: Int(upload.offset - offset))
            state.uploads[digest] = upload
            if upload.offset == upload.byteCount { try finish(digest, upload, in: &state) }
            return upload.offset
        }
    }

    private func upload(_ digest: [UInt8], _ byteCount: UInt64, in state: inout State) throws -> BlobUpload {
        if let known = state.uploads[digest], known.byteCount == byteCount { return known }
        if state.uploads.count >= Self.uploadsMax,
            let oldest = state.uploads.min(by: { $0.value.lastUse < $1.value.lastUse })
        {
            state.uploads[oldest.key] = nil
        }
        let partial = "\(partialPath)/\(Hexadecimal.text(digest))-\(byteCount)"
        var upload = try BlobUpload(path: partial, byteCount: byteCount)
        state.useCount += 1
        upload.lastUse = state.useCount
        state.uploads[digest] = upload
        // Everything but the last answer had arrived.
        if upload.offset == byteCount && byteCount > 0 { try finish(digest, upload, in: &state) }
        return upload
    }

    private func finish(_ digest: [UInt8], _ upload: BlobUpload, in state: inout State) throws {
        state.uploads[digest] = nil
        guard upload.hash.digest() == digest else {
            try FileSystem.remove(upload.path)
            throw BlobError.damaged(digest: Hexadecimal.text(digest), path: upload.path)
        }
        do throws(FileError) {
            try upload.sync()
        } catch {
            // Never synced twice: the bytes are sent again into a new file.
            try? FileSystem.remove(upload.path)
            throw error
        }
        try land(upload.path, digest, in: &state)
    }

    /// Moves a verified and synced file to its name. Under the lock.
    /// - Throws: then the blob is not there: one whose folder could not be synced might not survive a power cut.
    private func land(_ file: String, _ digest: [UInt8], in state: inout State) throws {
        _ = Failpoint.hit("blob.land.before", detail: path)
        let complete = completePath(digest)
        if FileSystem.exists(complete) { return try FileSystem.remove(file) }
        // Made where it is missing, or removed by somebody; durable when it is there (see `init`).
        try FileSystem.makeFolder(FileSystem.folder(of: complete))
        do {
            try FileSystem.rename(file, to: complete)
        } catch {
            try? FileSystem.remove(complete)
            throw error
        }
        note(FileVersion(path: complete), digest, in: &state)
        _ = Failpoint.hit("blob.land.after", detail: path)
    }

    // MARK: - Other ways in and out

    /// Stores a blob that is in memory. Returns its digest; durable when this returns.
    /// - Throws: `FileError`.
    public func store(_ bytes: [UInt8]) throws -> [UInt8] {
        let digest = SHA256.digest(of: bytes)
        let isThere = state.withLock { state in
            guard ownByteCount(digest) == UInt64(bytes.count) else { return false }
            touch(digest, in: &state)
            return true
        }
        if isThere { return digest }
        let temporary = AtomicFile.temporaryName(for: "\(partialPath)/\(Hexadecimal.text(digest))")
        try AtomicFile.write(bytes, to: temporary, mode: 0o600)
        do {
            try state.withLock { try land(temporary, digest, in: &$0) }
        } catch {
            try? FileSystem.remove(temporary)
            throw error
        }
        return digest
    }

    /// Serves a file where it lies, without a copy. Forgotten when the process ends. Its size is checked at every
    /// read; its bytes are not (the receiver verifies them).
    /// - Throws: `FileError`; `BlobError.wrongSize` when the file has another size.
    public func registerExternal(path: String, digest: [UInt8], byteCount: UInt64) throws {
        let found = try FileSystem.byteCount(of: path)
        guard found == byteCount else {
            throw BlobError.wrongSize(digest: Hexadecimal.text(digest), expected: byteCount, found: found)
        }
        state.withLock { $0.externals[digest] = (path, byteCount) }
    }

    /// Forgets the blob, complete, partial or external (an external file itself stays).
    /// - Throws: `FileError`.
    public func remove(_ digest: [UInt8]) throws {
        let upload = state.withLock { state in
            state.externals[digest] = nil
            state.verified[digest] = nil
            return state.uploads.removeValue(forKey: digest)
        }
        if let upload { try FileSystem.remove(upload.path) }
        try FileSystem.remove(completePath(digest))
    }

    /// For caches: removes complete blobs, the longest unused first, until those left have at most `byteCountMax`
    /// bytes. Those in `keeping` stay. Returns the bytes removed.
    /// - Throws: `FileError`.
    @discardableResult
    public func trim(toByteCount byteCountMax: UInt64, keeping: Set<[UInt8]> = []) throws -> UInt64 {
        let files = try completeFiles()
        var total = files.reduce(0) { $0 + $1.byteCount }, removed: UInt64 = 0
        for file in files.sorted(by: { $0.usedSeconds < $1.usedSeconds }) {
            if total <= byteCountMax { break }
            if keeping.contains(file.digest) { continue }
            try FileSystem.remove(completePath(file.digest))
            total -= file.byteCount
            removed += file.byteCount
        }
        return removed
    }

    /// Removes complete blobs outside `keeping`, and uploads, that nobody has offered or gone on with for so long.
    /// Returns how many files and bytes that were.
    /// - Throws: `FileError`.
    @discardableResult
    public func removeUnused(keeping: Set<[UInt8]>, unusedSeconds: Double) throws -> (count: Int, byteCount: UInt64) {
        var removed: (count: Int, byteCount: UInt64) = (0, 0)
        func removeIfOld(_ path: String) throws -> Bool {
            // Looked at again under the lock: it may have been offered in this moment.
            guard let (byteCount, usedSeconds) = try? status(of: path),
                usedSeconds < WallClock.nowSeconds() - unusedSeconds
            else { return false }
            try FileSystem.remove(path)
            removed = (removed.count + 1, removed.byteCount + byteCount)
            return true
        }
        for file in try completeFiles() where !keeping.contains(file.digest) {
            _ = try state.withLock { _ in try removeIfOld(completePath(file.digest)) }
        }
        for name in try FileSystem.list(partialPath) where name != Self.claimFileName {
            try state.withLock { state in
                // One that goes on writes to its file; one that does not was given up, by a client that went away.
                guard try removeIfOld("\(partialPath)/\(name)") else { return }
                if let digest = Hexadecimal.bytes(String(name.prefix(64))) { state.uploads[digest] = nil }
            }
        }
        return removed
    }

    /// Nothing is in it and no upload of this process is under way.
    public var isEmpty: Bool {
        get throws(FileError) {
            let uploads = try FileSystem.list(partialPath).filter { $0 != Self.claimFileName }
            let complete = try digests()
            return uploads.isEmpty && complete.isEmpty
        }
    }

    /// The digests of all complete blobs in the folder, in order.
    /// - Throws: `FileError`.
    public func digests() throws(FileError) -> [[UInt8]] { try completeFiles().map(\.digest) }

    private struct CompleteFile {
        var digest: [UInt8]
        var byteCount: UInt64
        var usedSeconds: Double
    }

    private func completeFiles() throws(FileError) -> [CompleteFile] {
        var files: [CompleteFile] = []
        for folder in try FileSystem.list(path) where folder.utf8.count == 2 {
            for name in try FileSystem.list("\(path)/\(folder)") where name.utf8.count == 64 {
                // Another process may remove it while this one looks.
                guard let digest = Hexadecimal.bytes(name), let status = try? status(of: completePath(digest)) else {
                    continue
                }
                files.append(CompleteFile(digest: digest, byteCount: status.0, usedSeconds: status.1))
            }
        }
        return files
    }

    private func status(of file: String) throws(FileError) -> (UInt64, Double) {
        (try FileSystem.byteCount(of: file), try FileSystem.modificationSeconds(of: file))
    }

    private func completePath(_ digest: [UInt8]) -> String {
        precondition(digest.count == 32, "a SHA-256 digest has 32 bytes")
        let name = Hexadecimal.text(digest)
        return "\(path)/\(name.prefix(2))/\(name)"
    }
}
