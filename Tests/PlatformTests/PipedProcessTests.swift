import Glibc
import Platform
import Testing

@Suite struct PipedProcessTests {
    private func shell(_ script: String) -> PipedProcess {
        PipedProcess(executable: "sh", arguments: ["-c", script])
    }

    /// More than pipes hold, both ways at once.
    @Test func inputAndFileGoThroughAndComeBack() throws {
        let folder = try TemporaryFolder(), bytes = testBytes(1_500_000, seed: 3), head = testBytes(200_000, seed: 4)
        try AtomicFile.write(bytes, to: folder.file("in"))
        var process = shell("tee /dev/stderr; exit 7")
        process.outputBytesMax = 4 << 20
        let answer = try process.run(input: head, file: folder.file("in"), silentSecondsMax: 60)
        #expect(answer.end == .exit(.code(7)))
        #expect(answer.output == head + bytes && answer.errors == head + bytes)
        process.outputBytesMax = 1000
        let short = try process.run(input: head, silentSecondsMax: 60)
        #expect(short.output == Array(head.prefix(1000)) && short.end == .exit(.code(7)))
    }

    @Test func whoReadsNothingIsHeardAllTheSame() throws {
        let answer = try shell("exec 0<&-; echo no; sleep 0.2; echo more >&2; kill -9 $$")
            .run(input: testBytes(1_000_000, seed: 5), silentSecondsMax: 60)
        #expect(answer.output == Array("no\n".utf8) && answer.errors == Array("more\n".utf8))
        #expect(answer.end == .exit(.signal(SIGKILL)))
    }

    @Test func whoIsSilentIsEnded() throws {
        for script in ["exec sleep 600", "exec >&- 2>&-; exec sleep 600"] {
            let before = MonotonicClock.nowMilliseconds()
            #expect(try shell(script).run(silentSecondsMax: 1).end == .silence)
            #expect(MonotonicClock.nowMilliseconds() - before < 60_000)
        }
    }

    @Test func itEndsWhenItIsAskedTo() throws {
        var count = 0
        let answer = try shell("echo begun; exec sleep 600").run(silentSecondsMax: 600) {
            count += 1
            return count > 3
        }
        #expect(answer.end == .stop)
    }

    @Test func whatCannotBeStartedOrReadIsNamed() throws {
        #expect(throws: FileError(operation: "start", path: "quintet-nowhere", code: ENOENT)) {
            try PipedProcess(executable: "quintet-nowhere", arguments: []).run(silentSecondsMax: 60)
        }
        #expect(throws: FileError.self) { try shell("cat").run(file: "/nowhere/file", silentSecondsMax: 60) }
    }
}
