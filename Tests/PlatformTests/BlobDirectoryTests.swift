import Glibc
import Platform
import Testing

/// As a peer does it: goes on where the answer says.
private func upload(_ bytes: [UInt8], to blobs: BlobDirectory) throws {
    let digest = SHA256.digest(of: bytes), count = UInt64(bytes.count)
    var offset = try blobs.offer(digest, byteCount: count)
    while offset < count {
        let end = min(bytes.count, Int(offset) + 7000)
        offset = try blobs.append(digest, offset: offset, bytes: Array(bytes[Int(offset)..<end]))
    }
}

@Suite struct BlobDirectoryTests {
    private let folder: TemporaryFolder
    private let blobs: BlobDirectory
    private let bytes = testBytes(100_000, seed: 3)
    private let digest: [UInt8]

    init() throws {
        folder = try TemporaryFolder()
        blobs = try BlobDirectory(path: folder.file("blobs"))
        digest = SHA256.digest(of: bytes)
    }

    private func send(_ range: Range<Int>, to blobs: BlobDirectory) throws -> UInt64 {
        try blobs.append(digest, offset: UInt64(range.lowerBound), bytes: Array(bytes[range]))
    }

    /// Uploads that have not ended.
    private func partialNames(_ folder: String) throws -> [String] {
        try FileSystem.list("\(blobs.path)/\(folder)").filter { $0 != "lock" }
    }

    private var completePath: String {
        let name = Hexadecimal.text(digest)
        return "\(blobs.path)/\(name.prefix(2))/\(name)"
    }

    @Test func anUploadInPiecesBecomesABlob() throws {
        #expect(try blobs.offer(digest, byteCount: 100_000) == 0)
        #expect(try send(0..<40_000, to: blobs) == 40_000)
        #expect(blobs.path(of: digest) == nil)
        #expect(throws: BlobError.self) { try blobs.read(digest, offset: 0, count: 1) }
        #expect(try send(40_000..<100_000, to: blobs) == 100_000)
        #expect(blobs.path(of: digest) == completePath)
        #expect(blobs.byteCount(of: digest) == 100_000)
        #expect(try blobs.read(digest, offset: 99_000, count: 5000) == Array(bytes[99_000...]))
        #expect(try blobs.offer(digest, byteCount: 100_000) == 100_000)
        #expect(try partialNames("partial") == [])
        #expect(try blobs.digests() == [digest])
    }

    /// Patients' images: nobody else reads them, wherever the folder lies.
    @Test func blobsAreTheirOwnersAlone() throws {
        _ = try blobs.offer(digest, byteCount: 100_000)
        _ = try send(0..<40_000, to: blobs)
        #expect(try FileSystem.mode(of: "\(blobs.path)/partial/\(Hexadecimal.text(digest))-100000") == 0o600)
        _ = try send(40_000..<100_000, to: blobs)
        #expect(try FileSystem.mode(of: completePath) == 0o600)
        let stored = Hexadecimal.text(try blobs.store([1, 2, 3]))
        #expect(try FileSystem.mode(of: "\(blobs.path)/\(stored.prefix(2))/\(stored)") == 0o600)
    }

    /// Who can write into the folder for a moment leads no upload elsewhere.
    @Test func anUploadFollowsNoLink() throws {
        let victim = folder.file("victim")
        try AtomicFile.write("precious", to: victim)
        symlink(victim, "\(blobs.path)/partial/\(Hexadecimal.text(digest))-100000")
        #expect(throws: FileError.self) { try blobs.offer(digest, byteCount: 100_000) }
        #expect(throws: BlobError.self) { try send(0..<40_000, to: blobs) }
        #expect(try FileSystem.readText(victim, byteCountMax: 100) == "precious")
    }

    @Test func anUploadGoesOnAfterARestart() throws {
        var before: BlobDirectory? = try BlobDirectory(path: folder.file("restarted"))
        _ = try before?.offer(digest, byteCount: 100_000)
        _ = try send(0..<70_000, to: #require(before))
        before = nil
        let restarted = try BlobDirectory(path: folder.file("restarted"))
        #expect(throws: BlobError.notOffered(digest: Hexadecimal.text(digest))) {
            try send(70_000..<80_000, to: restarted)
        }
        #expect(try restarted.offer(digest, byteCount: 100_000) == 70_000)
        #expect(try send(70_000..<100_000, to: restarted) == 100_000)
        try restarted.verify(digest)
    }

    @Test func everythingButTheLastAnswerMayBeLost() throws {
        // As if the process had died between the last write and the rename.
        try AtomicFile.write(bytes, to: "\(blobs.path)/partial/\(Hexadecimal.text(digest))-100000")
        #expect(try blobs.offer(digest, byteCount: 100_000) == 100_000)
        #expect(blobs.path(of: digest) != nil)
    }

    @Test func twoOwnersOfAFolderDoNotWriteTheSameUpload() throws {
        let other = try BlobDirectory(path: blobs.path)
        _ = try blobs.offer(digest, byteCount: 100_000)
        _ = try send(0..<70_000, to: blobs)
        #expect(try other.offer(digest, byteCount: 100_000) == 0)
        #expect(try send(0..<100_000, to: other) == 100_000)
        #expect(try send(70_000..<100_000, to: blobs) == 100_000)
        try blobs.verify(digest)
    }

    @Test func gapsAndExcessAreRefusedAndRepeatsAreNot() throws {
        _ = try blobs.offer(digest, byteCount: 100_000)
        #expect(throws: BlobError.gap(digest: Hexadecimal.text(digest), expected: 0, found: 1)) {
            try send(1..<2, to: blobs)
        }
        #expect(try send(0..<50_000, to: blobs) == 50_000)
        #expect(try send(0..<50_000, to: blobs) == 50_000)
        #expect(try send(30_000..<60_000, to: blobs) == 60_000)
        #expect(throws: BlobError.self) {
            try blobs.append(digest, offset: 60_000, bytes: .init(repeating: 0, count: 40_001))
        }
        #expect(throws: BlobError.self) { try blobs.append(digest, offset: .max, bytes: [1]) }
        #expect(try send(60_000..<100_000, to: blobs) == 100_000)
        #expect(try send(60_000..<100_000, to: blobs) == 100_000)
        #expect(throws: BlobError.self) { try blobs.offer(digest, byteCount: 99_999) }
    }

    @Test func aDamagedUploadBeginsAnew() throws {
        _ = try blobs.offer(digest, byteCount: 100_000)
        var damaged = bytes
        damaged[5] ^= 1
        #expect(throws: BlobError.self) { try blobs.append(digest, offset: 0, bytes: damaged) }
        #expect(blobs.path(of: digest) == nil)
        #expect(try blobs.offer(digest, byteCount: 100_000) == 0)
        #expect(try send(0..<100_000, to: blobs) == 100_000)
    }

    @Test func aFullDiskKeepsWhatHadArrived() throws {
        _ = try blobs.offer(digest, byteCount: 100_000)
        _ = try send(0..<30_000, to: blobs)
        Failpoint.set("file.write", .fail(ENOSPC), detailPart: blobs.path)
        #expect(throws: FileError.self) { try send(30_000..<60_000, to: blobs) }
        Failpoint.clear("file.write", detailPart: blobs.path)
        #expect(try blobs.offer(digest, byteCount: 100_000) == 30_000)
        #expect(try send(30_000..<100_000, to: blobs) == 100_000)
        try blobs.verify(digest)
    }

    @Test func aBlobWhoseSyncFailedIsSentAgain() throws {
        _ = try blobs.offer(digest, byteCount: 100_000)
        Failpoint.set("file.sync", .fail(EIO), detailPart: blobs.path)
        #expect(throws: FileError.self) { try send(0..<100_000, to: blobs) }
        Failpoint.clear("file.sync", detailPart: blobs.path)
        #expect(blobs.path(of: digest) == nil)
        #expect(try blobs.offer(digest, byteCount: 100_000) == 0)
    }

    /// Whoever writes to a file leaves a trace, even where it sets the time back. (Only a fault below the file system
    /// does not: docs/RELIABILITY.md.)
    @Test func whatWasVerifiedIsReadAgainWhenItsFileHasChanged() throws {
        try upload(bytes, to: blobs)
        try blobs.verifyOnce(digest)
        var before = stat()
        #expect(stat(completePath, &before) == 0)
        // The kernel's clock of files is coarse.
        usleep(50_000)
        let file = open(completePath, O_WRONLY)
        #expect(pwrite(file, [bytes[77] ^ 1], 1, 77) == 1)
        #expect(futimens(file, [before.st_atim, before.st_mtim]) == 0)
        close(file)
        #expect(throws: BlobError.damaged(digest: Hexadecimal.text(digest), path: completePath)) {
            try blobs.verifyOnce(digest)
        }
    }

    /// It is known again after it was in use; another process, or this one after a restart, knows nothing.
    @Test func aBlobIsReadOnceByAProcess() throws {
        try upload(bytes, to: blobs)
        #expect(blobs.path(of: digest) != nil)
        #expect(try blobs.offer(digest, byteCount: 100_000) == 100_000)
        Failpoint.set("file.read", .fail(EIO), detailPart: completePath)
        try blobs.verifyOnce(digest)
        #expect(throws: FileError.self) { try blobs.verify(digest) }
        let restarted = try BlobDirectory(path: blobs.path)
        #expect(throws: FileError.self) { try restarted.verifyOnce(digest) }
        Failpoint.clear("file.read", detailPart: completePath)
        try restarted.verifyOnce(digest)
        Failpoint.set("file.read", .fail(EIO), detailPart: completePath)
        try restarted.verifyOnce(digest)
        Failpoint.clear("file.read", detailPart: completePath)
    }

    @Test func storedBytesAreABlobAndBitRotIsSetAside() throws {
        #expect(try blobs.store(bytes) == digest)
        #expect(try blobs.store(bytes) == digest)
        #expect(try partialNames("partial") == [])
        try blobs.verify(digest)
        var rotten = bytes
        rotten[99_999] ^= 0x10
        try AtomicFile.write(rotten, to: completePath)
        #expect(throws: BlobError.damaged(digest: Hexadecimal.text(digest), path: completePath)) {
            try blobs.verify(digest)
        }
        #expect(blobs.path(of: digest) == nil)
        #expect(try FileSystem.list(blobs.path + "/damaged") == [Hexadecimal.text(digest)])
    }

    /// Eight senders of the same blob and of one of their own each, over two values of the same folder.
    @Test func manyMaySendAtTheSameMoment() async throws {
        let blobs = [blobs, try BlobDirectory(path: blobs.path)], shared = bytes
        let own = (0..<8).map { testBytes(50_000, seed: UInt64(100 + $0)) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for sender in 0..<8 {
                group.addTask {
                    for bytes in [shared, own[sender]] { try upload(bytes, to: blobs[sender % 2]) }
                }
            }
            try await group.waitForAll()
        }
        for bytes in own + [shared] { try blobs[0].verify(SHA256.digest(of: bytes)) }
        #expect(try blobs[0].digests().count == 9)
        #expect(try partialNames("partial") == [] && partialNames("partial-2") == [])
    }

    @Test func anEmptyBlobIsABlob() throws {
        let empty = SHA256.digest(of: [])
        #expect(try blobs.offer(empty, byteCount: 0) == 0)
        #expect(blobs.path(of: empty) != nil)
        #expect(try blobs.read(empty, offset: 0, count: 10) == [])
    }

    @Test func anExternalFileIsServedInPlaceWhileItKeepsItsSize() throws {
        let file = folder.file("ct.nii")
        try AtomicFile.write(bytes, to: file)
        #expect(throws: BlobError.self) { try blobs.registerExternal(path: file, digest: digest, byteCount: 1) }
        try blobs.registerExternal(path: file, digest: digest, byteCount: 100_000)
        #expect(blobs.path(of: digest) == file)
        #expect(try blobs.read(digest, offset: 10, count: 10) == Array(bytes[10..<20]))
        #expect(try blobs.offer(digest, byteCount: 100_000) == 100_000)
        try AtomicFile.write("short", to: file)
        #expect(throws: BlobError.changed(digest: Hexadecimal.text(digest), path: file)) {
            try blobs.read(digest, offset: 0, count: 10)
        }
        #expect(throws: BlobError.self) { try blobs.verify(digest) }
        #expect(blobs.path(of: digest) == nil)
    }

    @Test func trimmingRemovesTheLongestUnused() throws {
        let stored = try (0..<4).map { try blobs.store(testBytes(1000, seed: UInt64(10 + $0))) }
        // The first one longest ago, then the others in their order; then it is used.
        for (index, digest) in stored.enumerated() {
            let time = timespec(tv_sec: 1_000_000 + index, tv_nsec: 0), path = try #require(blobs.path(of: digest))
            #expect(utimensat(AT_FDCWD, path, [time, time], 0) == 0)
        }
        #expect(blobs.path(of: stored[0]) != nil)
        #expect(try blobs.trim(toByteCount: 2500, keeping: [stored[1]]) == 2000)
        #expect(stored.map { blobs.byteCount(of: $0) != nil } == [true, true, false, false])
        try blobs.remove(stored[0])
        #expect(blobs.path(of: stored[0]) == nil)
    }

    /// Whoever sent it has gone away; the process that took it in lives on.
    @Test func anUploadThatWasGivenUpGoesAndCanBeginAnew() throws {
        _ = try blobs.offer(digest, byteCount: UInt64(bytes.count))
        #expect(try send(0..<7_000, to: blobs) == 7_000)
        #expect(try blobs.removeUnused(keeping: [], unusedSeconds: 60).count == 0)
        #expect(try partialNames("partial").count == 1)
        #expect(try blobs.removeUnused(keeping: [], unusedSeconds: -60).count == 1)
        #expect(try partialNames("partial").isEmpty)
        #expect(try blobs.offer(digest, byteCount: UInt64(bytes.count)) == 0)
        try upload(bytes, to: blobs)
        #expect(try blobs.read(digest, offset: 0, count: bytes.count) == bytes)
    }
}
