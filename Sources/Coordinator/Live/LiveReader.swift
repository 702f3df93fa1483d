import Platform
import Protocol

/// What the live page reads of what is committed, over a connection to the database of its own: it holds up no commit
/// and not the thread that decides. From any thread, one at a time.
final class LiveReader: @unchecked Sendable {
    // Unchecked: everything below is touched under `lock`.
    private let lock = Guarded(())
    private let store: Store
    private let build: String
    private var created: [UInt64: String] = [:]
    private var ended: [RunID: (endedMilliseconds: Int64, run: StatusReport.Run)] = [:]
    private var curves: [CurveKey: (curve: LiveCurve, used: UInt64)] = [:]
    private var useCount: UInt64 = 0

    private struct CurveKey: Hashable {
        var run: RunID
        var step: String
        var replica: Int
    }

    private static let createdMax = 1_000
    /// Some dozens of bytes a point: in all less than a MiB.
    private static let curvesMax = 64
    private static let figuresAtOnceMax = 20_000
    private static let moveEventsMax = 5_000

    init(store: Store, build: String) { (self.store, self.build) = (store, build) }

    func close() { lock.withLock { _ in store.close() } }

    /// "2026-03-01T08:30:00Z"; nil while its commit is under way.
    func submittedAt(_ run: UInt64) -> String? {
        lock.withLock { _ in
            if let known = created[run] { return known }
            guard let milliseconds = try? store.createdMilliseconds(of: RunID(run)) else { return nil }
            if created.count >= Self.createdMax { created = [:] }
            created[run] = StatusReport.time(ofMilliseconds: milliseconds)
            return created[run]
        }
    }

    /// The latest that have ended, newest first.
    func endedRuns(countMax: Int) throws -> [StatusReport.Run] {
        try lock.withLock { _ in
            let latest = try store.endedRuns(countMax: countMax)
            var kept: [RunID: (endedMilliseconds: Int64, run: StatusReport.Run)] = [:]
            for (id, endedMilliseconds) in latest {
                if let known = ended[id], known.endedMilliseconds == endedMilliseconds {
                    kept[id] = known
                } else if let run = try describe(id) {
                    kept[id] = (endedMilliseconds, run)
                }
            }
            ended = kept
            return latest.compactMap { kept[$0.run]?.run }
        }
    }

    /// One that has ended, or was never there.
    func run(_ id: RunID) throws -> StatusReport.Run? { try lock.withLock { _ in try describe(id) } }

    private func describe(_ id: RunID) throws -> StatusReport.Run? {
        var maker = StatusMaker(
            scheduler: Scheduler(configuration: .init(leaseMilliseconds: 1)), nowMilliseconds: 0, build: build)
        maker.facts = store.facts
        maker.archived = store.archived
        return try maker.report(run: id, events: nil).runs.first
    }

    /// A replica's figures so far.
    /// - Returns: whether there are more than were read this time.
    func curve(_ run: RunID, step: String, replica: Int) throws -> (curve: LiveCurve, more: Bool) {
        try lock.withLock { _ in
            let key = CurveKey(run: run, step: step, replica: replica)
            var curve = curves[key]?.curve ?? LiveCurve()
            var (readCount, more) = (0, true)
            while more, readCount < Self.figuresAtOnceMax {
                let (figures, follow) = try store.figures(
                    of: run, step: step, replica: replica, firstIteration: curve.lastIteration + 1,
                    countMax: Limits.metricsMax)
                for one in figures { curve.append(one) }
                (readCount, more) = (readCount + figures.count, follow)
            }
            useCount += 1
            curves[key] = (curve, useCount)
            if curves.count > Self.curvesMax, let oldest = curves.min(by: { $0.value.used < $1.value.used }) {
                curves[oldest.key] = nil
            }
            return (curve, more)
        }
    }

    func endedPieces(
        of run: RunID, refused: Bool, named: String?, offset: Int, countMax: Int
    ) throws -> [Store.EndedPiece] {
        try lock.withLock { _ in
            try store.endedPieces(of: run, refused: refused, named: named, offset: offset, countMax: countMax)
        }
    }

    func moves(of run: RunID) throws -> [LiveMoves.Replica] {
        try lock.withLock { _ in
            LiveMoves(try store.sessionEvents(of: run, countMax: Self.moveEventsMax)).replicas
        }
    }
}
