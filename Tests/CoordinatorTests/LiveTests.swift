import Coordinator
import Foundation
import Platform
import Protocol
import TestSupport
import Testing

/// The live page: who is let in, what is shown, and what a click does.
@Suite(.enabled(if: isHere(HTTPServer.isPossible, "libmicrohttpd")))
struct LiveTests {
    let folder: TestFolder
    let token = ClusterToken.generate()

    init() throws { folder = try TestFolder() }

    private struct Answer {
        var status: Int
        var head: String
        var body: String
        /// "name=value" of what it sets.
        var cookie: String? {
            head.components(separatedBy: "\r\n").first { $0.hasPrefix("Set-Cookie: ") }
                .map { String($0.dropFirst(12).prefix { $0 != ";" }) }
        }
    }

    private func tokenText() throws -> String {
        let file = folder.file("token")
        if !FileSystem.exists(file) { try token.save(to: file) }
        return try FileSystem.readText(file, byteCountMax: 100)
    }

    private func ask(
        _ port: UInt16, _ method: String = "GET", _ path: String, host: String = "localhost", cookie: String? = nil,
        headers: [String] = [], body: String = "", until isEnough: (String) -> Bool = { _ in false }
    ) throws -> Answer {
        let loop = try NetworkLoop()
        let connection = try loop.connect(host: "127.0.0.1", port: port, security: .plaintext)
        let lines = ["\(method) \(path) HTTP/1.1", "Host: \(host)", "Connection: close",
            "Content-Length: \(body.utf8.count)"] + headers + (cookie.map { ["Cookie: other=1; \($0)"] } ?? [])
        loop.send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n" + body).utf8), on: connection)
        var bytes: [UInt8] = [], hasEnded = false
        let deadline = Date().addingTimeInterval(60)
        while !hasEnded, Date() < deadline, !isEnough(String(decoding: bytes, as: UTF8.self)) {
            for event in try loop.wait(timeoutMilliseconds: 50) {
                if case .received(_, let piece) = event { bytes += piece }
                if case .closed = event { hasEnded = true }
            }
        }
        let parts = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n\r\n")
        return Answer(
            status: Int(parts[0].split(separator: " ").dropFirst().first ?? "") ?? 0, head: parts[0] + "\r\n",
            body: parts.dropFirst().joined(separator: "\r\n\r\n"))
    }

    private static let page = ["Quintet-Page: 1"]

    private func logIn(_ port: UInt16) throws -> String {
        try #require(try ask(port, "POST", "/login", headers: Self.page, body: try tokenText()).cookie)
    }

    private func protected() throws -> RunningServer {
        try RunningServer(folder: folder.file("state"), security: .preSharedKeys([token]), hasLivePage: true)
    }

    /// Notices a page that shows anything to who has shown no token, takes a wrong one or a made-up cookie, or lets
    /// out or in after logging out.
    @Test func nothingIsShownWithoutTheToken() throws {
        let server = try protected()
        defer { server.stop() }
        let port = try #require(server.server.livePort)
        let shell = try ask(port, "GET", "/")
        #expect(shell.status == 200 && shell.body.utf8.count < 64 << 10)
        // The one address in it is SVG's name.
        #expect(shell.body.components(separatedBy: "://").count == 2)
        let paths = ["/events", "/workers", "/run?run=1", "/pieces?run=1", "/moves?run=1"]
        let madeUp = "quintet-\(port)=" + String(repeating: "0", count: 64)
        for path in paths {
            #expect(try ask(port, "GET", path).status == 401, "\(path)")
            #expect(try ask(port, "GET", path, cookie: madeUp).status == 401, "\(path)")
        }
        #expect(try ask(port, "POST", "/act", headers: Self.page, body: "drain w").status == 401)
        let wrong = Hexadecimal.text(SecureRandom.bytes(32))
        let refused = try ask(port, "POST", "/login", headers: Self.page, body: wrong)
        #expect(refused.status == 403 && refused.cookie == nil)
        let cookie = try logIn(port)
        #expect(try ask(port, "GET", "/workers", cookie: cookie).status == 200)
        #expect(try ask(port, "POST", "/logout", cookie: cookie, headers: Self.page).status == 204)
        #expect(try ask(port, "GET", "/workers", cookie: cookie).status == 401)
    }

    /// Notices a cookie that scripts read, that other sites send or that outlives the browser, and numbers that repeat.
    @Test func theCookieEndsWithTheBrowser() throws {
        let server = try protected()
        defer { server.stop() }
        let port = try #require(server.server.livePort)
        let answer = try ask(port, "POST", "/login", headers: Self.page, body: try tokenText())
        #expect(answer.head.contains("; Path=/; HttpOnly; SameSite=Strict\r\n"))
        #expect(!answer.head.contains("Max-Age") && !answer.head.contains("Expires"))
        let first = try #require(answer.cookie)
        #expect(first.count == "quintet-\(port)=".count + 64)
        #expect(try logIn(port) != first)
    }

    /// Notices another site that gets a word in: by a name of its own that stands for this machine, without the page's
    /// header, or from another origin.
    @Test func otherSitesChangeAndReadNothing() throws {
        let server = try RunningServer(folder: folder.file("state"), hasLivePage: true)
        defer { server.stop() }
        let port = try #require(server.server.livePort)
        #expect(try ask(port, "GET", "/workers", host: "evil.example:\(port)").status == 421)
        #expect(try ask(port, "GET", "/workers", host: "127.0.0.1.evil.example").status == 421)
        for host in ["localhost:\(port)", "127.0.0.1", "[::1]:9"] {
            #expect(try ask(port, "GET", "/workers", host: host).status == 200, "\(host)")
        }
        let body = "drain nobody"
        #expect(try ask(port, "POST", "/act", body: body).status == 403)
        let foreign = Self.page + ["Origin: http://evil.example"]
        #expect(try ask(port, "POST", "/act", headers: foreign, body: body).status == 403)
        let crossSite = Self.page + ["Sec-Fetch-Site: cross-site"]
        #expect(try ask(port, "POST", "/act", headers: crossSite, body: body).status == 403)
        // The page's own: the scheduler's answer, that nobody is called so.
        let own = Self.page + ["Origin: http://localhost", "Sec-Fetch-Site: same-origin"]
        let answer = try ask(port, "POST", "/act", headers: own, body: body)
        #expect(answer.status == 409 && answer.body.contains("no worker that is connected is called 'nobody'"))
        let policy = try ask(port, "GET", "/").head
        #expect(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
        #expect(!policy.contains("unsafe") && !policy.contains("http:"))
    }

    /// Notices a page in the clear on the network, and one that a coordinator without a token shows to all of it.
    @Test func otherAddressesNeedACertificateAndAToken() throws {
        func refusal(_ host: String, certificate: Bool, _ security: ConnectionSecurity) -> String {
            var configuration = CoordinatorConfiguration(stateDirectory: folder.file("s"), security: security)
            configuration.liveAddress = NetworkAddress(host: host, port: 0)
            if certificate { configuration.liveCertificate = ("c", "k") }
            do { _ = try CoordinatorServer(configuration: configuration) } catch { return "\(error)" }
            return ""
        }
        for host in ["*", "0.0.0.0"] {
            #expect(refusal(host, certificate: false, .preSharedKeys([token])).contains("ssh -L"))
            #expect(refusal(host, certificate: true, .plaintext).contains("there is no token"))
        }
        #expect(refusal("127.0.0.1", certificate: true, .plaintext).contains("certificate and key do not fit"))
    }

    private func submit(_ server: RunningServer, label: String = "", key: String = "k") throws -> RunID {
        let client = try server.client()
        let data = try client.upload(bytes: Array("data".utf8), role: "volume", name: "data")
        return try client.submit(Submission(
            plan: .training(100), recipe: "fake", parameters: "{}", seed: 1, replicaCount: 2, checkpointSeconds: 60,
            inputs: [data], itemManifest: nil, idempotencyKey: key, label: label))
    }

    /// A training of two replicas with one worker. Notices a stream without what changes, a hostile name that is not
    /// quoted, curves and stays of somebody else, and a cancel that cancels nothing.
    @Test func changesAreToldAndACancelCancels() throws {
        let server = try RunningServer(folder: folder.file("state"), hasLivePage: true)
        defer { server.stop() }
        let port = try #require(server.server.livePort)
        let hostile = "</script>\"\u{2028}<b>"
        let run = try submit(server, label: hostile)
        let worker = try FakeWorker(server, name: "w")
        try worker.idle()
        let assignment = try worker.nextAssignment()
        let blob = try worker.upload(Array("state".utf8), role: "state", name: "replica-0")
        #expect(try worker.request(.checkpointSaved(
            assignment.lease, Checkpoint(iteration: 2, blob: blob),
            [IterationFigures(iteration: 1, ["loss": 0.5]), IterationFigures(iteration: 2, ["loss": 0.25])]))
            == .accepted)
        let training = try ask(port, "GET", "/run?run=\(run.value)").body
        #expect(training.contains("\"loss\":[1,0.5,2,0.25]"), "\(training)")
        let stays = try ask(port, "GET", "/moves?run=\(run.value)").body
        #expect(stays.contains("\"worker\":\"w") && stays.contains("\"to\":2"), "\(stays)")
        var isAsked = false
        let stream = try ask(port, "GET", "/events") { heard in
            if !isAsked, heard.contains("event: state\n") {
                isAsked = true
                let answer = try? ask(port, "POST", "/act", headers: Self.page, body: "cancel \(run.value)")
                #expect(answer?.status == 200)
            }
            return heard.contains("\"runs.\(run.value).state\":\"cancelled\"")
        }
        #expect(stream.head.contains("Content-Type: text/event-stream"))
        #expect(stream.body.contains("event: change\n") && stream.body.contains("\"runs.1.state\":\"running\""))
        #expect(stream.body.contains("</script>\\\""), "a line of JSON, which the script makes a text of")
        #expect(try server.client().status(of: run).runs[0].state == "cancelled")
        let again = try ask(port, "POST", "/act", headers: Self.page, body: "pause \(run.value)")
        #expect(again.status == 409 && again.body.contains("only a run that goes on can be paused"))
    }

    /// Notices a drain that asks nobody to leave, and lists that cannot be searched or paged.
    @Test func workersAreFoundAndDrained() throws {
        let server = try RunningServer(folder: folder.file("state"), hasLivePage: true)
        defer { server.stop() }
        let port = try #require(server.server.livePort)
        let workers = try (0..<30).map { try FakeWorker(server, name: "lab\($0)") }
        let all = try ask(port, "GET", "/workers?offset=25").body
        #expect(all.contains("\"total\":30}") && all.components(separatedBy: "\"name\":").count == 6, "\(all)")
        let one = try ask(port, "GET", "/workers?search=LAB17").body
        #expect(one.contains("\"matching\":1,") && one.contains("\"name\":\"lab17"))
        #expect(try ask(port, "POST", "/act", headers: Self.page, body: "drain lab17").status == 200)
        #expect(try workers[17].nextPush() == .leave)
        // Whatever else has become of it: on a busy machine it has been silent for too long by now.
        #expect(try ask(port, "GET", "/workers?search=LAB17").body.contains("\"isLeaving\":true"))
        #expect(try !ask(port, "GET", "/workers?state=idle&search=lab17").body.contains("\"matching\":1,"))
    }

    // MARK: - Without a server

    /// Notices guesses without end, and a session that does not end.
    @Test func attemptsAreFewAndSessionsEnd() {
        var sessions = LiveSessions()
        for _ in 0..<LiveSessions.wrongMax {
            #expect(sessions.waitMilliseconds(at: 1_000) == nil)
            sessions.noteWrong(at: 1_000)
        }
        #expect(sessions.waitMilliseconds(at: 2_000) == LiveSessions.wrongMilliseconds - 1_000)
        #expect(sessions.waitMilliseconds(at: 1_000 + LiveSessions.wrongMilliseconds) == nil)
        let first = sessions.begin(at: 5)
        #expect(sessions.isOpen(first, at: 4 + LiveSessions.lifeMilliseconds))
        #expect(!sessions.isOpen(first, at: 5 + LiveSessions.lifeMilliseconds))
        for number in 0..<LiveSessions.countMax { _ = sessions.begin(at: 6 + UInt64(number)) }
        #expect(!sessions.isOpen(first, at: 100))
    }

    /// By hand: four bins would be 1 to 4. Notices means over the wrong iterations after bins are joined, and a figure
    /// that is read twice.
    @Test func aCurveIsMeansOfWhatCame() {
        var curve = LiveCurve()
        let count = UInt32(2 * LiveCurve.binsMax + 1)
        for iteration in 1...count {
            curve.append(IterationFigures(iteration: iteration, ["loss": Double(iteration)]))
            curve.append(IterationFigures(iteration: iteration, ["loss": 1e9]))
        }
        let points = curve.points("loss")
        #expect(curve.width == 4 && points[0] == (4, 2.5) && points[1] == (8, 6.5))
        #expect(points.last! == (count, Double(count)))
    }

    private func event(
        _ kind: String, _ milliseconds: Int64, _ epoch: UInt64?, _ worker: String, _ iteration: UInt32? = nil,
        _ outcome: String? = nil
    ) -> LiveMoves.Entry {
        LiveMoves.Entry(
            event: AuditEvent(
                id: milliseconds, wallMilliseconds: milliseconds, kind: kind, epoch: epoch, worker: worker,
                iteration: iteration, outcome: outcome, message: kind),
            step: "train", replica: 0)
    }

    /// A lease that lapses, revives and is lost, and a second one that ends. Notices a stay that never ends, or goes on
    /// under another's name.
    @Test func movesAreStaysOfLeases() {
        let moves = LiveMoves([
            event("lease", 10, 1, "a", 0), event("checkpoint", 20, 1, "a", 40),
            event("release", 30, 1, "a", nil, "lapsed"), event("revive", 35, 1, "a"),
            event("release", 50, 1, "a", nil, "failed"), event("lease", 60, 2, "b", 40),
            event("result", 90, 2, "b", 100),
        ])
        #expect(moves.replicas[0].stays == [
            LiveMoves.Stay(
                worker: "a", epoch: 1, begin: 10, end: 50, from: 0, to: 40, outcome: "failed", why: "release"),
            LiveMoves.Stay(
                worker: "b", epoch: 2, begin: 60, end: 90, from: 40, to: 100, outcome: "done", why: "result"),
        ])
    }
}
