import Glibc

/// Standard output or standard error. Writing never ends the process.
public enum StandardStream: Int32, Sendable {
    case output = 1
    case error = 2

    /// Once, at the beginning of a program: a descriptor that the parent has closed would be the next file's, a
    /// database's say, and lines meant for the terminal would go there. It is made one that takes nothing.
    public static func occupy() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
            // The lowest free number is the missing one.
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    /// All of it. Waits as long as the reader makes it wait.
    /// - Throws: what the system says; a part may have been written.
    public func write(_ text: String) throws(FileError) {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            done += try writePiece(bytes[done...], patienceMilliseconds: -1)
        }
    }

    /// Nothing more is written. Some file systems say only now that what was written before is not there.
    public func close() throws(FileError) {
        guard Glibc.close(rawValue) == 0 else { throw failure(errno) }
    }

    /// As much as goes at once, at least a byte.
    /// - Parameter patienceMilliseconds: how long a pipe or terminal that takes nothing is waited for; -1 for ever.
    func writePiece(_ bytes: ArraySlice<UInt8>, patienceMilliseconds: Int32) throws(FileError) -> Int {
        while true {
            // What a pipe that has room at all takes without making the writer wait.
            let count = min(bytes.count, Int(PIPE_BUF))
            var state = pollfd(fd: rawValue, events: Int16(POLLOUT), revents: 0)
            let ready = poll(&state, 1, patienceMilliseconds)
            if ready == -1 && errno == EINTR { continue }
            if ready == 0 { throw failure(EAGAIN) }
            let written = bytes.withUnsafeBytes { Glibc.write(rawValue, $0.baseAddress, count) }
            if written > 0 { return written }
            if written == -1 && (errno == EINTR || errno == EAGAIN) { continue }
            throw failure(written == 0 ? EIO : errno)
        }
    }

    private func failure(_ code: Int32) -> FileError {
        FileError(operation: "write", path: self == .output ? "standard output" : "standard error", code: code)
    }
}

/// The log on standard error. A line that cannot be written is lost, not the work; how many were is said as soon as
/// one can be written again.
public enum LogStream {
    private struct State: Sendable {
        var lostLineCount = 0
        /// What came last has no newline at its end: a progress line, or one that was cut off.
        var isInLine = false
    }

    private static let state = Guarded(State())
    /// The first line that is not taken waits so long, those after it not at all: somebody may have stopped the
    /// terminal, or the reader of a pipe.
    private static let patienceMilliseconds: Int32 = 1000

    public static func write(_ text: String) {
        state.withLock { state in
            var whole = text
            if state.lostLineCount > 0 {
                let lines = state.lostLineCount == 1 ? "1 line" : "\(state.lostLineCount) lines"
                whole = (state.isInLine ? "\n" : "") + "\(lines) of the log could not be written\n" + text
            }
            let bytes = Array(whole.utf8), patience = state.lostLineCount > 0 ? 0 : patienceMilliseconds
            var done = 0
            do throws(FileError) {
                while done < bytes.count {
                    done += try StandardStream.error.writePiece(bytes[done...], patienceMilliseconds: patience)
                }
                state.lostLineCount = 0
            } catch {
                state.lostLineCount += max(1, text.utf8.count { $0 == UInt8(ascii: "\n") })
            }
            if done > 0 { state.isInLine = bytes[done - 1] != UInt8(ascii: "\n") }
        }
    }
}
