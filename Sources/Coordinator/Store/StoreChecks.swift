import Protocol

// A state folder may come from anywhere. What a database says is checked before the scheduler, which trusts its own
// state, sees it.

extension RecoveredRun {
    /// Numbers above this were never given: adding one to a number below it does not overflow.
    static let numberMax: UInt64 = 1 << 62

    /// Whether its works are the ones that its request leads to, each in a state that those around it allow.
    var isWhole: Bool {
        guard Scheduler.problem(of: request) == nil, (1...Self.numberMax).contains(id.value),
            (1...Self.numberMax).contains(firstWork.value)
        else { return false }
        let made = Scheduler.makeWorks(run: id, request: request, firstWork: firstWork)
        return made.count == works.count
            && zip(made, works).allSatisfy { $0.id == $1.id && $0.stage == $1.stage && $0.index == $1.index }
            && works.allSatisfy { hasPossibleCounts($0) && hasWhatItsStateNeeds($0) }
    }

    private func hasPossibleCounts(_ work: WorkRecord) -> Bool {
        let counts = 0...1_000_000
        return work.epoch <= Self.numberMax && counts.contains(work.failureCount) && counts.contains(work.lossCount)
            && work.attempts.values.allSatisfy { counts.contains($0.failureCount) && counts.contains($0.lossCount) }
    }

    private func hasWhatItsStateNeeds(_ work: WorkRecord) -> Bool {
        let isGivenOut = work.state == .ready || work.state == .leased
        if work.state == .leased && work.lease?.hasLapsed != false { return false }
        if work.state == .voting && work.stage != .finish { return false }
        switch work.stage {
        case .train: return work.state != .done || !work.outputs.isEmpty
        case .calibrate: return !isGivenOut || works.dropLast().allSatisfy { $0.state == .done }
        case .predict: return true
        case .finish:
            // Its predict comes right before it.
            let votes = works[2 * work.index].votes
            return (!isGivenOut || work.voted != nil) && (work.state != .voting || votes.count == request.replicaCount)
        }
    }
}

extension Migrations {
    /// Our tables, views and indexes and nothing else: SQL that somebody hid in a file (a trigger, a view) never runs.
    /// Then whether the file's pages and rows hold together.
    /// - Throws: `StoreError` of kind corrupt.
    package static func check(_ database: Database, steps: [String] = steps) throws {
        let fresh = try Database(path: ":memory:")
        for step in steps { try fresh.execute(step) }
        guard try schema(of: database) == schema(of: fresh) else {
            throw StoreError(
                kind: .corrupt, code: 0, message: "has other tables than those of schema \(steps.count)", sql: "",
                path: database.path)
        }
        var report: [String] = []
        try database.query("PRAGMA quick_check(1)") { report.append($0.text(0)) }
        guard report == ["ok"] else {
            throw StoreError(
                kind: .corrupt, code: 0, message: report.first ?? "says nothing of itself", sql: "",
                path: database.path)
        }
    }

    private static func schema(of database: Database) throws -> [String] {
        var parts: [String] = []
        try database.query("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name") { row in
            parts.append((0..<4).map { row.text($0) }.joined(separator: "\u{1F}"))
        }
        return parts
    }
}
