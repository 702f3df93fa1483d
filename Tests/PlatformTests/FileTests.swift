import Glibc
import Platform
import TestSupport
import Testing

@Suite struct FileTests {
    @Test func aWriteReplacesTheFileAndLeavesNothingBeside() throws {
        let folder = try TemporaryFolder()
        try AtomicFile.write("old", to: folder.file("a"))
        try AtomicFile.write("new", to: folder.file("a"))
        #expect(try FileSystem.read(folder.file("a"), byteCountMax: 100) == Array("new".utf8))
        #expect(try FileSystem.list(folder.path) == ["a"])
    }

    /// A failure at any step of a write leaves the old content, and no temporary file.
    @Test(arguments: [
        ("file.open", Failpoint.Action.fail(ENOSPC)), ("file.write", .fail(ENOSPC)), ("file.write", .fail(EIO)),
        ("file.sync", .fail(EIO)), ("file.rename", .fail(EIO)),
    ])
    func aFailedWriteLeavesTheOldFile(name: String, action: Failpoint.Action) throws {
        let folder = try TemporaryFolder()
        try AtomicFile.write("old", to: folder.file("a"))
        Failpoint.set(name, action, detailPart: folder.path)
        defer { Failpoint.clear(name, detailPart: folder.path) }
        #expect(throws: FileError.self) { try AtomicFile.write("new content", to: folder.file("a")) }
        Failpoint.clear(name, detailPart: folder.path)
        #expect(try FileSystem.read(folder.file("a"), byteCountMax: 100) == Array("old".utf8))
        #expect(try FileSystem.list(folder.path) == ["a"])
    }

    @Test func shortAndInterruptedWritesAreCompleted() throws {
        let folder = try TemporaryFolder(), bytes = testBytes(10_000, seed: 2)
        Failpoint.set("file.write", .fail(EINTR), hitNumber: 2, detailPart: folder.path)
        Failpoint.set("file.write", .short, detailPart: folder.path)
        defer { Failpoint.clear("file.write", detailPart: folder.path) }
        try AtomicFile.write(bytes, to: folder.file("a"))
        #expect(try FileSystem.read(folder.file("a"), byteCountMax: 10_000) == bytes)
    }

    @Test func failpointsCountTheirHits() {
        Failpoint.set("test.once", .fail(EIO), hitNumber: 2)
        Failpoint.set("test.lasting", .fail(EIO), hitNumber: 2, isLasting: true)
        #expect((0..<3).map { _ in Failpoint.hit("test.once") } == [.none, .fail(EIO), .none])
        #expect((0..<3).map { _ in Failpoint.hit("test.lasting") } == [.none, .fail(EIO), .fail(EIO)])
        Failpoint.clear("test.once")
        Failpoint.clear("test.lasting")
        #expect(Failpoint.hit("test.lasting") == .none)
    }

    @Test func errorsNameTheFileAndTheRemedy() throws {
        let folder = try TemporaryFolder()
        #expect(FileError(operation: "write", path: "/data/x", code: ENOSPC).description.contains("/data/x"))
        #expect(FileError(operation: "write", path: "/data/x", code: ENOSPC).description.contains("free some space"))
        #expect(FileError(operation: "write", path: "/data/x", code: EDQUOT).isDiskFull)
        #expect(throws: FileError(operation: "open", path: folder.file("none"), code: ENOENT)) {
            try FileSystem.read(folder.file("none"), byteCountMax: 1)
        }
        #expect(throws: FileError(operation: "read", path: folder.path, code: EISDIR)) {
            try FileSystem.read(folder.path, byteCountMax: 1)
        }
        try AtomicFile.write("12345", to: folder.file("a"))
        #expect(throws: FileError(operation: "read", path: folder.file("a"), code: EFBIG)) {
            try FileSystem.read(folder.file("a"), byteCountMax: 4)
        }
    }

    @Test func piecesOfAFileEndWhereItEnds() throws {
        let folder = try TemporaryFolder()
        try AtomicFile.write("12345", to: folder.file("a"))
        #expect(try FileSystem.read(folder.file("a"), offset: 1, count: 3) == Array("234".utf8))
        #expect(try FileSystem.read(folder.file("a"), offset: 3, count: 100) == Array("45".utf8))
        #expect(try FileSystem.read(folder.file("a"), offset: .max, count: 1) == [])
    }

    @Test func foldersAreMadeListedAndRemoved() throws {
        let folder = try TemporaryFolder()
        try FileSystem.makeFolder(folder.file("b/c/d"))
        try FileSystem.makeFolder(folder.file("b/c/d"))
        try FileSystem.makeFolder(folder.file("a"))
        #expect(try FileSystem.list(folder.path) == ["a", "b"])
        #expect(FileSystem.isFolder(folder.file("b/c")))
        try FileSystem.removeTree(folder.file("b"))
        #expect(try FileSystem.list(folder.path) == ["a"])
        try FileSystem.remove(folder.file("missing"))
        #expect(try FileSystem.freeByteCount(at: folder.path) > 0)
        #expect(throws: FileError.self) {
            try AtomicFile.write("x", to: folder.file("file"))
            try FileSystem.makeFolder(folder.file("file/below"))
        }
    }

    /// Somebody may have made it before, for all to look into.
    @Test func aPrivateFolderIsItsOwnersAloneAlsoWhereItWasThereBefore() throws {
        let folder = try TemporaryFolder()
        let modes: [(String, Int?)] = [("new", nil), ("open", 0o755), ("writable", 0o777), ("closed", 0o500)]
        for (name, before) in modes {
            let path = folder.file(name)
            if let before {
                try FileSystem.makeFolder(path)
                chmod(path, mode_t(before))
            }
            try FileSystem.makeFolder(path, isPrivate: true)
            #expect(try FileSystem.mode(of: path) == (name == "closed" ? 0o500 : 0o700))
        }
        try FileSystem.makeFolder(folder.file("above/below"), isPrivate: true)
        #expect(try FileSystem.mode(of: folder.file("above")) & 0o055 != 0)
        #expect(try FileSystem.mode(of: folder.file("above/below")) == 0o700)
    }

    @Test func aFolderOfOthersIsRefusedForSecretsAndLeftAsItIs() throws {
        let folder = try TemporaryFolder(), shared = folder.file("shared"), foreign = folder.file("foreign")
        for path in [shared, foreign] { try FileSystem.makeFolder(path) }
        chmod(shared, 0o1777)
        let refusal = FileError(operation: "keep secrets in", path: shared, code: ENOTUNIQ)
        #expect(throws: refusal) { try FileSystem.makeFolder(shared, isPrivate: true) }
        #expect(refusal.description.contains("choose a folder of your own"))
        #expect(try FileSystem.mode(of: shared) == 0o1777)
        guard isHere(geteuid() == 0, "root, who can give a folder away") else { return }
        chown(foreign, 12_345, 12_345)
        #expect(throws: FileError(operation: "keep secrets in", path: foreign, code: ENOTUNIQ)) {
            try FileSystem.makeFolder(foreign, isPrivate: true)
        }
    }
}
