import Protocol

// A state folder may come from anywhere. What a database says is checked before the scheduler, which trusts its own
// state, sees it.

extension RecoveredRun {
    /// Numbers above this were never given: adding one to a number below it does not overflow.
    static let numberMax: UInt64 = 1 << 62

    /// Whether its works are the ones that its request leads to, each in a state that those around it allow.
    var isWhole: Bool {
        // One that was closed without an item is none to submit, and may be there.
        var asked = request
        asked.isOpen = asked.plan.hasItems
        guard asked.problem == nil, (1...Self.numberMax).contains(id.value),
            (1...Self.numberMax).contains(firstWork.value)
        else { return false }
        guard itemBlocks.allSatisfy({ (1...Self.numberMax).contains($0.work.value) }) else { return false }
        let run = RunRecord(id: id, request: request, firstWork: firstWork, itemBlocks: itemBlocks)
        let layout = run.layout
        guard layout.workCount == works.count,
            zip(run.works, works).enumerated().allSatisfy({ offset, pair in
                pair.0 == pair.1.id && layout.piece(atOffset: offset) == (pair.1.step, pair.1.index)
            })
        else { return false }
        return works.allSatisfy { hasPossibleCounts($0) && hasWhatItsStateNeeds($0, layout) }
    }

    private func hasPossibleCounts(_ work: WorkRecord) -> Bool {
        let counts = 0...1_000_000
        return work.epoch <= Self.numberMax && counts.contains(work.failureCount) && counts.contains(work.lossCount)
            && work.attempts.values.allSatisfy { counts.contains($0.failureCount) && counts.contains($0.lossCount) }
    }

    private func hasWhatItsStateNeeds(_ work: WorkRecord, _ layout: WorkLayout) -> Bool {
        if work.state == .leased && work.lease?.hasLapsed != false { return false }
        if (work.state == .voting) && work.kind != .vote { return false }
        if work.kind == .vote && (work.state == .ready || work.state == .leased) { return false }
        guard work.state == .ready || work.state == .leased || work.state == .voting else { return true }
        let step = request.plan.steps[work.step]
        return step.inputs.allSatisfy { input in
            guard case .step(let earlier) = input.source else { return true }
            let isBeside = request.plan.steps[earlier].fan == step.fan
            let producers = isBeside ? work.index..<work.index + 1 : 0..<layout.counts[earlier]
            let made = producers.map { works[layout.offset(ofStep: earlier, index: $0)] }
            guard made.allSatisfy({ $0.state == .done }) else { return false }
            guard work.kind == .vote || !input.role.isEmpty else { return true }
            let count = made.reduce(0) { $0 + $1.outputs.count { input.role.isEmpty || $0.role == input.role } }
            return work.kind == .vote ? count == request.replicaCount : count >= made.count
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
