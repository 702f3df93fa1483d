import Protocol

extension Store {
    func figures(_ row: SQLRow, from column: Int32) throws -> IterationFigures {
        guard let figures = IterationFigures(iteration: row.uint32(column), text: row.text(column + 1)) else {
            throw corrupt("'\(row.text(column + 1).prefix(80))' are no figures")
        }
        return figures
    }

    // MARK: - Pages

    /// What a run has produced, in the order in which it came. What is just made again is not there.
    /// - Parameter sequence: of the output behind which they were listed; 0 for the beginning.
    package func outputs(
        of run: RunID, after sequence: UInt64, countMax: Int
    ) throws -> (outputs: [RunOutput], more: Bool) {
        var found: [(work: WorkID, output: RunOutput)] = []
        try database.query(
            """
            SELECT w.id, st.fan, w.position, state, report, i.name, st.label, sequence, w.done_by, w.is_shared,
                CASE st.fan WHEN 'item' THEN (SELECT ifnull(sum(seconds), 0) FROM works s WHERE +s.run = w.run
                    AND s.position = w.position AND s.id BETWEEN i.first_work AND w.id) ELSE w.seconds END
            FROM works w
            JOIN steps st ON st.run = w.run AND st.position = w.step
            LEFT JOIN items i ON i.run = w.run AND i.position = w.position
            WHERE w.run = ? AND sequence > ? AND state IN ('done', 'refused') ORDER BY sequence LIMIT ?
            """, id(run), .integer(Int64(clamping: sequence)), .integer(Int64(countMax) + 1)
        ) { row in
            let output = RunOutput(
                sequence: row.bits(7), step: row.text(6),
                name: Self.pieceName(row, fan: 1, label: 6, position: 2, item: 5),
                state: row.text(3) == "done" ? .done : .refused, outputs: [],
                report: row.text(4), item: row.text(1) == "item" ? UInt32(clamping: row.integer(2)) : nil,
                worker: row.optionalText(8) ?? "", seconds: row.real(10), isShared: row.integer(9) != 0)
            found.append((WorkID(row.bits(0)), output))
        }
        let more = found.count > countMax
        if more { found.removeLast() }
        for index in found.indices { found[index].output.outputs = try outputBlobs(of: found[index].work) }
        return (found.map(\.output), more)
    }

    private func outputBlobs(of work: WorkID) throws -> [BlobReference] {
        var blobs: [BlobReference] = []
        try database.query(
            """
            SELECT role, name, o.digest, byte_count FROM outputs o JOIN blobs b ON b.digest = o.digest
            WHERE work = ? ORDER BY position
            """, id(work)
        ) {
            blobs.append(BlobReference(role: $0.text(0), name: $0.text(1), digest: try digest($0.text(2)),
                byteCount: $0.bits(3)))
        }
        return blobs
    }

    /// A session's figures from an iteration on.
    /// - Parameter step: its label.
    package func figures(of run: RunID, step: String, replica: Int, firstIteration: UInt32, countMax: Int) throws
        -> (figures: [IterationFigures], more: Bool)
    {
        var found: [IterationFigures] = []
        try database.query(
            """
            SELECT iteration, figures FROM figures
            WHERE run = ?1 AND step = (SELECT position FROM steps WHERE run = ?1 AND label = ?2) AND position = ?3
                AND iteration >= ?4 ORDER BY iteration LIMIT ?5
            """, id(run), .text(step), .integer(Int64(replica)), .integer(Int64(firstIteration)),
            .integer(Int64(countMax) + 1)
        ) { found.append(try figures($0, from: 0)) }
        let more = found.count > countMax
        if more { found.removeLast() }
        return (found, more)
    }

    /// As `RunRecord.name`.
    static func pieceName(
        _ row: SQLRow, fan: Int32, label: Int32, position: Int32, item: Int32
    ) -> String {
        switch row.text(fan) {
        case "once": return row.text(label)
        case "replica": return "replica-\(row.int(position))"
        default: return row.text(item)
        }
    }

    /// Whether anything refers to a blob.
    package func knows(_ digest: ContentDigest) throws -> Bool {
        var isKnown = false
        try database.query("SELECT 1 FROM blobs WHERE digest = ?", .text("\(digest)")) { _ in isKnown = true }
        return isKnown
    }

    /// Every blob that a run needs.
    package func usedDigests() throws -> Set<[UInt8]> {
        var found: Set<[UInt8]> = []
        try database.query("SELECT digest FROM blobs") {
            if let digest = ContentDigest(hexadecimal: $0.text(0)) { found.insert(digest.bytes) }
        }
        return found
    }

    /// How much of a table there is, for tests.
    package func rowCount(of table: String) throws -> Int {
        var count = 0
        try database.query("SELECT count(*) FROM \(table)") { count = $0.int(0) }
        return count
    }

    /// "ok", or what SQLite finds wrong with the file.
    package func integrityReport() throws -> String {
        var lines: [String] = []
        try database.query("PRAGMA integrity_check") { lines.append($0.text(0)) }
        try database.query("PRAGMA foreign_key_check") { lines.append("foreign key of \($0.text(0))") }
        return lines.joined(separator: "\n")
    }
}
