import Glibc

/// What a service manager (systemd, `Type=notify`) wants to hear: that the service has begun, that it is still alive
/// (`WatchdogSec`), that it is ending. Without a manager nothing is said.
public struct ServiceNotice: Sendable {
    private let path: String?
    /// How often it has to be said that all is well; nil where nobody waits for it.
    public let watchdogMilliseconds: UInt64?
    private var saidMilliseconds: UInt64 = 0

    /// As the environment says (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`).
    public init() {
        self.init(
            path: Machine.environment("NOTIFY_SOCKET"), watchdog: Machine.environment("WATCHDOG_USEC"),
            watchdogProcess: Machine.environment("WATCHDOG_PID"))
    }

    /// Says nothing to anybody.
    public static let none = ServiceNotice(path: nil, watchdog: nil, watchdogProcess: nil)

    package init(path: String?, watchdog: String?, watchdogProcess: String?) {
        self.path = path
        let isForUs = watchdogProcess.map { $0 == "\(getpid())" } ?? true
        // Twice in each period, so that one that comes late is no death.
        watchdogMilliseconds = isForUs ? watchdog.flatMap { UInt64($0) }.map { max(1, $0 / 2_000) } : nil
    }

    public func begun(_ status: String) { say("READY=1\nSTATUS=\(status.filter { $0 != "\n" })") }
    public func ending() { say("STOPPING=1") }

    /// To be called by the thread whose standing still would be the end of the service, as often as it likes.
    public mutating func isAlive(at nowMilliseconds: UInt64) {
        guard let watchdogMilliseconds, nowMilliseconds >= saidMilliseconds + watchdogMilliseconds else { return }
        saidMilliseconds = nowMilliseconds
        say("WATCHDOG=1")
    }

    /// A manager that does not listen must not stop the service: what cannot be said at once is not said.
    private func say(_ text: String) {
        guard let path, let address = Self.address(path) else { return }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var name = address.name
        _ = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                text.withCString {
                    sendto(descriptor, $0, strlen($0), Int32(MSG_NOSIGNAL), pointer, address.byteCount)
                }
            }
        }
    }

    /// "/run/notify", or "@name" of Linux's abstract ones.
    private static func address(_ path: String) -> (name: sockaddr_un, byteCount: socklen_t)? {
        var bytes = Array(path.utf8), name = sockaddr_un()
        guard let first = bytes.first, [UInt8(ascii: "/"), UInt8(ascii: "@")].contains(first),
            bytes.count < MemoryLayout.size(ofValue: name.sun_path)
        else { return nil }
        if first == UInt8(ascii: "@") { bytes[0] = 0 }
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
        let isAbstract = bytes[0] == 0
        let byteCount = MemoryLayout.offset(of: \sockaddr_un.sun_path)! + bytes.count + (isAbstract ? 0 : 1)
        return (name, socklen_t(byteCount))
    }
}
