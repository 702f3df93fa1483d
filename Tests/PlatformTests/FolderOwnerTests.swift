import Glibc
import Platform
import Testing

/// Who owns a folder, where file locks work and where they do not.
@Suite struct FolderOwnerTests {
    /// Lets flock answer as NFS without a lock manager does, for files of this folder.
    private static func refuseLocks(in folder: String) {
        Failpoint.set("file.lock", .fail(ENOLCK), detailPart: folder)
    }

    @Test func aFolderHasOneOwner() throws {
        let folder = try TemporaryFolder()
        var first: FolderLock? = try FolderLock(folder: folder.path)
        #expect(throws: FolderLock.Held.self) { try FolderLock(folder: folder.path) }
        withExtendedLifetime(first) {}
        first = nil
        #expect(throws: Never.self) { try FolderLock(folder: folder.path) }
    }

    @Test func aStateFolderWithoutLocksIsRefusedByNameBeforeAnythingIsWritten() throws {
        let folder = try TemporaryFolder()
        Self.refuseLocks(in: folder.path)
        let error = #expect(throws: LockingUnsupported.self) { try FolderLock(folder: folder.path) }
        let text = "\(try #require(error))"
        let words = [folder.path, "file locks do not work", "No locks available", "NFS", "--state DIR on a local disk"]
        for word in words {
            #expect(text.contains(word), "\(text)")
        }
        #expect(try FileSystem.list(folder.path).isEmpty)
    }

    @Test func eachKindOfLockMustBeGrantedAndExcludeOthers() throws {
        let folder = try TemporaryFolder()
        func finding(_ calls: FileLocks.Calls) throws -> String? {
            do {
                try FileLocks.check(folder: folder.path, calls: calls)
                return nil
            } catch let error as LockingUnsupported {
                return error.finding
            }
        }
        #expect(try finding(.init()) == nil)
        for code in [ENOLCK, ENOSYS, EOPNOTSUPP] {
            let text = String(cString: strerror(code))
            let fails: (Int32) -> Int32 = { code in
                errno = code
                return -1
            }
            #expect(try finding(.init(flock: { _, _ in fails(code) })) == "flock: \(text)")
            #expect(try finding(.init(fcntl: { _, _, _ in fails(code) })) == "fcntl: \(text)")
        }
        // Granted to everybody.
        #expect(try finding(.init(flock: { _, _ in 0 })) == "flock lets a second one in")
        #expect(try finding(.init(fcntl: { _, _, _ in 0 })) == "fcntl lets a second one in")
        #expect(try FileSystem.list(folder.path).isEmpty)
    }

    @Test(arguments: [false, true])
    func aClaimKeepsOthersOutSaysWhoHasItAndGoesWithItsOwner(locksWork: Bool) throws {
        let folder = try TemporaryFolder()
        if !locksWork { Self.refuseLocks(in: folder.path) }
        var first: FolderClaim? = try FolderClaim(folder: folder.path)
        let held = try #require(#expect(throws: FolderClaim.Held.self) { try FolderClaim(folder: folder.path) })
        let since = WallClock.nowText().prefix(10)
        #expect("\(held)".hasPrefix(
            "\(folder.path) is in use by process \(getpid()) on \(Machine.hostName), since \(since)"))
        #expect("\(held)".contains("wait until it has ended, or choose another folder"))
        // This machine's processes can be asked.
        #expect(!"\(held)".contains("remove"))
        #expect(throws: Never.self) { try FolderClaim(folder: folder.path, fileName: "other") }
        withExtendedLifetime(first) {}
        first = nil
        #expect(try FileSystem.list(folder.path).isEmpty)
        #expect(throws: Never.self) { try FolderClaim(folder: folder.path) }
    }

    @Test(arguments: ["with-locks", "without"])
    func whatAKilledProcessLeavesHoldsNobody(kind: String) async throws {
        let path = "/tmp/quintet-test-claim-\(getpid())-\(kind)"
        try FileSystem.makeFolder(path)
        defer { try? FileSystem.removeTree(path) }
        // The parts of the path are made there again: nothing is handed to a process of its own.
        if kind == "with-locks" {
            await #expect(processExitsWith: .signal(SIGKILL)) {
                let claim = try FolderClaim(folder: "/tmp/quintet-test-claim-\(getppid())-with-locks")
                withExtendedLifetime(claim) { _ = kill(getpid(), SIGKILL) }
            }
        } else {
            await #expect(processExitsWith: .signal(SIGKILL)) {
                let path = "/tmp/quintet-test-claim-\(getppid())-without"
                FolderOwnerTests.refuseLocks(in: path)
                let claim = try FolderClaim(folder: path)
                withExtendedLifetime(claim) { _ = kill(getpid(), SIGKILL) }
            }
            Self.refuseLocks(in: path)
        }
        #expect(try FileSystem.list(path) == ["in-use"])
        #expect(throws: Never.self) { try FolderClaim(folder: path) }
        #expect(try FileSystem.list(path).isEmpty)
    }

    /// A claim's file whose lines were changed as `edit` says.
    private func note(in folder: TemporaryFolder, edit: (inout [String]) -> Void) throws {
        let claim = try FolderClaim(folder: folder.path)
        var lines = try FileSystem.readText(folder.file("in-use"), byteCountMax: 4096).split(separator: "\n")
            .map(String.init)
        withExtendedLifetime(claim) {}
        edit(&lines)
        try AtomicFile.write(lines.joined(separator: "\n") + "\n", to: folder.file("in-use"))
    }

    @Test func withoutLocksOnlyWhatIsCertainlyGoneIsTakenOver() throws {
        /// Host, number, boot and namespace, start, since, kind: the lines 1 to 6.
        func isTaken(_ edit: (inout [String]) -> Void) throws -> String? {
            let folder = try TemporaryFolder()
            Self.refuseLocks(in: folder.path)
            try note(in: folder, edit: edit)
            do {
                _ = try FolderClaim(folder: folder.path)
                return nil
            } catch let error as FolderClaim.Held {
                return error.description
            }
        }
        // Alive: this very process.
        #expect(try isTaken { _ in }?.contains("since") == true)
        // Its number is another's by now.
        #expect(try isTaken { $0[4] = "1" } == nil)
        // The machine has started anew since.
        #expect(try isTaken { $0[3] = "00000000-0000-0000-0000-000000000000/pid:[1]" } == nil)
        // Another machine, and another container of this one: nothing can be known.
        let elsewhere = try isTaken { $0[1] = "lab7" }
        #expect(elsewhere?.contains("on lab7") == true)
        let container = try isTaken { $0[3] = $0[3].prefix { $0 != "/" } + "/pid:[1]" }
        #expect(container?.contains("if it has ended, remove") == true, "\(container ?? "taken")")
    }

    /// The kernel has given the lock, so its last owner is gone; unless the file says that there was none.
    @Test func aLockIsBelievedWhereTheOwnerHadOne() throws {
        let locked = try TemporaryFolder()
        try note(in: locked) { $0[1] = "lab7" }
        #expect(throws: Never.self) { try FolderClaim(folder: locked.path) }
        let unlocked = try TemporaryFolder()
        try note(in: unlocked) { ($0[1], $0[6]) = ("lab7", "without locks") }
        #expect(throws: FolderClaim.Held.self) { try FolderClaim(folder: unlocked.path) }
    }

    @Test(arguments: [false, true])
    func ofManyAtOnceOneGetsIt(locksWork: Bool) async throws {
        let folder = try TemporaryFolder()
        if !locksWork { Self.refuseLocks(in: folder.path) }
        // Something to take over, too.
        try note(in: folder) { $0[4] = "1" }
        let claims = await withTaskGroup(of: FolderClaim?.self) { group in
            for _ in 0..<16 { group.addTask { try? FolderClaim(folder: folder.path) } }
            return await group.reduce(into: [FolderClaim]()) { if let claim = $1 { $0.append(claim) } }
        }
        #expect(claims.count == 1)
        let names = try withExtendedLifetime(claims) { try FileSystem.list(folder.path) }
        #expect(names == ["in-use"])
    }
}
