import Protocol

/// What the store knows of a run beyond what the scheduler decides by.
package struct RunFacts: Sendable {
    package var state = RunState.running
    package var createdMilliseconds: Int64 = 0
    package var endedMilliseconds: Int64?
    /// The first pieces that were refused, and why.
    package var refusals: [Refused] = []

    package struct Refused: Hashable, Sendable {
        /// "replica-3", "calibration", a volume's name.
        package var piece: String
        package var reason: String
    }

    package static let refusalsMax = 20
}

extension Store {
    /// nil for a run that the store does not know.
    package func facts(of run: RunID) throws -> RunFacts? {
        var facts = RunFacts(), isKnown = false
        try database.query("SELECT created_ms, ended_ms, state FROM runs WHERE id = ?", id(run)) {
            isKnown = true
            facts.createdMilliseconds = $0.integer(0)
            facts.endedMilliseconds = $0.optionalInteger(1)
            facts.state = RunState(rawValue: $0.text(2)) ?? .running
        }
        guard isKnown else { return nil }
        try database.query(
            """
            SELECT w.stage, w.position, s.name, w.report FROM works w
            LEFT JOIN shards s ON s.run = w.run AND s.position = w.position
            WHERE w.run = ? AND w.state = 'refused' AND ifnull(w.cause, '') <> 'dependency' ORDER BY w.id LIMIT ?
            """, id(run), .integer(Int64(RunFacts.refusalsMax))
        ) { row in
            let piece: String
            switch row.text(0) {
            case "train": piece = "replica-\(row.int(1))"
            case "calibrate": piece = "calibration"
            default: piece = row.text(2)
            }
            facts.refusals.append(RunFacts.Refused(piece: piece, reason: row.text(3)))
        }
        return facts
    }
}
