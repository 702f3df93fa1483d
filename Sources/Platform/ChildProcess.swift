import Glibc

/// Another process, usually of this same program. It outlives this value; wait for it.
public final class ChildProcess {
    public enum Output: Hashable, Sendable {
        /// Where this process's own goes.
        case inherited
        case discarded
        /// Both standard output and error, added at the file's end.
        case file(String)
        /// To open descriptors, pipes say.
        case descriptors(output: Int32, error: Int32)
    }

    public enum Exit: Hashable, Sendable {
        case code(Int32)
        /// Ended by a signal, SIGKILL say.
        case signal(Int32)
    }

    public let processID: Int32
    private var exit: Exit?

    /// - Parameters:
    ///   - executable: looked for on PATH where it is a name without a slash.
    ///   - arguments: without the program's name.
    ///   - environment: added to this process's own.
    ///   - input: an open descriptor to read from; nil for nothing to read.
    ///   - hasOwnGroup: Ctrl-C at the terminal is not for it.
    /// - Throws: `FileError` naming the program.
    public init(
        executable: String = Machine.executablePath, arguments: [String], environment: [String: String] = [:],
        input: Int32? = nil, output: Output = .inherited, hasOwnGroup: Bool = false
    ) throws(FileError) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        } else {
            posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        }
        Self.add(output, to: &actions)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The child decides about signals itself, whatever this process ignores or blocks.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGPIPE] { sigaddset(&signals, number) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        let group = hasOwnGroup ? POSIX_SPAWN_SETPGROUP : 0
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | group))

        var processID: pid_t = 0
        let code = Self.withCStrings([executable] + arguments) { arguments in
            Self.withCStrings(Self.mergedEnvironment(environment)) { variables in
                posix_spawnp(&processID, executable, &actions, &attributes, arguments, variables)
            }
        }
        guard code == 0 else { throw FileError(operation: "start", path: executable, code: code) }
        self.processID = processID
    }

    private static func add(_ output: Output, to actions: inout posix_spawn_file_actions_t) {
        var path = "/dev/null"
        switch output {
        case .inherited: return
        case .descriptors(let output, let error):
            posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
            posix_spawn_file_actions_adddup2(&actions, error, STDERR_FILENO)
            return
        case .discarded: break
        case .file(let file): path = file
        }
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
    }

    /// Does nothing to a process that has been waited for: its number may be another's by now.
    public func signal(_ number: Int32) { if exit == nil { _ = Glibc.kill(processID, number) } }

    /// SIGKILL to a child that may not have been waited for.
    public static func kill(_ processID: Int32) { _ = Glibc.kill(processID, SIGKILL) }

    /// How it ended; nil while it runs.
    public func poll() -> Exit? { wait(options: WNOHANG) }

    public func wait() -> Exit {
        while true {
            if let exit = wait(options: 0) { return exit }
        }
    }

    /// nil when it still runs after that time.
    public func wait(timeoutMilliseconds: UInt64) -> Exit? {
        let end = MonotonicClock.nowMilliseconds() + timeoutMilliseconds
        while true {
            if let exit = poll() { return exit }
            if MonotonicClock.nowMilliseconds() >= end { return nil }
            MonotonicClock.sleep(milliseconds: 5)
        }
    }

    private func wait(options: Int32) -> Exit? {
        if let exit { return exit }
        var status: Int32 = 0
        guard waitpid(processID, &status, options) == processID else { return nil }
        // WIFSIGNALED and its relatives are macros in C.
        exit = status & 0x7F == 0 ? .code(status >> 8 & 0xFF) : .signal(status & 0x7F)
        return exit
    }

    private static func mergedEnvironment(_ added: [String: String]) -> [String] {
        var list: [String] = []
        var entry = environ
        while let text = entry.pointee {
            let variable = String(cString: text)
            if added[String(variable.prefix { $0 != "=" })] == nil { list.append(variable) }
            entry += 1
        }
        return list + added.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    }

    private static func withCStrings<Result>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let pointers = strings.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        return body(pointers + [nil])
    }
}
