import Protocol

// Runs that are forgotten.

extension Store {
    /// All rows of a run go but those of the audit; its blobs are candidates for removal.
    func forget(_ run: RunID, _ released: inout [String]) throws {
        let works = "(SELECT id FROM works WHERE run = ?1)"
        for digests in [
            "SELECT digest FROM outputs WHERE work IN \(works)",
            "SELECT digest FROM checkpoints WHERE work IN \(works)",
            "SELECT digest FROM run_inputs WHERE run = ?1", "SELECT digest FROM item_inputs WHERE run = ?1",
        ] {
            try database.query(digests, id(run)) { released.append($0.text(0)) }
        }
        try forgetChecks(of: run, &released)
        for table in ["outputs", "checkpoints", "leases", "attempts", "makers"] {
            try database.run("DELETE FROM \(table) WHERE work IN \(works)", id(run))
        }
        for table in ["works", "figures", "item_inputs", "items", "run_inputs", "steps"] {
            try database.run("DELETE FROM \(table) WHERE run = ?", id(run))
        }
        try database.run("DELETE FROM runs WHERE id = ?", id(run))
    }

    /// The highest numbers ever given.
    package func lastNumbers() throws -> LastNumbers {
        var numbers = LastNumbers()
        try database.query("SELECT last_run, last_work FROM numbers") {
            numbers = LastNumbers(run: $0.bits(0), work: $0.bits(1))
        }
        guard max(numbers.run, numbers.work) <= RecoveredRun.numberMax else {
            throw StoreError(
                kind: .corrupt, code: 0, message: "has given impossible numbers", sql: "", path: database.path)
        }
        return numbers
    }

    /// Runs that ended before a moment, oldest first.
    package func runs(endedBefore wallMilliseconds: Int64) throws -> [RunID] {
        var found: [RunID] = []
        try database.query(
            "SELECT id FROM runs WHERE state <> 'running' AND ended_ms < ? ORDER BY id", .integer(wallMilliseconds)
        ) { found.append(RunID($0.bits(0))) }
        return found
    }
}
