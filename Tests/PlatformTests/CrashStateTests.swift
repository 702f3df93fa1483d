import Foundation
import Platform
import Testing

extension DiskTrace.Operation {
    /// Without the bytes.
    fileprivate var brief: String {
        guard case .write(let path, let offset, let bytes) = self else { return "\(self)" }
        return "write \(path) \(offset)+\(bytes.count)"
    }
}

/// A disk that remembers what was synced. Built from the operations that were really made; gives every state in which
/// a power cut may leave it.
private struct FakeDisk {
    typealias Operation = DiskTrace.Operation

    /// What is on the disk when only these operations have reached it: the folders and the files.
    struct State: Hashable {
        var folders: Set<String> = []
        var files: [String: [UInt8]] = [:]
    }

    private static func parent(_ path: String) -> String { FileSystem.folder(of: path) }

    /// Which operations nothing has made durable yet. Bytes and length of a file: a later sync of the file. A name: a
    /// later sync of its folder. After a sync that failed no later one helps: the kernel may have dropped what was to
    /// be written, and call the next one good.
    static func volatileIndices(_ operations: [Operation]) -> [Int] {
        operations.indices.filter { index in
            let later = operations[(index + 1)...]
            switch operations[index] {
            case .write(let path, _, _), .truncate(let path): return !isSynced(path, later)
            case .create(let path), .makeFolder(let path), .remove(let path):
                return !isFolderSynced(parent(path), later)
            case .rename(_, let target): return !isFolderSynced(parent(target), later)
            case .sync, .syncFailed, .syncFolder: return false
            }
        }
    }

    private static func isFolderSynced(_ folder: String, _ later: ArraySlice<Operation>) -> Bool {
        later.first { $0 == .syncFolder(folder) || $0 == .syncFailed(folder) } == .syncFolder(folder)
    }

    /// Whether the file that bears this name now is synced later, under whatever name it has then.
    private static func isSynced(_ path: String, _ later: ArraySlice<Operation>) -> Bool {
        var name = path
        for operation in later {
            switch operation {
            case .sync(name): return true
            case .syncFailed(name): return false
            case .rename(name, let target): name = target
            case .remove(name), .create(name): return false
            default: break
            }
        }
        return false
    }

    /// What is there when those at `lost` never reached the disk; a lost write leaves zeros where `zeros` says so (its
    /// length had arrived), else nothing.
    static func state(_ operations: [Operation], from start: State, lost: Set<Int>, zeros: Bool) -> State {
        var folders = start.folders
        // Names point to files, which live on when a name is lost or moved.
        var contents: [[UInt8]] = [], names: [String: Int] = [:]
        var current: [String: Int] = [:]
        for (path, bytes) in start.files {
            names[path] = contents.count
            current[path] = contents.count
            contents.append(bytes)
        }
        for (index, operation) in operations.enumerated() {
            let isKept = !lost.contains(index)
            switch operation {
            case .makeFolder(let path): if isKept { folders.insert(path) }
            case .create(let path):
                current[path] = contents.count
                if isKept { names[path] = contents.count }
                contents.append([])
            case .write(let path, let offset, let bytes):
                guard let file = current[path], isKept || zeros else { continue }
                let end = Int(offset) + bytes.count
                let missing = max(0, end - contents[file].count)
                contents[file] += [UInt8](repeating: 0, count: missing)
                if isKept { contents[file].replaceSubrange(Int(offset)..<end, with: bytes) }
            case .truncate(let path): if isKept, let file = current[path] { contents[file] = [] }
            case .rename(let path, let target):
                guard let file = current.removeValue(forKey: path) else { continue }
                current[target] = file
                guard isKept else { continue }
                if names[path] == file { names[path] = nil }
                names[target] = file
            case .remove(let path):
                let file = current.removeValue(forKey: path)
                if isKept, names[path] == file { names[path] = nil }
            case .sync, .syncFailed, .syncFolder: break
            }
        }
        let files = names.filter { folders.contains(parent($0.key)) }.mapValues { contents[$0] }
        return State(folders: folders, files: files)
    }

    /// All states after any number of the operations with up to three of the volatile ones lost, each once.
    /// - Parameter body: gets how many operations had been made.
    static func forEachCrash(
        _ operations: [Operation], from start: State, _ body: (_ made: Int, State) throws -> Void
    ) rethrows -> Int {
        var count = 0
        for made in 0...operations.count {
            let prefix = Array(operations[..<made]), volatile = volatileIndices(prefix)
            var seen: Set<State> = []
            for lost in subsets(volatile, countMax: 3) {
                for zeros in [false, true] {
                    let state = state(prefix, from: start, lost: lost, zeros: zeros)
                    guard seen.insert(state).inserted else { continue }
                    count += 1
                    try body(made, state)
                }
            }
        }
        return count
    }

    private static func subsets(_ items: [Int], countMax: Int) -> [Set<Int>] {
        var all: [Set<Int>] = [[]]
        for item in items { all += all.filter { $0.count < countMax }.map { $0.union([item]) } }
        return all
    }

    /// Makes it real in a folder that stands for the one in which the operations were made.
    static func write(_ state: State, replacing original: String, by folder: String) throws {
        try FileSystem.removeTree(folder)
        func moved(_ path: String) -> String { folder + path.dropFirst(original.count) }
        for path in state.folders.sorted() {
            try FileManager.default.createDirectory(atPath: moved(path), withIntermediateDirectories: true)
        }
        for (path, bytes) in state.files {
            guard FileManager.default.createFile(atPath: moved(path), contents: Data(bytes)) else {
                throw CocoaError(.fileWriteUnknown)
            }
        }
    }

    /// What lies in a folder, as a state in which all is durable.
    static func read(_ folder: String) throws -> State {
        var state = State(folders: [folder])
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder) {
            let path = "\(folder)/\(name)"
            if FileSystem.isFolder(path) {
                state.folders.insert(path)
            } else {
                state.files[path] = try FileSystem.read(path, byteCountMax: 1 << 20)
            }
        }
        return state
    }
}

/// After a power cut at any moment the old or the new is there, and what was acknowledged is there.
@Suite struct CrashStateTests {
    private let folder: TemporaryFolder
    private let old = testBytes(9_000, seed: 1), new = testBytes(9_000, seed: 2)

    init() throws { folder = try TemporaryFolder() }

    private var place: String { folder.file("disk") }
    private var copy: String { folder.file("copy") }

    private func upload(_ bytes: [UInt8], to blobs: BlobDirectory) throws {
        let digest = SHA256.digest(of: bytes)
        var offset = Int(try blobs.offer(digest, byteCount: UInt64(bytes.count)))
        while offset < bytes.count {
            let end = min(offset + 4_000, bytes.count)
            offset = Int(try blobs.append(digest, offset: UInt64(offset), bytes: Array(bytes[offset..<end])))
        }
    }

    /// The blob is whole, or not there, or found damaged; never wrong.
    private func isWhole(_ bytes: [UInt8], in blobs: BlobDirectory) throws -> Bool {
        let digest = SHA256.digest(of: bytes)
        guard blobs.path(of: digest) != nil, (try? blobs.verify(digest)) != nil else { return false }
        return try blobs.read(digest, offset: 0, count: 1 << 20) == bytes
    }

    @Test func aFileIsOldOrNewAfterAnyPowerCut() throws {
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        try AtomicFile.write(old, to: place + "/file")
        let start = try FakeDisk.read(place)
        let operations = try DiskTrace.record(under: place) { try AtomicFile.write(new, to: place + "/file") }
        var found: Set<[UInt8]> = []
        let count = FakeDisk.forEachCrash(operations, from: start) { made, state in
            let content = state.files[place + "/file"]
            #expect(content == new || made < operations.count && content == old, "after \(made) operations")
            found.insert(content ?? [])
        }
        #expect(found.count == 2 && count > operations.count)
    }

    /// The same for a checkpoint: the one before is always there, the new one is whole or missing, and after its
    /// acknowledgement (the last operation) it is whole.
    @Test(arguments: [false, true])
    func aCheckpointIsWholeOrMissingAfterAnyPowerCut(isFirstOfItsFolder: Bool) throws {
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        if !isFirstOfItsFolder { _ = try BlobDirectory(path: place + "/blobs").store(old) }
        let start = try FakeDisk.read(place)
        let operations = try DiskTrace.record(under: place) {
            let blobs = try BlobDirectory(path: place + "/blobs")
            if isFirstOfItsFolder { _ = try blobs.store(old) }
            try upload(new, to: blobs)
        }
        let oldFolder = DiskTrace.Operation.syncFolder("\(place)/blobs/\(prefix(old))")
        let oldIsThere = isFirstOfItsFolder ? 1 + operations.firstIndex(of: oldFolder)! : 0
        var wholeCount = 0
        let count = try FakeDisk.forEachCrash(operations, from: start) { made, state in
            try FakeDisk.write(state, replacing: place, by: copy)
            let blobs = try BlobDirectory(path: copy + "/blobs")
            let oldIsWhole = try isWhole(old, in: blobs), newIsWhole = try isWhole(new, in: blobs)
            #expect(oldIsWhole || made < oldIsThere, "after \(made) of \(operations.map(\.brief))")
            #expect(newIsWhole || made < operations.count, "after \(made) of \(operations.map(\.brief))")
            if newIsWhole { wholeCount += 1 }
            // Whatever is left, sending it again ends well.
            do { try upload(new, to: blobs) } catch is BlobError { try upload(new, to: blobs) }
            #expect(try isWhole(new, in: blobs))
        }
        #expect(wholeCount > 0 && wholeCount < count)
    }

    private func prefix(_ bytes: [UInt8]) -> Substring { Hexadecimal.text(SHA256.digest(of: bytes)).prefix(2) }

    /// Killed at any moment, started again, the checkpoint offered again and acknowledged; then the power goes.
    @Test func whatARestartAcknowledgesSurvivesAPowerCut() throws {
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        let start = try FakeDisk.read(place)
        let first = try DiskTrace.record(under: place) {
            try upload(new, to: try BlobDirectory(path: place + "/blobs"))
        }
        for killedAfter in 0...first.count {
            let before = Array(first[..<killedAfter])
            // A killed process loses nothing that it has done; the kernel holds it.
            try FakeDisk.write(
                FakeDisk.state(before, from: start, lost: [], zeros: false), replacing: place, by: place)
            let second = try DiskTrace.record(under: place) {
                let blobs = try BlobDirectory(path: place + "/blobs")
                do { try upload(new, to: blobs) } catch is BlobError { try upload(new, to: blobs) }
            }
            let all = before + second
            for lost in FakeDisk.volatileIndices(all) {
                let state = FakeDisk.state(all, from: start, lost: [lost], zeros: false)
                try FakeDisk.write(state, replacing: place, by: copy)
                let blobs = try BlobDirectory(path: copy + "/blobs")
                #expect(
                    try isWhole(new, in: blobs),
                    "killed after \(killedAfter), number \(lost) was lost: \(all.map(\.brief))")
            }
        }
    }

    /// Every error at every call: nothing crashes, the old checkpoint is there, the new one is whole or missing, a file
    /// whose sync failed is not synced again; when the trouble is over it goes on.
    @Test(arguments: [
        ("file.open", [EACCES, EMFILE, EIO, ENOSPC]), ("file.write", [ENOSPC, EIO, EINTR]), ("file.read", [EIO, EINTR]),
        ("file.sync", [EIO, ENOSPC]), ("file.rename", [EIO, ENOSPC]), ("folder.sync", [EIO]),
    ])
    func everyFailureAtEveryCallLeavesTheOldCheckpoint(site: String, codes: [Int32]) throws {
        let actions = codes.map(Failpoint.Action.fail) + (site == "file.write" ? [.short] : [])
        for action in actions {
            for hit in 1... {
                try FileSystem.removeTree(place)
                _ = try BlobDirectory(path: place + "/blobs").store(old)
                guard try failOnce(site, action, hit) else {
                    // Were the place called otherwise, nothing would have failed.
                    #expect(hit > 1, "\(site) was never passed")
                    break
                }
                precondition(hit < 1000, "\(site) is passed for ever")
            }
        }
    }

    /// - Returns: whether the place was passed so often.
    private func failOnce(_ site: String, _ action: Failpoint.Action, _ hit: Int) throws -> Bool {
        let start = try FakeDisk.read(place)
        Failpoint.set(site, action, hitNumber: hit, detailPart: place)
        var hasFailed = false
        let operations = try DiskTrace.record(under: place) {
            // The same process goes on, and says in the end that it has the checkpoint.
            var blobs: BlobDirectory?
            for attempt in 0..<4 {
                do {
                    blobs = try blobs ?? BlobDirectory(path: place + "/blobs")
                    try upload(new, to: blobs!)
                    break
                } catch {
                    hasFailed = true
                    if attempt == 3 { throw error }
                }
            }
            do { _ = try blobs!.store(testBytes(500, seed: 3)) } catch { hasFailed = true }
        }
        let wasPassed = Failpoint.hitCount(site, detailPart: place) >= hit
        Failpoint.clear(site, detailPart: place)
        #expect(!hasFailed || wasPassed)
        expectNoSecondSync(operations)
        expectAcknowledgedIsDurable(operations, from: start)
        let blobs = try BlobDirectory(path: place + "/blobs")
        #expect(try isWhole(old, in: blobs), "\(site) \(action) at \(hit)")
        #expect(try isWhole(new, in: blobs))
        #expect(try FileSystem.list(place + "/blobs/damaged").isEmpty)
        return wasPassed
    }

    /// The checkpoint that was said to be there in the end is there whatever a power cut undoes.
    private func expectAcknowledgedIsDurable(_ operations: [DiskTrace.Operation], from start: FakeDisk.State) {
        let digest = SHA256.digest(of: new), path = "\(place)/blobs/\(prefix(new))/\(Hexadecimal.text(digest))"
        for lost in FakeDisk.volatileIndices(operations) {
            let state = FakeDisk.state(operations, from: start, lost: [lost], zeros: false)
            let isThere = state.files[path] == new
            #expect(isThere, "number \(lost) was lost: \(operations.map(\.brief))")
        }
    }

    private func expectNoSecondSync(_ operations: [DiskTrace.Operation]) {
        for (index, operation) in operations.enumerated() {
            guard case .syncFailed(let path) = operation, !FileSystem.isFolder(path) else { continue }
            for later in operations[(index + 1)...] {
                if later == .create(path) { break }
                #expect(later != .sync(path), "\(path) was synced again after a failed sync")
                if case .rename(path, _) = later { Issue.record("\(path) was used after a failed sync") }
            }
        }
    }

    /// One bit of each byte of a checkpoint of 64 KiB; every byte with QUINTET_FULL_SIZE set, else every 16th. By the
    /// way that every load goes: the blob is set aside by name and is not there any more.
    @Test func aRottenByteIsFoundWhereverItIs() throws {
        let bytes = testBytes(65_536, seed: 4)
        let blobs = try BlobDirectory(path: folder.file("rotten"))
        let digest = try blobs.store(bytes)
        let path = try #require(blobs.path(of: digest))
        let aside = "\(blobs.path)/damaged/\(Hexadecimal.text(digest))"
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        let isFull = ProcessInfo.processInfo.environment["QUINTET_FULL_SIZE"] != nil
        var foundCount = 0
        let places = Array(stride(from: 0, to: bytes.count, by: isFull ? 1 : 16))
        for place in places {
            try file.seek(toOffset: UInt64(place))
            try file.write(contentsOf: [bytes[place] ^ UInt8(1 << (place / 16 % 8))])
            do {
                try blobs.verify(digest)
            } catch BlobError.damaged {
                if blobs.byteCount(of: digest) == nil, FileSystem.exists(aside) { foundCount += 1 }
            }
            try file.seek(toOffset: UInt64(place))
            try file.write(contentsOf: [bytes[place]])
            try FileSystem.rename(aside, to: path)
        }
        #expect(foundCount == places.count)
        try blobs.verify(digest)
        #expect(try blobs.read(digest, offset: 0, count: bytes.count) == bytes)
    }

    /// A checkpoint that is cut is found by its size, without reading it; it stays for whoever wants to know why.
    @Test func whatIsKnownToBeDamagedIsSetAsideByName() throws {
        let blobs = try BlobDirectory(path: folder.file("cut"))
        let digest = try blobs.store(testBytes(5_000, seed: 5))
        let path = try #require(blobs.path(of: digest))
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        try file.truncate(atOffset: 100)
        try blobs.setAside(digest)
        #expect(blobs.byteCount(of: digest) == nil)
        #expect(try FileSystem.byteCount(of: "\(blobs.path)/damaged/\(Hexadecimal.text(digest))") == 100)
        try blobs.setAside(digest)
    }
}
