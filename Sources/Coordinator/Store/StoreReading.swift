import Protocol

/// One entry of the audit.
package struct AuditEvent: Hashable, Sendable {
    package var wallMilliseconds: Int64
    package var run: RunID?
    /// "replica-3", an item's name, a step's label; nil where it is about no piece of work.
    package var piece: String?
    package var message: String
}

extension Store {
    func figures(_ row: SQLRow, from column: Int32) throws -> IterationFigures {
        guard let figures = IterationFigures(iteration: row.uint32(column), text: row.text(column + 1)) else {
            throw corrupt("'\(row.text(column + 1).prefix(80))' are no figures")
        }
        return figures
    }

    // MARK: - Pages

    /// What a run has produced, in the order in which it came.
    package func outputs(of run: RunID, first: UInt32, countMax: Int) throws -> (outputs: [RunOutput], more: Bool) {
        var found: [(work: WorkID, output: RunOutput)] = []
        try database.query(
            """
            SELECT w.id, st.fan, w.position, state, report, i.name, st.label FROM works w
            JOIN steps st ON st.run = w.run AND st.position = w.step
            LEFT JOIN items i ON i.run = w.run AND i.position = w.position
            WHERE w.run = ? AND sequence IS NOT NULL ORDER BY sequence LIMIT ? OFFSET ?
            """, id(run), .integer(Int64(countMax) + 1), .integer(Int64(first))
        ) { row in
            let output = RunOutput(
                step: row.text(6), name: Self.pieceName(row, fan: 1, label: 6, position: 2, item: 5),
                state: row.text(3) == "done" ? .done : .refused, outputs: [],
                report: row.text(4))
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
            SELECT iteration, figures FROM figures f
            JOIN steps s ON s.run = f.run AND s.position = f.step AND s.label = ?
            WHERE f.run = ? AND f.position = ? AND iteration >= ? ORDER BY iteration LIMIT ?
            """, .text(step), id(run), .integer(Int64(replica)), .integer(Int64(firstIteration)),
            .integer(Int64(countMax) + 1)
        ) { found.append(try figures($0, from: 0)) }
        let more = found.count > countMax
        if more { found.removeLast() }
        return (found, more)
    }

    /// How many entries are looked through for `countMax`.
    private static let eventsPerEntryMax = 20

    /// The latest entries of the audit, oldest first; of one run, or of all. Of the checkpoints under a lease only the
    /// latest: a long training has thousands, and must not hide why a replica moved.
    package func events(of run: RunID?, countMax: Int) throws -> [AuditEvent] {
        var found: [AuditEvent] = []
        var advanced: Set<Lease> = []
        try database.query(
            """
            SELECT time_ms, e.run, message, st.fan, w.position, i.name, e.work, e.epoch, e.worker, st.label
            FROM events e LEFT JOIN works w ON w.id = e.work
            LEFT JOIN steps st ON st.run = w.run AND st.position = w.step
            LEFT JOIN items i ON i.run = w.run AND i.position = w.position
            WHERE ?1 IS NULL OR e.run = ?1 ORDER BY e.id DESC LIMIT ?2
            """, run.map(id) ?? .null, .integer(Int64(countMax * Self.eventsPerEntryMax))
        ) { row in
            guard found.count < countMax else { return }
            if let lease = Self.advancedLease(row), !advanced.insert(lease).inserted { return }
            found.append(
                AuditEvent(
                    wallMilliseconds: row.integer(0),
                    run: row.optionalInteger(1).map { RunID(UInt64(bitPattern: $0)) },
                    piece: row.optionalText(3).map { _ in Self.pieceName(row, fan: 3, label: 9, position: 4, item: 5) },
                    message: row.text(2)))
        }
        return found.reversed()
    }

    /// Under which lease a checkpoint came; nil where the entry is about something else.
    private static func advancedLease(_ row: SQLRow) -> Lease? {
        guard let epoch = row.optionalInteger(7), let worker = row.optionalText(8) else { return nil }
        let lease = Lease(work: WorkID(row.bits(6)), epoch: UInt64(bitPattern: epoch)), message = row.text(2)
        let start = "\(lease) of \(worker) "
        guard message.hasPrefix(start) else { return nil }
        let rest = message.dropFirst(start.count)
        return rest.hasPrefix("checkpoint ") || rest.contains(" more metrics") ? lease : nil
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
