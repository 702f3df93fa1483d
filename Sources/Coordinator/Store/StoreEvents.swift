import Protocol

/// One entry of the audit: who did what, as fields, and a sentence for people that nobody reads back.
package struct AuditEvent: Hashable, Sendable {
    /// Grows from each to the next.
    package var id: Int64
    package var wallMilliseconds: Int64
    package var run: RunID?
    /// `StoreChange.kind`; empty for one that an earlier version wrote.
    package var kind: String
    /// "replica-3", an item's name, a step's label; nil where it is about no piece of work.
    package var piece: String?
    package var work: WorkID?
    package var epoch: UInt64?
    package var worker: WorkerName?
    /// Up to which, or from which on, where it is about a session's.
    package var iteration: UInt32?
    /// How a lease ended (`LeaseEnd.word`).
    package var outcome: String?
    package var message: String

    package init(
        id: Int64, wallMilliseconds: Int64, run: RunID? = nil, kind: String, piece: String? = nil,
        work: WorkID? = nil, epoch: UInt64? = nil, worker: WorkerName? = nil, iteration: UInt32? = nil,
        outcome: String? = nil, message: String
    ) {
        (self.id, self.wallMilliseconds, self.run, self.kind) = (id, wallMilliseconds, run, kind)
        (self.piece, self.work, self.epoch, self.worker) = (piece, work, epoch, worker)
        (self.iteration, self.outcome, self.message) = (iteration, outcome, message)
    }
}

extension Store {
    /// The kinds that tell how far a session has come. Of those under one lease the latest says it all.
    private static let progressKinds = "('checkpoint', 'metrics')"

    func audit(_ change: StoreChange, _ wallMilliseconds: Int64) throws {
        if case .outputsReleased = change { return }  // no news: everything else about it is told
        let subject = change.subject
        var run = subject.run.map(id)
        if run == nil, let work = subject.work {
            try database.query("SELECT run FROM works WHERE id = ?", id(work)) { run = .integer($0.integer(0)) }
        }
        if change.isProgress, let work = subject.work, let epoch = subject.epoch {
            try database.run(
                """
                UPDATE events SET superseded = 1
                WHERE work = ? AND epoch = ? AND superseded = 0 AND kind IN \(Self.progressKinds)
                """, id(work), .bits(epoch))
        }
        try database.run(
            """
            INSERT INTO events(time_ms, run, work, epoch, worker, message, kind, iteration, outcome)
            VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            .integer(wallMilliseconds), run ?? .null, subject.work.map(id) ?? .null,
            subject.epoch.map { .bits($0) } ?? .null, .optional(subject.worker), .text(change.description),
            .text(change.kind), change.iteration.map { .integer(Int64($0)) } ?? .null, .optional(change.outcome))
    }

    /// The latest entries of the audit, oldest first; of one run, or of all. Of the checkpoints under a lease only the
    /// latest: a long training has thousands, and must not hide why a replica moved. However many there are, no more
    /// are read than are given.
    package func events(of run: RunID?, countMax: Int) throws -> [AuditEvent] {
        var found: [AuditEvent] = []
        let select = "\(Self.selectEvents) WHERE superseded = 0"
        let (order, count) = ("ORDER BY e.id DESC LIMIT ?", SQLValue.integer(Int64(countMax)))
        if let run {
            try database.query("\(select) AND e.run = ? \(order)", id(run), count) { found.append(Self.event($0)) }
        } else {
            try database.query("\(select) \(order)", count) { found.append(Self.event($0)) }
        }
        return found.reversed()
    }

    private static let selectEvents = """
        SELECT time_ms, e.run, message, st.fan, w.position, i.name, e.work, e.epoch, e.worker, st.label, e.kind,
            e.iteration, e.outcome, e.id
        FROM events e LEFT JOIN works w ON w.id = e.work
        LEFT JOIN steps st ON st.run = w.run AND st.position = w.step
        LEFT JOIN items i ON i.run = w.run AND i.position = w.position
        """

    /// All entries behind one, every checkpoint among them, oldest first.
    package func events(after id: Int64, countMax: Int) throws -> [AuditEvent] {
        var found: [AuditEvent] = []
        try database.query(
            "\(Self.selectEvents) WHERE e.id > ? ORDER BY e.id LIMIT ?", .integer(id), .integer(Int64(countMax))
        ) { found.append(Self.event($0)) }
        return found
    }

    /// 0 where there is none.
    package func latestEventID() throws -> Int64 {
        var latest: Int64 = 0
        try database.query("SELECT ifnull(max(id), 0) FROM events") { latest = $0.integer(0) }
        return latest
    }

    private static func event(_ row: SQLRow) -> AuditEvent {
        func number(_ column: Int32) -> UInt64? { row.optionalInteger(column).map { UInt64(bitPattern: $0) } }
        return AuditEvent(
            id: row.integer(13), wallMilliseconds: row.integer(0), run: number(1).map { RunID($0) }, kind: row.text(10),
            piece: row.optionalText(3).map { _ in pieceName(row, fan: 3, label: 9, position: 4, item: 5) },
            work: number(6).map { WorkID($0) }, epoch: number(7), worker: row.optionalText(8),
            iteration: number(11).map { UInt32(clamping: $0) }, outcome: row.optionalText(12), message: row.text(2))
    }
}

extension StoreChange {
    /// What happened, in a word, for scripts and among the failpoints: never renamed.
    package var kind: String {
        switch self {
        case .runAdded: return "submit"
        case .itemsAdded: return "append"
        case .itemsCollected: return "collect"
        case .itemsClosed: return "close"
        case .runReopened: return "reopen"
        case .runEnded: return "finish"
        case .runCancelled: return "cancel"
        case .runForgotten: return "forget"
        case .runPaused: return "pause"
        case .runResumed: return "resume"
        case .runPrioritised: return "prioritise"
        case .arithmeticChosen: return "arithmetic"
        case .leaseGranted: return "lease"
        case .backupGranted: return "backup"
        case .leaseEnded: return "release"
        case .leaseRevived: return "revive"
        case .checkpointAccepted: return "checkpoint"
        case .checkpointDropped: return "drop"
        case .metricsAccepted: return "metrics"
        case .resultAccepted: return "result"
        case .workReady: return "ready"
        case .workVoting: return "voting"
        case .votesCounted: return "vote"
        case .votesDamaged: return "recount"
        case .outputsDamaged: return "redo"
        case .outputsReleased: return "read"
        case .workRefused: return "refuse"
        case .messageRefused: return "stale"
        case .workerConnected: return "connect"
        case .workerDisconnected: return "disconnect"
        case .workerDrained: return "drain"
        case .checkAdded: return "check"
        case .checkLeased: return "check-lease"
        case .checkDiffers: return "check-differs"
        case .checkEnded: return "check-end"
        case .checkDropped: return "check-drop"
        case .machineSetAside: return "set-aside"
        case .machineReadmitted: return "readmit"
        case .worksMadeAgain: return "remake"
        }
    }

    /// Whom it is about, for the audit.
    var subject: (run: RunID?, work: WorkID?, epoch: UInt64?, worker: WorkerName?) {
        switch self {
        case .runAdded(let run, _, _), .itemsAdded(let run, _, _, _), .itemsClosed(let run),
            .itemsCollected(let run, _),
            .runReopened(let run, _), .runEnded(let run, _), .runCancelled(let run),
            .runForgotten(let run), .runPaused(let run), .runResumed(let run), .runPrioritised(let run, _),
            .arithmeticChosen(let run, _), .worksMadeAgain(let run, _, _):
            return (run, nil, nil, nil)
        case .checkAdded(let check): return (check.run, check.work, nil, check.opinions[0].worker)
        case .checkLeased(_, let worker, let work): return (nil, work, nil, worker)
        case .checkDiffers(_, let work, _), .checkEnded(_, let work, _, _, _), .checkDropped(_, let work, _, _):
            return (nil, work, nil, nil)
        case .machineSetAside, .machineReadmitted: return (nil, nil, nil, nil)
        case .leaseGranted(let lease, let worker, _), .backupGranted(let lease, let worker, _, _),
            .leaseEnded(let lease, let worker, _), .leaseRevived(let lease, let worker),
            .checkpointAccepted(let lease, let worker, _, _),
            .metricsAccepted(let lease, let worker, _), .messageRefused(let lease, let worker, _):
            return (nil, lease.work, lease.epoch, worker)
        case .resultAccepted(let result, let worker): return (nil, result.lease.work, result.lease.epoch, worker)
        case .workReady(let work), .workVoting(let work), .votesCounted(let work, _), .votesDamaged(let work, _, _),
            .outputsDamaged(let work, _, _), .outputsReleased(let work),
            .workRefused(let work, _, _), .checkpointDropped(let work, _):
            return (nil, work, nil, nil)
        case .workerConnected(let worker, _), .workerDisconnected(let worker), .workerDrained(let worker):
            return (nil, nil, nil, worker)
        }
    }

    /// Up to which iteration a session has come with it, or from which on it is leased.
    var iteration: UInt32? {
        switch self {
        case .leaseGranted(_, _, let iteration), .backupGranted(_, _, let iteration, _): return iteration
        case .checkpointAccepted(_, _, let checkpoint, _): return checkpoint.iteration
        case .checkpointDropped(_, let iteration): return iteration
        case .metricsAccepted(_, _, let metrics): return metrics.last?.iteration
        case .resultAccepted(let result, _): return result.metrics.last?.iteration
        default: return nil
        }
    }

    /// How a lease ended.
    var outcome: String? { if case .leaseEnded(_, _, let end) = self { end.word } else { nil } }

    /// Whether it tells how far a session has come.
    var isProgress: Bool {
        switch self {
        case .checkpointAccepted, .metricsAccepted: return true
        default: return false
        }
    }
}
