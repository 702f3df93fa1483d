import Foundation
import Platform

/// The one stream of changes. A thread looks once a second while somebody listens, says what has changed once for all
/// of them, and keeps the latest message only: whoever is too slow for it gets everything anew with the next one.
final class LiveFeed: @unchecked Sendable {
    static let listenersMax = 32
    private static let intervalSeconds = 1.0
    /// So often something is said, so that a listener who has gone is noticed.
    private static let silentSeconds = 10.0

    // Unchecked: everything below is touched under `condition`.
    private let condition = NSCondition()
    private var summary = LiveSummary()
    private var number: UInt64 = 0
    /// As bytes: what has changed with the latest number, and everything, made when somebody needs it.
    private var change: [UInt8] = []
    private var everything: [UInt8]?
    private var listenerCount = 0
    private var isEnding = false
    private var isRunning = false
    private let hasEnded = DispatchSemaphore(value: 0)
    private let look: @Sendable () -> LiveSummary?

    /// - Parameter look: how everything stands; nil where nobody knows. Called on the feed's thread.
    init(look: @escaping @Sendable () -> LiveSummary?) { self.look = look }

    func begin() {
        isRunning = true
        let thread = Thread { self.run() }
        thread.name = "live"
        thread.start()
    }

    /// Ends all streams and the thread. Once.
    func end() {
        condition.lock()
        isEnding = true
        condition.broadcast()
        condition.unlock()
        if isRunning { hasEnded.wait() }
    }

    /// - Parameter isAllowed: asked before each message.
    /// - Returns: nil where there are too many listeners.
    func listen(isAllowed: @escaping @Sendable () -> Bool) -> (any HTTPResponse.Stream)? {
        condition.lock()
        defer { condition.unlock() }
        guard listenerCount < Self.listenersMax, !isEnding else { return nil }
        listenerCount += 1
        condition.broadcast()
        return Listener(self, isAllowed)
    }

    private final class Listener: HTTPResponse.Stream, @unchecked Sendable {
        // Unchecked: the connection's thread is the only one.
        private let feed: LiveFeed
        private let isAllowed: @Sendable () -> Bool
        private var heard: UInt64?
        private var isTurnedAway = false

        init(_ feed: LiveFeed, _ isAllowed: @escaping @Sendable () -> Bool) {
            (self.feed, self.isAllowed) = (feed, isAllowed)
        }

        func next() -> [UInt8]? {
            if isTurnedAway { return nil }
            isTurnedAway = !isAllowed()
            if isTurnedAway { return Array("event: end\ndata: {}\n\n".utf8) }
            guard let (number, bytes) = feed.message(after: heard) else { return nil }
            heard = number
            return bytes
        }

        func end() { feed.leave() }
    }

    private func leave() {
        condition.lock()
        listenerCount -= 1
        condition.unlock()
    }

    /// Waits for it.
    private func message(after heard: UInt64?) -> (UInt64?, [UInt8])? {
        condition.lock()
        defer { condition.unlock() }
        let deadline = Date(timeIntervalSinceNow: Self.silentSeconds)
        while !isEnding, number == 0 || number == heard {
            guard condition.wait(until: deadline) else { return (heard, Array(":\n\n".utf8)) }
        }
        guard !isEnding else { return nil }
        if let heard, heard + 1 == number { return (number, change) }
        let all = everything ?? Self.bytes("state", summary.values)
        everything = all
        return (number, all)
    }

    private static func bytes(_ event: String, _ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else { preconditionFailure("a summary is always encodable") }
        return Array("event: \(event)\ndata: ".utf8) + data + Array("\n\n".utf8)
    }

    // MARK: - On the thread

    private func run() {
        while waitForListeners() {
            let found = look()
            condition.lock()
            if let found { publish(found) }
            // A second from look to look, whoever comes and goes.
            let deadline = Date(timeIntervalSinceNow: Self.intervalSeconds)
            while !isEnding, condition.wait(until: deadline) {}
            condition.unlock()
        }
        hasEnded.signal()
    }

    private func waitForListeners() -> Bool {
        condition.lock()
        defer { condition.unlock() }
        while !isEnding, listenerCount == 0 { condition.wait() }
        return !isEnding
    }

    private func publish(_ found: LiveSummary) {
        let change = found.change(since: summary)
        guard !change.isEmpty else { return }
        (summary, everything) = (found, nil)
        self.change = Self.bytes("change", change)
        number += 1
        condition.broadcast()
    }
}
