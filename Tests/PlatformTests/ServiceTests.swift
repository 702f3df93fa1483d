import Foundation
import Glibc
import Platform
import Testing

/// What service managers, sessions and collectors of metrics see of a process.
@Suite struct ServiceTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A service manager's socket.
    private final class Manager {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)

        init(_ path: String) {
            var name = sockaddr_un()
            name.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
            let bound = withUnsafePointer(to: &name) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            precondition(bound == 0, "the test's own socket")
        }

        deinit { close(descriptor) }

        /// nil where nothing was said.
        func heard() -> String? {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
        }
    }

    /// sd_notify(3)'s words. Notices a wrong word, a sign of life too often or never, and one for another process.
    @Test func aServiceManagerHearsThatTheServiceLives() {
        let manager = Manager(folder.file("notify"))
        var notice = ServiceNotice(path: folder.file("notify"), watchdog: "30000000", watchdogProcess: "\(getpid())")
        #expect(notice.watchdogMilliseconds == 15_000)
        notice.begun("listens\nat port 1")
        #expect(manager.heard() == "READY=1\nSTATUS=listensat port 1")
        notice.isAlive(at: 15_000)
        #expect(manager.heard() == "WATCHDOG=1")
        notice.isAlive(at: 29_999)
        #expect(manager.heard() == nil)
        notice.isAlive(at: 30_000)
        #expect(manager.heard() == "WATCHDOG=1")
        notice.ending()
        #expect(manager.heard() == "STOPPING=1")
        let others = ServiceNotice(path: folder.file("notify"), watchdog: "30000000", watchdogProcess: "1")
        #expect(others.watchdogMilliseconds == nil)
        // Nobody listens, and nothing happens.
        ServiceNotice(path: folder.file("nobody"), watchdog: nil, watchdogProcess: nil).begun("")
        ServiceNotice.none.begun("")
    }

    /// Files as systemd writes them. Notices a greeter, a service or a session that has ended taken for a person, and
    /// one person counted twice.
    @Test func whoIsLoggedInIsAPersonWhoseSessionGoesOn() throws {
        func session(_ name: String, _ lines: String...) throws {
            _ = try FileSystem.create(lines.joined(separator: "\n") + "\n", at: folder.file(name))
        }
        try session("1", "# This is private data.", "UID=1000", "USER=ada", "CLASS=user", "STATE=active")
        try session("2", "UID=1000", "USER=ada", "CLASS=user", "STATE=online", "REMOTE=1")
        try session("3", "UID=1001", "USER=bob", "CLASS=user", "STATE=closing")
        try session("4", "UID=112", "USER=gdm", "CLASS=greeter", "STATE=active")
        try session("5.ref", "USER=eve", "CLASS=user", "STATE=active")
        #expect(LoginSessions.users(sessionFolder: folder.path) == ["ada"])
        try session("6", "UID=1002", "CLASS=user", "STATE=active")
        #expect(LoginSessions.users(sessionFolder: folder.path) == ["1002", "ada"])
    }

    private func ask(_ port: UInt16, _ text: String) throws -> String {
        let harness = try NetworkHarness()
        let connection = try harness.loop.connect(host: "127.0.0.1", port: port, security: .plaintext)
        harness.loop.send(Array(text.utf8), on: connection)
        try harness.run { harness.closed[connection] != nil }
        return String(decoding: harness.received(on: connection), as: UTF8.self)
    }

    /// Notices a body that is cut or has a byte too many, a wrong length, and what follows a question mark taken for a
    /// part of the path.
    @Test func pagesAreServed() throws {
        let asked = Guarded<[HTTPRequest]>([])
        let server = try HTTPServer(address: NetworkAddress(host: "127.0.0.1", port: 0)) { request in
            asked.withLock { $0.append(request) }
            return request.path == "/ä" ? HTTPResponse(status: 200, contentType: "text/x", body: "grün\n")
                : HTTPResponse(status: 404, body: "")
        }
        defer { server.stop() }
        let page = try ask(server.port, "GET /%C3%A4?a=b HTTP/1.0\r\n\r\n")
        #expect(page.hasPrefix("HTTP/1.0 200") || page.hasPrefix("HTTP/1.1 200"))
        #expect(page.contains("\r\nContent-Length: 6\r\n") && page.contains("\r\nContent-Type: text/x\r\n"))
        #expect(page.hasSuffix("\r\n\r\ngrün\n"))
        #expect(try ask(server.port, "POST /b HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc").contains(" 413 "))
        #expect(asked.withLock { $0 } == [
            HTTPRequest(method: "GET", path: "/ä"),
        ])
        // What is sent with a request is more than such a server takes.
        #expect(try ask(server.port, "POST /b HTTP/1.0\r\nContent-Length: 0\r\n\r\n").contains(" 404 "))
    }

    /// Notices an address that is taken and said to be free.
    @Test func anAddressThatIsTakenIsNamed() throws {
        let first = try HTTPServer(address: NetworkAddress(host: "127.0.0.1", port: 0)) { _ in
            HTTPResponse(status: 200, body: "")
        }
        defer { first.stop() }
        let address = NetworkAddress(host: "127.0.0.1", port: first.port)
        let error = #expect(throws: HTTPServerError.self) { _ = try HTTPServer(address: address) { _ in
            HTTPResponse(status: 200, body: "")
        } }
        #expect("\(error!)".contains("127.0.0.1:\(first.port)"))
    }
}
