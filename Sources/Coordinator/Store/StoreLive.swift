import Protocol

// What the live page shows of what is stored.

extension Store {
    /// The latest runs that have ended or were cancelled, newest first.
    func endedRuns(countMax: Int) throws -> [(run: RunID, endedMilliseconds: Int64)] {
        var found: [(run: RunID, endedMilliseconds: Int64)] = []
        try database.query(
            "SELECT id, ifnull(ended_ms, 0) FROM runs WHERE state <> 'running' ORDER BY id DESC LIMIT ?",
            .integer(Int64(countMax))
        ) { found.append((RunID($0.bits(0)), $0.integer(1))) }
        return found
    }

    /// nil for a run that the store does not know.
    func createdMilliseconds(of run: RunID) throws -> Int64? {
        var created: Int64?
        try database.query("SELECT created_ms FROM runs WHERE id = ?", id(run)) { created = $0.integer(0) }
        return created
    }

    /// A piece of work that has ended.
    struct EndedPiece: Encodable, Equatable {
        var name: String
        var step: String
        /// What its worker said of the result, the recipe's JSON; of one that was refused, why.
        var report: String
        var worker: String?
        /// That workers computed, all steps of an item together.
        var seconds: Double
        /// Milliseconds since 1970.
        var at: Int64
    }

    /// The latest pieces of a run that have ended, newest first: those that were refused for a reason of their own, or
    /// the answers of items.
    /// - Parameter named: only those in whose name this is; nil for all.
    func endedPieces(of run: RunID, refused: Bool, named: String?, offset: Int, countMax: Int) throws -> [EndedPiece] {
        var found: [EndedPiece] = []
        let which = refused ? "w.state = 'refused'" : "w.state = 'done' AND st.fan = 'item'"
        // What a LIKE would take for more than itself is quoted.
        let pattern = named.map { name in
            "%" + name.flatMap { "\\%_".contains($0) ? ["\\", $0] : [$0] } + "%"
        }
        let name = "CASE st.fan WHEN 'item' THEN i.name WHEN 'replica' THEN 'replica-' || w.position ELSE st.label END"
        try database.query(
            """
            SELECT st.fan, w.position, i.name, st.label, w.report, w.done_by, w.changed_ms,
                CASE st.fan WHEN 'item' THEN (SELECT ifnull(sum(seconds), 0) FROM works s WHERE +s.run = w.run
                    AND s.position = w.position AND s.id BETWEEN i.first_work AND w.id) ELSE w.seconds END
            FROM works w JOIN steps st ON st.run = w.run AND st.position = w.step
            LEFT JOIN items i ON i.run = w.run AND i.position = w.position
            WHERE w.run = ?1 AND w.sequence > 0 AND \(which)
                AND (?2 IS NULL OR \(name) LIKE ?2 ESCAPE '\\') ORDER BY w.sequence DESC LIMIT ?3 OFFSET ?4
            """, id(run), .optional(pattern), .integer(Int64(countMax)), .integer(Int64(offset))
        ) { row in
            found.append(EndedPiece(
                name: Self.pieceName(row, fan: 0, label: 3, position: 1, item: 2), step: row.text(3),
                report: row.text(4), worker: row.optionalText(5), seconds: row.real(7), at: row.integer(6)))
        }
        return found
    }

    /// What the audit has of a run's sessions, oldest first; of one with very many entries the latest.
    func sessionEvents(of run: RunID, countMax: Int) throws -> [LiveMoves.Entry] {
        var found: [LiveMoves.Entry] = []
        try database.query(
            """
            SELECT e.id, e.time_ms, e.kind, e.work, e.epoch, e.worker, e.iteration, e.outcome, e.message, st.label,
                w.position
            FROM events e JOIN works w ON w.id = e.work JOIN steps st ON st.run = w.run AND st.position = w.step
            WHERE e.run = ? AND e.superseded = 0 AND st.kind = 'session' AND e.kind IN
                ('lease', 'backup', 'release', 'revive', 'checkpoint', 'metrics', 'result', 'refuse')
            ORDER BY e.id DESC LIMIT ?
            """, id(run), .integer(Int64(countMax))
        ) { row in
            let event = AuditEvent(
                id: row.integer(0), wallMilliseconds: row.integer(1), run: run, kind: row.text(2),
                work: WorkID(row.bits(3)), epoch: row.optionalInteger(4).map { UInt64(bitPattern: $0) },
                worker: row.optionalText(5), iteration: row.optionalInteger(6).map { UInt32(clamping: $0) },
                outcome: row.optionalText(7), message: row.text(8))
            found.append(LiveMoves.Entry(event: event, step: row.text(9), replica: row.int(10)))
        }
        return found.reversed()
    }
}
