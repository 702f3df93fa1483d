import Foundation
import Platform
import Protocol

/// The live page: what `quintet coordinator --http` serves. It has threads of its own, asks the one that decides for
/// how things stand once a second at most (`LiveDesk`), and reads what is committed by itself (`LiveReader`).
final class LiveDoor: Sendable {
    /// Where it listens.
    var port: UInt16 { server.port }
    private let server: HTTPServer
    private let feed: LiveFeed
    private let desk: LiveDesk
    private let reader: LiveReader

    /// - Parameter security: a token has to be shown where there is one.
    /// - Throws: `HTTPServerError`, `NetworkError`.
    init(
        address: NetworkAddress, certificate: (chain: String, key: String)?, security: ConnectionSecurity,
        reader: LiveReader, desk: LiveDesk, log: Log
    ) throws {
        feed = LiveFeed {
            guard let status = desk.look() else { return nil }
            let ended = (try? reader.endedRuns(countMax: LiveSummary.endedMax)) ?? []
            return LiveSummary(status, ended: ended, hasLogin: security.hasToken) { reader.submittedAt($0) }
        }
        (self.desk, self.reader) = (desk, reader)
        let routes = LiveRoutes(
            security: security, feed: feed, desk: desk, answers: LiveAnswers(desk: desk, reader: reader), log: log)
        var settings = HTTPServer.Settings()
        settings.connectionsMax = 128
        // All of them come through loopback, or one way in.
        settings.connectionsPerAddressMax = 128
        settings.hasThreads = true
        settings.bodyBytesMax = 1024
        settings.headers = LiveGuard.headers
        settings.query = LiveAnswers.query
        settings.certificate = certificate
        server = try HTTPServer(address: address, settings: settings) { routes.answer($0) }
        routes.begin(LiveGuard(address: address, isEncrypted: certificate != nil, port: server.port))
        feed.begin()
    }

    /// Before `stop`: from now on nobody is asked, so that whoever waits may be told that nothing comes.
    func end() { desk.end() }

    /// Ends all threads.
    func stop() {
        feed.end()
        server.stop()
        reader.close()
    }
}

/// Which request is answered how.
final class LiveRoutes: Sendable {
    private let security: ConnectionSecurity
    private let feed: LiveFeed
    private let desk: LiveDesk
    private let answers: LiveAnswers
    private let log: Log
    private let sessions = Guarded(LiveSessions())
    private let watch = Guarded<LiveGuard?>(nil)

    init(security: ConnectionSecurity, feed: LiveFeed, desk: LiveDesk, answers: LiveAnswers, log: Log) {
        (self.security, self.feed, self.desk, self.answers, self.log) = (security, feed, desk, answers, log)
    }

    /// From now on requests are answered.
    func begin(_ found: LiveGuard) { watch.withLock { $0 = found } }

    func answer(_ request: HTTPRequest) -> HTTPResponse {
        guard let watch = watch.withLock({ $0 }) else { return HTTPResponse(status: 503, body: "not yet\n") }
        guard watch.isOurs(host: request.headers["Host"]) else {
            return HTTPResponse(status: 421, body: "this page is at http://localhost:\(watch.port)/\n")
        }
        switch (request.method, request.path) {
        case ("GET", "/"), ("HEAD", "/"): return LivePage.response
        case ("POST", "/login"), ("POST", "/logout"), ("POST", "/act"):
            guard watch.isFromThePage(request) else {
                return HTTPResponse(status: 403, body: "this is done by the page's own script only\n")
            }
            return change(request, watch)
        case ("GET", "/events"), ("GET", "/workers"), ("GET", "/run"), ("GET", "/pieces"), ("GET", "/moves"):
            guard isLoggedIn(request, watch) else { return Self.login }
            return show(request, watch)
        case ("GET", _), ("HEAD", _): return HTTPResponse(status: 404, body: "the page is at /\n")
        default: return HTTPResponse(status: 405, body: "that is not done here\n")
        }
    }

    private static let login = HTTPResponse(status: 401, body: "show the cluster's token first\n")

    private func isLoggedIn(_ request: HTTPRequest, _ watch: LiveGuard) -> Bool {
        guard security.hasToken else { return true }
        guard let session = watch.session(request) else { return false }
        return sessions.withLock { $0.isOpen(session, at: MonotonicClock.nowMilliseconds()) }
    }

    // MARK: - Reading

    private func show(_ request: HTTPRequest, _ watch: LiveGuard) -> HTTPResponse {
        do {
            switch request.path {
            case "/events": return listen(request, watch)
            case "/workers": return try Self.json(answers.workers(request))
            case "/run": return try Self.json(answers.training(request))
            case "/pieces": return try Self.json(answers.pieces(request))
            default: return try Self.json(answers.moves(request))
            }
        } catch let error as LiveAnswers.Unanswered {
            return HTTPResponse(status: error.status, body: "\(error.why)\n")
        } catch {
            return HTTPResponse(status: 500, body: "\(error)\n")
        }
    }

    private func listen(_ request: HTTPRequest, _ watch: LiveGuard) -> HTTPResponse {
        let stream = feed.listen { [weak self] in self?.isLoggedIn(request, watch) ?? false }
        guard let stream else {
            return HTTPResponse(status: 503, body: "\(LiveFeed.listenersMax) look already; close one of them\n")
        }
        return HTTPResponse(status: 200, contentType: "text/event-stream", stream: stream)
    }

    private static func json(_ value: some Encodable) throws -> HTTPResponse {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return HTTPResponse(
            status: 200, contentType: "application/json",
            body: String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    // MARK: - Changing

    private func change(_ request: HTTPRequest, _ watch: LiveGuard) -> HTTPResponse {
        if request.path == "/login" { return logIn(request, watch) }
        guard isLoggedIn(request, watch) else { return Self.login }
        if request.path == "/act" { return act(request) }
        if let session = watch.session(request) { sessions.withLock { $0.end(session) } }
        var response = HTTPResponse(status: 204, body: "")
        response.headers = [("Set-Cookie", watch.endedCookie)]
        return response
    }

    private func logIn(_ request: HTTPRequest, _ watch: LiveGuard) -> HTTPResponse {
        let now = MonotonicClock.nowMilliseconds()
        guard security.hasToken else { return HTTPResponse(status: 204, body: "") }
        if let milliseconds = sessions.withLock({ $0.waitMilliseconds(at: now) }) {
            let seconds = (milliseconds + 999) / 1000
            var response = HTTPResponse(status: 429, body: "too many wrong tokens; again in \(seconds) s\n")
            response.headers = [("Retry-After", "\(seconds)")]
            return response
        }
        guard security.takes(String(decoding: request.body, as: UTF8.self)) else {
            sessions.withLock { $0.noteWrong(at: now) }
            log.problem("somebody at the live page has shown a wrong token")
            return HTTPResponse(status: 403, body: "that is not this cluster's token\n")
        }
        let session = sessions.withLock { $0.begin(at: now) }
        var response = HTTPResponse(status: 204, body: "")
        response.headers = [("Set-Cookie", watch.cookie(session))]
        return response
    }

    private func act(_ request: HTTPRequest) -> HTTPResponse {
        let words = String(decoding: request.body, as: UTF8.self).split(separator: " ", maxSplits: 1)
        guard words.count == 2, let action = LiveAction(String(words[0]), String(words[1])) else {
            return HTTPResponse(status: 400, body: "cancel, pause and resume have a run, drain has a worker\n")
        }
        log("asked for at the live page: \(action.text)")
        switch desk.act(action) {
        case .told(.refusal(let refusal)): return HTTPResponse(status: 409, body: "\(refusal.message)\n")
        case .told: return HTTPResponse(status: 200, body: "done\n")
        case .busy: return HTTPResponse(status: 503, body: "too much waits for the disk; try again\n")
        case .late:
            return HTTPResponse(
                status: 504, body: "no answer within some seconds; look whether it has happened before trying again\n")
        }
    }
}
