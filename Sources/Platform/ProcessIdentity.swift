import Glibc

/// A process that is told from all others, on this machine and elsewhere, at any time.
struct ProcessIdentity: Hashable, Sendable {
    var host: String
    var processID: Int32
    /// Where the number counts: the machine's start and the namespace (containers may share a host's name).
    var space: String
    /// Ticks from the machine's start to the process's.
    var startTicks: UInt64

    static var own: ProcessIdentity {
        ProcessIdentity(
            host: Machine.hostName, processID: getpid(), space: ownSpace,
            startTicks: Self.startTicks(of: getpid()) ?? 0)
    }

    private static var ownSpace: String {
        let boot = (try? FileSystem.readText("/proc/sys/kernel/random/boot_id", byteCountMax: 100)) ?? ""
        var buffer = [UInt8](repeating: 0, count: 100)
        let count = buffer.withUnsafeMutableBytes {
            readlink("/proc/self/ns/pid", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
        }
        return boot.filter { !$0.isWhitespace } + "/" + String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    }

    /// Ticks since the machine's start; nil where there is no such process, or no /proc.
    static func startTicks(of processID: Int32) -> UInt64? {
        // Behind the name, which may hold blanks: the state and 18 numbers, then the start.
        guard let text = try? FileSystem.readText("/proc/\(processID)/stat", byteCountMax: 4096),
            let name = text.lastIndex(of: ")"), case let fields = text[name...].split(separator: " "),
            fields.count > 20
        else { return nil }
        return UInt64(fields[20])
    }

    /// Whether the process has certainly ended. One on another machine, or in another container, may always live.
    var isGone: Bool {
        let own = Self.own
        guard host == own.host else { return false }
        let boots = [space, own.space].map { $0.prefix { $0 != "/" } }
        if !boots[0].isEmpty, !boots[1].isEmpty, boots[0] != boots[1] { return true }
        guard space == own.space else { return false }
        return Self.startTicks(of: processID) != startTicks
    }
}
