import Protocol

// A state folder may come from anywhere. What a database says is checked before the scheduler, which trusts its own
// state, sees it.

extension RecoveredRun {
    /// Numbers above this were never given: adding one to a number below it does not overflow.
    static let numberMax: UInt64 = 1 << 62

    /// Whether its request and its numbers can be: before room is made for its works.
    var isPossible: Bool {
        // One that was closed without an item is none to submit, and may be there.
        var asked = request
        asked.isOpen = asked.plan.hasItems
        let numbers = 1...Self.numberMax
        return asked.problem == nil && numbers.contains(id.value) && numbers.contains(firstWork.value)
            && itemBlocks.allSatisfy { numbers.contains($0.work.value) }
            && collected.allSatisfy(request.items.indices.contains)
    }

    /// Whether each of its works is in a state that those around it allow.
    var isWhole: Bool {
        let run = record
        guard checks.allSatisfy({ table.run(of: $0.work) == id && table[$0.work]!.kind != .vote }) else { return false }
        return run.works.allSatisfy { id in
            guard table.isTouched(id) || table.state(of: id) == .ready else { return true }
            let work = table[id]!
            return hasPossibleCounts(work) && hasWhatItsStateNeeds(work, run)
        }
    }

    private func hasPossibleCounts(_ work: WorkRecord) -> Bool {
        let counts = 0...1_000_000
        return work.epoch <= Self.numberMax && counts.contains(work.failureCount) && counts.contains(work.lossCount)
            && work.attempts.values.allSatisfy { counts.contains($0.failureCount) && counts.contains($0.lossCount) }
    }

    private func hasWhatItsStateNeeds(_ work: WorkRecord, _ run: RunRecord) -> Bool {
        if work.state == .leased && work.lease?.hasLapsed != false { return false }
        if (work.state == .voting) && work.kind != .vote { return false }
        if work.kind == .vote && (work.state == .ready || work.state == .leased) { return false }
        guard work.state == .ready || work.state == .leased || work.state == .voting else { return true }
        let step = request.plan.steps[work.step]
        return step.inputs.allSatisfy { input in
            guard case .step(let earlier) = input.source else { return true }
            let isBeside = request.plan.steps[earlier].fan == step.fan
            let producers = (isBeside ? work.index..<work.index + 1 : 0..<run.layout.counts[earlier]).map {
                run.work(earlier, $0)
            }
            guard producers.allSatisfy({ table.state(of: $0) == .done }) else { return false }
            let made = producers.map { table[$0]! }
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
