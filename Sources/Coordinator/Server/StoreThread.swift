import Foundation
import Platform
import Protocol

/// Commits turns in their order, on a thread of its own: the network goes on while the disk syncs. Turns that have
/// come meanwhile share one transaction, and with it one sync. What else the store has to do is done between them.
///
/// A disk that is full is waited for: the same turns are tried again until there is room, and later ones wait behind
/// them. Any other failure ends the commits; what is queued is dropped, until the loop has read what the store
/// remembers (`startAgain`).
package final class StoreThread: @unchecked Sendable {
    package enum Report: Sendable {
        /// The blobs that nothing refers to since, for each turn in its order.
        /// - seconds: how long the transaction took, with its sync.
        /// - change: for those who follow; nil while nobody does.
        case committed([(number: UInt64, unreferenced: [ContentDigest])], seconds: Double, change: StandbyChange?)
        /// A copy of everything up to a turn is in this file; every commit after it has its change.
        case snapshot(path: String, number: UInt64, requestID: UInt32, to: ConnectionID)
        case snapshotFailed(String, requestID: UInt32, to: ConnectionID)
        /// The disk is full; what people have to do.
        case waits(String)
        case failed(String)
    }

    private let store: Store
    private let folder: String
    private let log: Log
    /// The thread's own.
    private let eventLog: EventLog?
    /// The last turn that is committed.
    private var lastNumber: UInt64 = 0
    /// Up to which turn everything has been said. Where a standby has to have it before, nothing later is committed:
    /// who reads what is committed would else see what a standby that takes over does not have.
    private var saidNumber: UInt64 = 0
    private let waitsForSaying: Bool
    private let report: @Sendable (Report) -> Void
    private let condition = NSCondition()
    // Guarded by `condition`; the store is the thread's own while `isAtWork`.
    private var waiting = Batch()
    private var isAtWork = false
    private var hasFailed = false
    private var isEnding = false
    private let hasEnded = DispatchSemaphore(value: 0)

    /// What waits, in this order.
    private struct Batch {
        var jobs: [Job] = []
        var turns: [Turn] = []
        var isEmpty: Bool { jobs.isEmpty && turns.isEmpty }
    }

    private struct Job {
        var ifItFails: String
        var body: @Sendable (Store) throws -> Void
    }

    private static let retrySeconds = 1.0

    /// - Parameter report: called on the thread; must return at once.
    package init(
        store: Store, folder: String, log: Log, eventLog: EventLog? = nil, waitsForSaying: Bool = false,
        report: @escaping @Sendable (Report) -> Void
    ) {
        (self.store, self.folder, self.log, self.eventLog, self.report) = (store, folder, log, eventLog, report)
        self.waitsForSaying = waitsForSaying
        let thread = Thread { self.run() }
        thread.name = "store"
        thread.start()
    }

    package func commit(_ turn: Turn) {
        condition.lock()
        defer { condition.unlock() }
        guard !hasFailed else { return }
        waiting.turns.append(turn)
        condition.signal()
    }

    /// Before every turn that comes later. Tried once: it can be done without.
    /// - Parameter ifItFails: for the log, with the reason behind it.
    func perform(ifItFails: String, _ body: @escaping @Sendable (Store) throws -> Void) {
        condition.lock()
        defer { condition.unlock() }
        waiting.jobs.append(Job(ifItFails: ifItFails, body: body))
        condition.signal()
    }

    /// Everything of this turn, and of all before it, has been said.
    func hasSaid(_ number: UInt64) {
        condition.lock()
        defer { condition.unlock() }
        guard number > saidNumber else { return }
        saidNumber = number
        condition.signal()
    }

    /// After a failure: what the store remembers. Turns are taken again.
    /// - Returns: nil where the thread ends anyway.
    func startAgain() throws -> Recovery? {
        condition.lock()
        defer { condition.unlock() }
        while isAtWork { condition.wait() }
        guard !isEnding else { return nil }
        let recovery = try store.recovery()
        hasFailed = false
        // What was committed and not said is refused by now, and is what everybody goes on from.
        saidNumber = lastNumber
        return recovery
    }

    /// Ends the thread and closes the store; what is queued is done before, as far as there is room for it.
    /// - Parameter isAbrupt: what is queued is dropped, as when the process is killed.
    package func end(isAbrupt: Bool = false) {
        condition.lock()
        isEnding = true
        if isAbrupt { drop() }
        condition.broadcast()
        condition.unlock()
        hasEnded.wait()
        if !isAbrupt { eventLog?.close() }
        store.close()
    }

    /// What comes after a turn that was not kept must not be kept either.
    private func drop() { (hasFailed, waiting) = (true, Batch()) }

    // MARK: - On the thread

    private func run() {
        while let batch = next() {
            perform(batch)
            condition.lock()
            isAtWork = false
            condition.broadcast()
            condition.unlock()
        }
        hasEnded.signal()
    }

    private func next() -> Batch? {
        condition.lock()
        defer { condition.unlock() }
        while !isEnding, waiting.jobs.isEmpty, waiting.turns.isEmpty || !mayCommit { condition.wait() }
        guard !waiting.isEmpty else { return nil }
        isAtWork = true
        var batch = Batch()
        swap(&batch.jobs, &waiting.jobs)
        if mayCommit || isEnding { swap(&batch.turns, &waiting.turns) }
        return batch
    }

    private var mayCommit: Bool { !waitsForSaying || lastNumber <= saidNumber }

    private func hasCommitted(_ number: UInt64) {
        condition.lock()
        defer { condition.unlock() }
        lastNumber = number
    }

    private func perform(_ batch: Batch) {
        for job in batch.jobs {
            do { try job.body(store) } catch { log.problem("\(job.ifItFails): \(error)") }
        }
        guard !batch.turns.isEmpty else { return }
        do {
            let (ended, seconds) = try commitPatiently(batch.turns)
            hasCommitted(batch.turns.last!.number)
            report(.committed(ended, seconds: seconds, change: try change(of: batch.turns, ended)))
            eventLog?.append(from: store)
        } catch {
            log.problem("nothing of this turn was kept: \(error)")
            condition.lock()
            drop()
            condition.unlock()
            report(.failed("\(error)"))
        }
    }

    private func change(
        of turns: [Turn], _ ended: [(number: UInt64, unreferenced: [ContentDigest])]
    ) throws -> StandbyChange? {
        guard store.database.isCapturing else { return nil }
        let references = turns.reduce(into: Set()) { $0.formUnion($1.references) }
        return StandbyChange(
            number: lastNumber, references: references.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) },
            gone: ended.flatMap(\.unreferenced), changeset: try store.database.takeChanges())
    }

    /// A copy for somebody who follows from here on; from now on every commit says what it has changed.
    func takeSnapshot(to path: String, requestID: UInt32, for connection: ConnectionID) {
        perform(ifItFails: "") { [self] store in
            do {
                try store.database.copy(to: path)
                if !store.database.isCapturing { try store.database.beginCapture() }
                report(.snapshot(path: path, number: lastNumber, requestID: requestID, to: connection))
            } catch {
                report(.snapshotFailed("\(error)", requestID: requestID, to: connection))
            }
        }
    }

    /// Nobody follows any more.
    func endCapture() { perform(ifItFails: "") { $0.database.endCapture() } }

    /// Again and again while there is no room, until the coordinator ends.
    private func commitPatiently(
        _ turns: [Turn]
    ) throws -> (ended: [(number: UInt64, unreferenced: [ContentDigest])], seconds: Double) {
        var hasTold = false
        while true {
            let began = MonotonicClock.nowNanoseconds()
            do {
                return (try commit(turns), Double(MonotonicClock.nowNanoseconds() - began) / 1e9)
            } catch where Self.isForWantOfRoom(error) {
                if !hasTold { log.problem("nothing can be kept, and is tried again until there is room: \(error)") }
                hasTold = true
                report(.waits("coordinator: \(error)"))
                guard waits() else { throw error }
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
        case .checkAdded, .checkLeased: return nil
        case .checkEnded(_, _, _, let isRight, _): return isRight ? nil : .problem
        case .checkDiffers, .checkDropped, .machineSetAside, .worksMadeAgain: return .problem
        case .workRefused, .votesDamaged, .messageRefused, .checkpointDropped: return .problem
        case .leaseEnded(_, _, .drained), .leaseEnded(_, _, .revoked): return .notice
        case .leaseEnded: return .problem
        case .runEnded(_, let refusedCount): return refusedCount > 0 ? .problem : .notice
        default: return .notice
        }
    }
}
