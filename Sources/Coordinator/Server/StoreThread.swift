import Foundation
import Platform
import Protocol

/// Commits turns in their order, on a thread of its own: the network goes on while the disk syncs. Turns that have
/// come meanwhile share one transaction, and with it one sync.
///
/// A disk that is full is waited for: the same turns are tried again until there is room. Any other failure ends the
/// commits; what is queued is dropped, until the loop has read what the store remembers and calls `goOn`.
final class StoreThread: @unchecked Sendable {
    enum Report: Sendable {
        /// The blobs that nothing refers to since, for each turn in its order.
        case committed([(number: UInt64, unreferenced: [ContentDigest])])
        /// The disk is full; what people have to do.
        case waits(String)
        case failed(String)
    }

    private let store: Store
    private let folder: String
    private let log: Log
    private let report: @Sendable (Report) -> Void
    private let condition = NSCondition()
    // Guarded by `condition`; the store is the thread's own while `isCommitting`.
    private var queue: [Turn] = []
    private var isCommitting = false
    private var hasFailed = false
    private var isEnding = false
    private let hasEnded = DispatchSemaphore(value: 0)

    private static let retrySeconds = 1.0

    /// - Parameter report: called on the thread; must return at once.
    init(store: Store, folder: String, log: Log, report: @escaping @Sendable (Report) -> Void) {
        (self.store, self.folder, self.log, self.report) = (store, folder, log, report)
        let thread = Thread { self.run() }
        thread.name = "store"
        thread.start()
    }

    func commit(_ turn: Turn) {
        condition.lock()
        defer { condition.unlock() }
        guard !hasFailed else { return }
        queue.append(turn)
        condition.signal()
    }

    /// Does something with the store between two commits.
    func withStore<Result>(_ body: (Store) throws -> Result) rethrows -> Result {
        condition.lock()
        defer { condition.unlock() }
        while isCommitting { condition.wait() }
        return try body(store)
    }

    /// After a failure: turns are taken again.
    func goOn() {
        condition.lock()
        hasFailed = false
        condition.unlock()
    }

    /// Ends the thread and closes the store; what is queued is committed before, unless there is no room for it.
    func end() {
        condition.lock()
        isEnding = true
        condition.broadcast()
        condition.unlock()
        hasEnded.wait()
        store.close()
    }

    // MARK: - On the thread

    private func run() {
        while let turns = next() {
            commitPatiently(turns)
            condition.lock()
            isCommitting = false
            condition.broadcast()
            condition.unlock()
        }
        hasEnded.signal()
    }

    private func next() -> [Turn]? {
        condition.lock()
        defer { condition.unlock() }
        while queue.isEmpty, !isEnding { condition.wait() }
        guard !queue.isEmpty else { return nil }
        defer { queue = [] }
        isCommitting = true
        return queue
    }

    private func commitPatiently(_ turns: [Turn]) {
        var hasTold = false
        while true {
            do {
                return report(.committed(try commit(turns)))
            } catch where Self.isForWantOfRoom(error) {
                if !hasTold { log.problem("nothing can be kept, and is tried again until there is room: \(error)") }
                hasTold = true
                report(.waits("coordinator: \(error)"))
                guard waits() else { return }
            } catch {
                log.problem("nothing of this turn was kept: \(error)")
                condition.lock()
                (hasFailed, queue) = (true, [])
                condition.unlock()
                return report(.failed("\(error)"))
            }
        }
    }

    /// - Returns: false when the coordinator ends meanwhile.
    private func waits() -> Bool {
        condition.lock()
        defer { condition.unlock() }
        let deadline = Date(timeIntervalSinceNow: Self.retrySeconds)
        while !isEnding, condition.wait(until: deadline) {}
        return !isEnding
    }

    private static func isForWantOfRoom(_ error: any Error) -> Bool {
        (error as? StoreError)?.kind == .diskFull || (error as? FileError)?.isDiskFull == true
    }

    private func commit(_ turns: [Turn]) throws -> [(number: UInt64, unreferenced: [ContentDigest])] {
        if case .fail(let code) = Failpoint.hit("store.beforeCommit", detail: folder) {
            throw FileError(operation: "commit", path: folder, code: code)
        }
        let wall = Int64(WallClock.nowSeconds() * 1000)
        let unreferenced = try store.commit(turns, wallMilliseconds: wall)
        _ = Failpoint.hit("store.afterCommit", detail: folder)
        for change in turns.lazy.flatMap(\.changes) {
            if let level = change.logLevel { log(level, "\(change)") }
        }
        return zip(turns, unreferenced).map { ($0.number, $1) }
    }
}

extension StoreChange {
    /// For people who watch the coordinator's log; nil for what only the audit has.
    var logLevel: Log.Level? {
        switch self {
        case .workReady, .workVoting, .votesCounted, .metricsAccepted: return nil
        case .workRefused, .votesDamaged, .messageRefused, .checkpointDropped: return .problem
        case .leaseEnded(_, _, .drained), .leaseEnded(_, _, .revoked): return .notice
        case .leaseEnded: return .problem
        case .runEnded(_, let refusedCount): return refusedCount > 0 ? .problem : .notice
        default: return .notice
        }
    }
}
