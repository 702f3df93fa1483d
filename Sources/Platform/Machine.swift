import Glibc

/// This machine and this process.
public enum Machine {
    /// Without the domain.
    public static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        let text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return String(text.prefix { $0 != "." })
    }

    public static var processID: Int32 { getpid() }

    /// "ada@lab3": who runs this process, for people.
    public static var userAtHost: String {
        let user = getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) } ?? "\(geteuid())"
        return "\(user)@\(hostName)"
    }

    /// The running program, for starting another of itself.
    public static var executablePath: String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes {
            readlink("/proc/self/exe", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
        }
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : CommandLine.arguments[0]
    }

    /// Processors that this process may keep busy.
    public static var coreCount: Int {
        ProcessorShare(
            root: "", presentCount: sysconf(Int32(_SC_NPROCESSORS_ONLN)),
            taskCount: environment("SLURM_CPUS_PER_TASK")
        ).count
    }

    /// The most memory that this process has had in RAM.
    public static var peakResidentByteCount: UInt64 { kibibytes("VmHWM", of: "/proc/self/status") }

    public static var residentByteCount: UInt64 { kibibytes("VmRSS", of: "/proc/self/status") }

    /// Hands memory that was freed back to the system, as far as the C library can.
    public static func returnFreeMemory() {
        // glibc's own, in a header that the module of the C library does not have; other libraries do without.
        guard let symbol = dlsym(nil, "malloc_trim") else { return }
        _ = unsafeBitCast(symbol, to: (@convention(c) (Int) -> Int32).self)(0)
    }

    /// What another process of this user has in RAM, and the most that it has had; 0 where it is gone.
    public static func residentByteCounts(of processID: Int32) -> (now: UInt64, peak: UInt64) {
        let file = "/proc/\(processID)/status"
        return (kibibytes("VmRSS", of: file), kibibytes("VmHWM", of: file))
    }

    /// Seconds since the system started this process, within a hundredth; nil where it does not say.
    public static var processAgeSeconds: Double? {
        guard let ticks = ProcessIdentity.startTicks(of: getpid()) else { return nil }
        var time = timespec()
        guard clock_gettime(CLOCK_BOOTTIME, &time) == 0 else { return nil }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9 - Double(ticks) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// RAM of the machine.
    public static var memoryByteCount: UInt64 { kibibytes("MemTotal", of: "/proc/meminfo") }

    /// Open files and sockets of this process; a number that grows is a leak.
    public static var openDescriptorCount: Int { ((try? FileSystem.list("/proc/self/fd")) ?? []).count }

    /// nil where it is not set.
    public static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    private static func kibibytes(_ name: String, of file: String) -> UInt64 {
        let value = field(name, of: file)?.split(separator: " ").first.flatMap { UInt64($0) }
        return (value ?? 0) * 1024
    }

    /// The text behind "name:" in one of the kernel's files.
    private static func field(_ name: String, of file: String) -> String? {
        guard let text = try? FileSystem.readText(file, byteCountMax: 1 << 16) else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix(name + ":") {
            return String(line.dropFirst(name.utf8.count + 1).drop(while: \.isWhitespace))
        }
        return nil
    }
}
