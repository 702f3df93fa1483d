import Glibc

/// Runs another program, gives it its standard input, and collects what it writes: a conversation by ssh, say. Ctrl-C
/// at the terminal is not for it; whoever asks decides when it ends.
public struct PipedProcess: Sendable {
    public enum End: Hashable, Sendable {
        case exit(ChildProcess.Exit)
        /// Nothing was read or written for too long, and it was killed.
        case silence
        /// `isStopped` said so, and it was killed.
        case stop
    }

    public struct Answer: Sendable {
        public var end: End
        /// The beginning of it, where there is more than was asked for.
        public var output: [UInt8]
        public var errors: [UInt8]
    }

    /// A name is looked for on PATH.
    public var executable: String
    public var arguments: [String]
    /// Of standard output and standard error, each; what comes beyond it is read and forgotten.
    public var outputBytesMax = 1 << 20

    public init(executable: String, arguments: [String]) {
        self.executable = executable
        self.arguments = arguments
    }

    /// - Parameters:
    ///   - input: what it reads first.
    ///   - file: what it reads then, to the end.
    /// - Throws: `FileError` where it cannot be started or the file cannot be read; the process is killed then.
    public func run(
        input: [UInt8] = [], file: String? = nil, silentSecondsMax: Int, isStopped: () -> Bool = { false }
    ) throws(FileError) -> Answer {
        let pipes = try Pipes(path: executable)
        let child = try ChildProcess(
            executable: executable, arguments: arguments, input: pipes.childInput,
            output: .descriptors(output: pipes.childOutput, error: pipes.childErrors), hasOwnGroup: true)
        pipes.closeChildEnds()
        var talk = Talk(pipes: pipes, pending: input[...], file: file, bytesMax: outputBytesMax)
        var lastMilliseconds = MonotonicClock.nowMilliseconds(), end: End?
        do throws(FileError) {
            while end == nil, !talk.isOver {
                if try talk.step(timeoutMilliseconds: 50) { lastMilliseconds = MonotonicClock.nowMilliseconds() }
                let silent = MonotonicClock.nowMilliseconds() - lastMilliseconds
                if isStopped() { end = .stop } else if silent > UInt64(silentSecondsMax) * 1000 { end = .silence }
            }
        } catch {
            Self.kill(child)
            throw error
        }
        pipes.closeInput()
        // A program may close its outputs and live on.
        while end == nil {
            if let exit = child.poll() { return Answer(end: .exit(exit), output: talk.output, errors: talk.errors) }
            let silent = MonotonicClock.nowMilliseconds() - lastMilliseconds
            if isStopped() { end = .stop } else if silent > UInt64(silentSecondsMax) * 1000 { end = .silence }
            MonotonicClock.sleep(milliseconds: 5)
        }
        Self.kill(child)
        return Answer(end: end!, output: talk.output, errors: talk.errors)
    }

    private static func kill(_ child: ChildProcess) {
        child.signal(SIGTERM)
        if child.wait(timeoutMilliseconds: 2000) == nil {
            child.signal(SIGKILL)
            _ = child.wait()
        }
    }
}

/// What is said, heard, and still to be said.
private struct Talk {
    let pipes: Pipes
    var pending: ArraySlice<UInt8>
    var file: String?
    let bytesMax: Int
    var offset: UInt64 = 0
    var output: [UInt8] = []
    var errors: [UInt8] = []
    private var isOutputOpen = true, areErrorsOpen = true

    init(pipes: Pipes, pending: ArraySlice<UInt8>, file: String?, bytesMax: Int) {
        self.pipes = pipes
        self.pending = pending
        self.file = file
        self.bytesMax = bytesMax
    }

    /// It has closed both of its outputs.
    var isOver: Bool { !isOutputOpen && !areErrorsOpen }

    /// - Returns: whether anything moved.
    mutating func step(timeoutMilliseconds: Int32) throws(FileError) -> Bool {
        if pending.isEmpty, let file {
            pending = try FileSystem.read(file, offset: offset, count: 1 << 18)[...]
            offset += UInt64(pending.count)
            if pending.isEmpty { self.file = nil }
        }
        if pending.isEmpty { pipes.closeInput() }
        // poll passes over negative descriptors.
        var states = [
            pollfd(fd: pipes.input, events: Int16(POLLOUT), revents: 0),
            pollfd(fd: isOutputOpen ? pipes.output : -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: areErrorsOpen ? pipes.errors : -1, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&states, 3, timeoutMilliseconds) > 0 else { return false }
        var hasMoved = false
        if states[0].revents != 0 { hasMoved = write() }
        if states[1].revents != 0, Self.read(pipes.output, into: &output, most: bytesMax, &isOutputOpen) {
            hasMoved = true
        }
        if states[2].revents != 0, Self.read(pipes.errors, into: &errors, most: bytesMax, &areErrorsOpen) {
            hasMoved = true
        }
        return hasMoved
    }

    private mutating func write() -> Bool {
        let count = pending.withUnsafeBytes { Self.writeWithoutSignal(pipes.input, $0) }
        if count > 0 {
            pending = pending.dropFirst(count)
            return true
        }
        if count == -1, errno == EAGAIN || errno == EINTR { return false }
        // It reads no further: what it has to say is still read.
        (pending, file) = ([], nil)
        pipes.closeInput()
        return false
    }

    /// Who reads no further must not end this process, whatever it has decided about SIGPIPE.
    private static func writeWithoutSignal(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
        var signals = sigset_t(), before = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, &before)
        let count = Glibc.write(descriptor, bytes.baseAddress, bytes.count), code = errno
        if count == -1, code == EPIPE {
            var atOnce = timespec()
            _ = sigtimedwait(&signals, nil, &atOnce)
        }
        pthread_sigmask(SIG_SETMASK, &before, nil)
        errno = code
        return count
    }

    private static func read(
        _ descriptor: Int32, into bytes: inout [UInt8], most bytesMax: Int, _ isOpen: inout Bool
    ) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        if count > 0 {
            let room = bytesMax - bytes.count
            bytes += buffer[..<min(count, room)]
        }
        if count == 0 || count == -1 && errno != EAGAIN && errno != EINTR { isOpen = false }
        return count > 0
    }
}

/// This process's ends do not block, the child's do, and no other child has any of them.
private final class Pipes {
    private(set) var input: Int32 = -1
    private(set) var output: Int32 = -1
    private(set) var errors: Int32 = -1
    private(set) var childInput: Int32 = -1
    private(set) var childOutput: Int32 = -1
    private(set) var childErrors: Int32 = -1

    init(path: String) throws(FileError) {
        guard let first = Socket.pipe() else { throw FileError(operation: "talk to", path: path, code: errno) }
        (childInput, input) = first
        guard let second = Socket.pipe() else { throw FileError(operation: "talk to", path: path, code: errno) }
        (output, childOutput) = second
        guard let third = Socket.pipe() else { throw FileError(operation: "talk to", path: path, code: errno) }
        (errors, childErrors) = third
        for descriptor in [childInput, childOutput, childErrors] { _ = fcntl(descriptor, F_SETFL, 0) }
    }

    deinit {
        closeInput()
        closeChildEnds()
        for descriptor in [output, errors] where descriptor >= 0 { close(descriptor) }
    }

    func closeInput() {
        if input >= 0 { close(input) }
        input = -1
    }

    func closeChildEnds() {
        for descriptor in [childInput, childOutput, childErrors] where descriptor >= 0 { close(descriptor) }
        (childInput, childOutput, childErrors) = (-1, -1, -1)
    }
}
