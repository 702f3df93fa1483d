import Dispatch
import Platform
import Protocol

/// What the live page's threads ask the thread that decides, and wait for.
final class LiveQuestion: Sendable {
    enum Kind: Sendable {
        /// How everything stands.
        case look
        case act(LiveAction)
    }

    enum Answer: Sendable {
        case status(StatusReport)
        /// What a client would have been told.
        case told(Message)
    }

    let kind: Kind
    private let answer = Guarded<Answer?>(nil)
    private let isGiven = DispatchSemaphore(value: 0)

    init(_ kind: Kind) { self.kind = kind }

    /// - Parameter given: nil where nobody answers any more.
    func give(_ given: Answer?) {
        answer.withLock { $0 = given }
        isGiven.signal()
    }

    /// - Returns: nil where nobody has answered in time.
    fileprivate func wait(seconds: Double) -> Answer? {
        guard isGiven.wait(timeout: .now() + seconds) == .success else { return nil }
        return answer.withLock { $0 }
    }
}

/// Between the live page's threads and the thread that decides. However many listeners there are, that one is asked
/// once a second at most how things stand, and nobody waits for it longer than some seconds.
final class LiveDesk: Sendable {
    private struct State: Sendable {
        var hasEnded = false
        var actionCount = 0
    }

    private struct Look: Sendable {
        var status: StatusReport?
        var milliseconds: UInt64 = 0
    }

    private static let patienceSeconds = 5.0
    private static let freshMilliseconds: UInt64 = 900
    /// Wishes that wait for the disk, at a time.
    private static let actionsMax = 32

    private let state = Guarded(State())
    /// Held while one asks for all.
    private let latest = Guarded(Look())
    private let post: @Sendable (LiveQuestion) -> Void

    /// - Parameter post: hands a question to the thread that decides, at once.
    init(post: @escaping @Sendable (LiveQuestion) -> Void) { self.post = post }

    /// At most a second old; nil where the coordinator decides nothing.
    func look() -> StatusReport? {
        latest.withLock { latest in
            let now = MonotonicClock.nowMilliseconds()
            if let status = latest.status, now < latest.milliseconds + Self.freshMilliseconds { return status }
            guard case .status(let status) = ask(.look) else { return nil }
            latest = Look(status: status, milliseconds: MonotonicClock.nowMilliseconds())
            return status
        }
    }

    enum Outcome: Sendable {
        case told(Message)
        /// Too many wait already.
        case busy
        /// No answer in time: it is decided, perhaps, and not on the disk.
        case late
    }

    func act(_ action: LiveAction) -> Outcome {
        let mayAsk = state.withLock { state in
            guard state.actionCount < Self.actionsMax else { return false }
            state.actionCount += 1
            return true
        }
        guard mayAsk else { return .busy }
        defer { state.withLock { $0.actionCount -= 1 } }
        guard case .told(let message) = ask(.act(action)) else { return .late }
        // What follows from it is to be seen at once.
        latest.withLock { $0.milliseconds = 0 }
        return .told(message)
    }

    private func ask(_ kind: LiveQuestion.Kind) -> LiveQuestion.Answer? {
        let question = LiveQuestion(kind)
        let isPosted = state.withLock { state in
            if !state.hasEnded { post(question) }
            return !state.hasEnded
        }
        return isPosted ? question.wait(seconds: Self.patienceSeconds) : nil
    }

    /// Nothing is posted after this.
    func end() { state.withLock { $0.hasEnded = true } }
}
