import Dispatch
import Platform

/// What somebody at the door for pages asks; the thread that decides answers it, so that an answer proves that it
/// turns.
struct PageQuestion: Sendable {
    enum Page: String, Sendable {
        case metrics = "/metrics"
        /// The coordinator decides: starting it again would not make it better.
        case health = "/health"
        /// The same, and nothing is in its way that people have to remove.
        case ready = "/ready"
    }

    let page: Page
    private let slot = Slot()

    private final class Slot: Sendable {
        let response = Guarded<HTTPResponse?>(nil)
        let isGiven = DispatchSemaphore(value: 0)
    }

    init(_ page: Page) { self.page = page }

    func give(_ response: HTTPResponse) {
        slot.response.withLock { $0 = response }
        slot.isGiven.signal()
    }

    /// - Returns: nil where nobody has answered in time.
    func wait(seconds: Double) -> HTTPResponse? {
        guard slot.isGiven.wait(timeout: .now() + seconds) == .success else { return nil }
        return slot.response.withLock { $0 }
    }

    private static let patienceSeconds = 5.0

    /// - Parameter ask: hands the question to the thread that decides.
    static func answer(_ request: HTTPRequest, ask: (PageQuestion) -> Void) -> HTTPResponse {
        guard ["GET", "HEAD"].contains(request.method) else {
            return HTTPResponse(status: 405, body: "these pages can only be read\n")
        }
        guard let page = Page(rawValue: request.path) else {
            return HTTPResponse(status: 404, body: "there are /metrics, /health and /ready\n")
        }
        let question = PageQuestion(page)
        ask(question)
        return question.wait(seconds: patienceSeconds) ?? HTTPResponse(
            status: 503, body: "the coordinator decides nothing: no answer for \(Int(patienceSeconds)) s\n")
    }
}
