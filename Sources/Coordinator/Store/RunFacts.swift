import Protocol

/// What the store knows of a run beyond what the scheduler decides by.
package struct RunFacts: Sendable {
    package var state = RunState.running
    package var createdMilliseconds: Int64 = 0
    package var endedMilliseconds: Int64?
    /// Of what was to be done once more and compared.
    package var checkedCount = 0
    package var missedCount = 0
    package var disputedCount = 0
    /// The first pieces that were refused, and why.
    package var refusals: [Refused] = []

    package struct Refused: Hashable, Sendable {
        /// "replica-3", an item's name, a step's label.
        package var piece: String
        package var reason: String
    }

    package static let refusalsMax = 20
}

extension Store {
    /// nil for a run that the store does not know.
    package func facts(of run: RunID) throws -> RunFacts? {
        var facts = RunFacts(), isKnown = false
        try database.query(
            "SELECT created_ms, ended_ms, state, checked, missed, disputed FROM runs WHERE id = ?", id(run)
        ) {
            isKnown = true
            facts.createdMilliseconds = $0.integer(0)
            facts.endedMilliseconds = $0.optionalInteger(1)
            facts.state = RunState(rawValue: $0.text(2)) ?? .running
            (facts.checkedCount, facts.missedCount, facts.disputedCount) = ($0.int(3), $0.int(4), $0.int(5))
        }
        guard isKnown else { return nil }
        try database.query(
            """
            SELECT st.fan, w.position, i.name, w.report, st.label FROM works w
            JOIN steps st ON st.run = w.run AND st.position = w.step
            LEFT JOIN items i ON i.run = w.run AND i.position = w.position
            WHERE w.run = ? AND w.state = 'refused' AND ifnull(w.cause, '') <> 'dependency' ORDER BY w.id LIMIT ?
            """, id(run), .integer(Int64(RunFacts.refusalsMax))
        ) { row in
            let piece = Self.pieceName(row, fan: 0, label: 4, position: 1, item: 2)
            facts.refusals.append(RunFacts.Refused(piece: piece, reason: row.text(3)))
        }
        return facts
    }
}
