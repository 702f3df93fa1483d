import Glibc
import Platform
import Testing

/// In processes of their own, since descriptors 1 and 2 are the test's as well.
@Suite struct StandardStreamTests {
    private static let folder = "/tmp/quintet-test-streams-"

    /// Makes descriptor 2 this file.
    private static func logTo(_ path: String, _ flags: Int32 = O_WRONLY) {
        let descriptor = open(path, flags, 0o600)
        dup2(descriptor, STDERR_FILENO)
        close(descriptor)
    }

    @Test func linesThatAreLostAreCountedAndSaidLater() async throws {
        let path = Self.folder + "lost-\(getpid())"
        defer { try? FileSystem.remove(path) }
        await #expect(processExitsWith: .exitCode(7)) {
            StopSignal.install()
            let log = open(StandardStreamTests.folder + "lost-\(getppid())", O_WRONLY | O_CREAT, 0o600)
            dup2(log, STDERR_FILENO)
            LogStream.write("first\n")
            StandardStreamTests.logTo("/dev/full")
            LogStream.write("second\n")
            LogStream.write("third\nfourth\n")
            // Nobody reads this pipe.
            var ends: [Int32] = [0, 0]
            guard pipe(&ends) == 0, close(ends[0]) == 0 else { exit(1) }
            dup2(ends[1], STDERR_FILENO)
            LogStream.write("fifth\n")
            dup2(log, STDERR_FILENO)
            LogStream.write("sixth\n")
            LogStream.write("seventh\n")
            exit(7)
        }
        #expect(try FileSystem.readText(path, byteCountMax: 1000)
            == "first\n4 lines of the log could not be written\nsixth\nseventh\n")
    }

    /// A pipe whose reader stands still, `less` say: the first line that finds no room waits a second, the others not.
    @Test func aReaderThatStandsStillHoldsUpOneLineOnly() async throws {
        let path = Self.folder + "still-\(getpid())"
        defer { try? FileSystem.remove(path) }
        await #expect(processExitsWith: .exitCode(7)) {
            var ends: [Int32] = [0, 0]
            guard pipe(&ends) == 0 else { exit(1) }
            dup2(ends[1], STDERR_FILENO)
            let line = String(repeating: "x", count: 999) + "\n"
            for _ in 0..<200 { LogStream.write(line) }
            // What went in, a pipe's 64 KiB at most; the reader goes on, and so does the log.
            var buffer = [UInt8](repeating: 0, count: 1 << 17)
            let count = read(ends[0], &buffer, buffer.count)
            LogStream.write("again\n")
            let rest = read(ends[0], &buffer, buffer.count)
            let wholeLineCount = count / 1000, text = String(decoding: buffer[..<rest], as: UTF8.self)
            // A line that was cut off is ended first.
            let cut = count % 1000 == 0 ? "" : "\n"
            let expected = cut + "\(200 - wholeLineCount) lines of the log could not be written\nagain\n"
            exit(count > 0 && count <= 1 << 16 && text == expected ? 7 : 2)
        }
    }

    @Test func resultsSayWhyTheyCannotBeWritten() async {
        await #expect(processExitsWith: .exitCode(7)) {
            let full = open("/dev/full", O_WRONLY)
            dup2(full, STDOUT_FILENO)
            do throws(FileError) {
                try StandardStream.output.write("a result\n")
                exit(1)
            } catch {
                exit(error.code == ENOSPC && error.reason == "No space left on device" ? 7 : 2)
            }
        }
    }

    @Test func noFileBecomesAStandardStream() async {
        await #expect(processExitsWith: .exitCode(7)) {
            for descriptor in STDIN_FILENO...STDERR_FILENO { close(descriptor) }
            StandardStream.occupy()
            let next = open("/dev/zero", O_RDWR)
            guard next > STDERR_FILENO else { exit(1) }
            LogStream.write("lost\n")
            do throws(FileError) {
                try StandardStream.output.write("a result\n")
                exit(2)
            } catch {
                exit(error.code == EBADF ? 7 : 3)
            }
        }
    }
}
