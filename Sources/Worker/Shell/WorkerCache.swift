import Platform
import Protocol

/// A worker's files: blobs by digest, and what recipes prepare from them. Several worker processes may share the
/// folder: blobs land by rename, and two that fetch the same blob write the same bytes.
struct WorkerCache: Sendable {
    let blobs: BlobDirectory
    /// Lent to recipes.
    let preparedPath: String
    private let path: String
    private let byteCountMax: UInt64

    /// - Throws: `FileError`.
    init(path: String, byteCountMax: UInt64) throws {
        try FileSystem.makeFolder(path, isPrivate: true)
        blobs = try BlobDirectory(path: path + "/blobs")
        preparedPath = path + "/prepared"
        try FileSystem.makeFolder(preparedPath)
        (self.path, self.byteCountMax) = (path, byteCountMax)
        removeForgotten()
    }

    /// Transfers that nobody has gone on with for a day, of any process with this cache (`partial-2`, ...), and blobs
    /// found damaged: no `trim` counts them.
    private func removeForgotten() {
        let dayAgo = WallClock.nowSeconds() - 86_400
        let folders = ((try? FileSystem.list(blobs.path)) ?? []).filter { $0.hasPrefix("partial") } + ["damaged"]
        for file in folders.flatMap({ Self.files(under: "\(blobs.path)/\($0)") })
        where file.modifiedSeconds < dayAgo && !file.path.hasSuffix("/\(BlobDirectory.claimFileName)") {
            try? FileSystem.remove(file.path)
        }
    }

    /// How much of a blob lies here. Makes room for the rest, sparing `keeping`.
    func open(_ digest: ContentDigest, byteCount: UInt64, keeping: Set<[UInt8]>) -> WorkerEvent {
        answer(digest) {
            if blobs.path(of: digest.bytes) == nil {
                try blobs.trim(toByteCount: byteCountMax - min(byteCount, byteCountMax), keeping: keeping)
            }
            return try blobs.offer(digest.bytes, byteCount: byteCount)
        }
    }

    func store(_ digest: ContentDigest, offset: UInt64, bytes: [UInt8]) -> WorkerEvent {
        answer(digest) {
            do {
                return try blobs.append(digest.bytes, offset: offset, bytes: bytes)
            } catch let error as FileError where error.isMissing {
                // Another process with this cache fetched the same blob and was faster.
                guard let byteCount = blobs.byteCount(of: digest.bytes) else { throw error }
                return byteCount
            }
        }
    }

    private func answer(_ digest: ContentDigest, _ body: () throws -> UInt64) -> WorkerEvent {
        do {
            return .blobHeld(digest, byteCount: try body())
        } catch BlobError.damaged {
            return .blobDamaged(digest)
        } catch BlobError.wrongSize {
            // Cut, or another blob's: no waiting makes it whole.
            discard(digest)
            return .blobDamaged(digest)
        } catch let error as FileError where error.isDiskFull {
            return .storageFull(digest, full(error.reason))
        } catch {
            return .storageFailed(digest, "the worker's cache at \(path) takes nothing: \(error)")
        }
    }

    private func full(_ reason: String) -> String {
        "the worker's cache at \(path) is full (\(reason)): free some space, the work goes on by itself"
    }

    /// Why so many bytes more would not be taken; nil where they would be, as far as the disk says. A quota tells only
    /// when something is written.
    func obstacle(toTaking byteCount: UInt64) -> String? {
        do {
            guard try FileSystem.freeByteCount(at: path) > byteCount else { return full("too little is free") }
            let trial = "\(path)/trial-\(Machine.processID)"
            defer { try? FileSystem.remove(trial) }
            let count = Int(min(byteCount, UInt64(Limits.blobChunkBytesMax)))
            try AtomicFile.write([UInt8](repeating: 0, count: count), to: trial)
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// Its digest is wrong, or it cannot be read: fetched anew.
    func discard(_ digest: ContentDigest) {
        try? blobs.remove(digest.bytes)
        // What `verify` set aside: nobody looks at it in a cache.
        try? FileSystem.remove("\(blobs.path)/damaged/\(digest)")
    }

    /// A blob that is gone or cannot be read is as bad as a damaged one.
    /// - Parameter isReadAgain: reads the whole file in any case; else only when this process has not done so since the
    ///   file was changed last.
    func isIntact(_ digest: ContentDigest, isReadAgain: Bool) -> Bool {
        do {
            if isReadAgain { try blobs.verify(digest.bytes) } else { try blobs.verifyOnce(digest.bytes) }
            return true
        } catch {
            return false
        }
    }

    /// nil: another process removed it since it was opened.
    func path(of digest: ContentDigest) -> String? { blobs.path(of: digest.bytes) }

    /// Removes the longest unused prepared files above the cache's size. Between two pieces of work.
    func trimPrepared() {
        var files = Self.files(under: preparedPath)
        var total = files.reduce(UInt64(0)) { $0 + $1.byteCount }
        files.sort { ($0.modifiedSeconds, $0.path) < ($1.modifiedSeconds, $1.path) }
        for file in files where total > byteCountMax {
            try? FileSystem.remove(file.path)
            total -= file.byteCount
        }
    }

    private struct PreparedFile {
        var path: String
        var byteCount: UInt64
        var modifiedSeconds: Double
    }

    /// Another process may remove files while this one looks: those are left out.
    private static func files(under folder: String) -> [PreparedFile] {
        var files: [PreparedFile] = []
        var folders = [folder]
        while let next = folders.popLast() {
            for name in (try? FileSystem.list(next)) ?? [] {
                let path = "\(next)/\(name)"
                if FileSystem.isFolder(path) {
                    folders.append(path)
                } else if let byteCount = try? FileSystem.byteCount(of: path),
                    let modified = try? FileSystem.modificationSeconds(of: path)
                {
                    files.append(PreparedFile(path: path, byteCount: byteCount, modifiedSeconds: modified))
                }
            }
        }
        return files
    }
}
