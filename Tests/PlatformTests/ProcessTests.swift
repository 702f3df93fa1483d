import Glibc
import Platform
import Testing

@Suite(.serialized) struct ProcessTests {
    private func shell(
        _ script: String, _ environment: [String: String] = [:], to file: String
    ) throws -> ChildProcess {
        try ChildProcess(
            executable: "/bin/sh", arguments: ["-c", script], environment: environment, output: .file(file))
    }

    @Test func aChildsCodeOutputAndEnvironmentComeBack() throws {
        let folder = try TemporaryFolder(), file = folder.file("out")
        let child = try shell("echo out $QUINTET_TEST; echo err >&2; exit 7", ["QUINTET_TEST": "a b"], to: file)
        #expect(child.wait() == .code(7))
        #expect(child.wait() == .code(7))
        #expect(try FileSystem.readText(file, byteCountMax: 100) == "out a b\nerr\n")
    }

    @Test func aKilledChildSaysSo() throws {
        let folder = try TemporaryFolder()
        let child = try shell("exec sleep 60", to: folder.file("out"))
        #expect(child.wait(timeoutMilliseconds: 50) == nil)
        child.signal(SIGKILL)
        #expect(child.wait(timeoutMilliseconds: 60_000) == .signal(SIGKILL))
        child.signal(SIGKILL)
    }

    @Test func aProgramThatIsNotThereIsNamed() throws {
        #expect(throws: FileError(operation: "start", path: "/nowhere/quintet", code: ENOENT)) {
            try ChildProcess(executable: "/nowhere/quintet", arguments: [])
        }
    }

    @Test func theMachineIsDescribed() {
        #expect(!Machine.hostName.isEmpty && !Machine.hostName.contains("."))
        #expect(Machine.coreCount >= 1 && Machine.coreCount <= sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        // In this order: other tests allocate meanwhile, and a peak only grows.
        let resident = Machine.residentByteCount, peak = Machine.peakResidentByteCount
        #expect(resident > 1 << 20)
        #expect(peak >= resident)
        #expect(Machine.memoryByteCount > peak)
        #expect(Machine.openDescriptorCount >= 3)
        #expect(FileSystem.exists(Machine.executablePath))
        #expect(Terminal.width(-1) == 80)
        #expect(!Terminal.isTerminal(-1))
    }

    // In processes of their own, since the flag stays set.

    @Test func aSignalIsAFlagAndWakesTheLoop() async {
        await #expect(processExitsWith: .exitCode(7)) {
            let loop = try NetworkLoop()
            StopSignal.install()
            StopSignal.wake(loop.waker)
            guard !StopSignal.isRequested else { exit(1) }
            kill(getpid(), SIGTERM)
            let before = MonotonicClock.nowMilliseconds()
            while !StopSignal.isRequested { _ = try loop.wait(timeoutMilliseconds: 120_000) }
            // The waker's byte is still there, or has ended the wait above.
            exit(MonotonicClock.nowMilliseconds() - before < 120_000 ? 7 : 2)
        }
    }

    /// Two moments are apart by the clock that the handler reads, however slow the machine is.
    private static func sleepPastTogether() {
        MonotonicClock.sleep(milliseconds: StopSignal.togetherMilliseconds + 10)
    }

    @Test func aSecondSignalLaterEndsTheProcessAtOnce() async {
        await #expect(processExitsWith: .exitCode(128 + SIGINT)) {
            StopSignal.install()
            kill(getpid(), SIGINT)
            // Two that are pending at the same moment are one.
            while !StopSignal.isRequested { MonotonicClock.sleep(milliseconds: 1) }
            Self.sleepPastTogether()
            kill(getpid(), SIGINT)
            MonotonicClock.sleep(milliseconds: 60_000)
            exit(1)
        }
    }

    @Test func signalsThatComeTwiceAtOnceCountAsOne() async {
        await #expect(processExitsWith: .exitCode(7)) {
            StopSignal.install()
            // To the process by what watches over it, and to its group by the terminal: sent here from this thread,
            // so that each is handled before the next is sent, and all of them within the second unless this thread
            // stands still for so long; then there is nothing to see.
            let before = MonotonicClock.nowMilliseconds()
            for number in [SIGTERM, SIGINT, SIGINT, SIGHUP] {
                if MonotonicClock.nowMilliseconds() - before < StopSignal.togetherMilliseconds / 2 { raise(number) }
            }
            exit(StopSignal.isRequested ? 7 : 1)
        }
        // The wish counts from its first signal on, not from the last.
        await #expect(processExitsWith: .exitCode(128 + SIGTERM)) {
            StopSignal.install()
            raise(SIGINT)
            Self.sleepPastTogether()
            raise(SIGTERM)
            exit(7)
        }
    }

    @Test func aRequestFromInsideCountsAsTheFirst() async {
        await #expect(processExitsWith: .exitCode(128 + SIGHUP)) {
            StopSignal.install()
            StopSignal.request()
            Self.sleepPastTogether()
            raise(SIGHUP)
            exit(7)
        }
    }

    @Test func aBrokenPipeEndsNothingButTheOneWhoAsksForIt() async {
        await #expect(processExitsWith: .signal(SIGPIPE)) {
            StopSignal.install()
            var ends: [Int32] = [0, 0]
            guard pipe(&ends) == 0, close(ends[0]) == 0 else { exit(1) }
            var byte: UInt8 = 1
            guard write(ends[1], &byte, 1) == -1, errno == EPIPE, !StopSignal.isRequested else { exit(2) }
            StopSignal.endByBrokenPipe()
        }
    }

    @Test func aCrashAtAFailpointLeavesTheOldFile() async throws {
        await #expect(processExitsWith: .signal(SIGKILL)) {
            let path = "/tmp/quintet-test-crash-\(getppid())"
            try AtomicFile.write("old", to: path)
            Failpoint.set("file.rename", .crash, detailPart: path)
            try AtomicFile.write("new", to: path)
        }
        let path = "/tmp/quintet-test-crash-\(getpid())"
        #expect(try FileSystem.readText(path, byteCountMax: 10) == "old")
        try FileSystem.remove(path)
        for name in try FileSystem.list("/tmp") where name.hasPrefix("quintet-test-crash-\(getpid()).") {
            try FileSystem.remove("/tmp/" + name)
        }
    }

    @Test func theEnvironmentSetsFailpoints() async {
        await #expect(processExitsWith: .exitCode(7)) {
            setenv("QUINTET_FAILPOINTS", "a=eio@2,b=enospc,c=short@2+", 1)
            let a = (0..<3).map { _ in Failpoint.hit("a") }, c = (0..<3).map { _ in Failpoint.hit("c") }
            let isRight =
                a == [.none, .fail(EIO), .none] && c == [.none, .short, .short] && Failpoint.hit("b") == .fail(ENOSPC)
            exit(isRight ? 7 : 1)
        }
        await #expect(processExitsWith: .exitCode(2)) {
            setenv("QUINTET_FAILPOINTS", "a=explode", 1)
            _ = Failpoint.hit("a")
        }
    }
}
