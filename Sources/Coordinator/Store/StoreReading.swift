import Protocol

/// One entry of the audit.
package struct AuditEvent: Hashable, Sendable {
    package var wallMilliseconds: Int64
    package var run: RunID?
    /// "replica-3", "calibration", a volume's name; nil where it is about no piece of work.
    package var piece: String?
    package var message: String
}

extension Store {
    /// Everything a restarted core needs.
    package func recovery() throws -> Recovery {
        Recovery(runs: try recover(), lastNumbers: try lastNumbers())
    }

    /// The runs of it, oldest first.
    package func recover() throws -> [RecoveredRun] {
        var runs: [RecoveredRun] = []
        var inputs = try references("SELECT run, 0, role, name, r.digest, byte_count FROM run_inputs r")
        let shardInputs = try references("SELECT run, shard, role, name, r.digest, byte_count FROM shard_inputs r")
        var names: [RunID: [String]] = [:]
        try database.query("SELECT run, name FROM shards ORDER BY run, position") {
            names[RunID($0.bits(0)), default: []].append($0.text(1))
        }
        var works = Dictionary(grouping: try recoverWorks(), by: \.run)
        try database.query(
            """
            SELECT id, key, kind, recipe, parameters, seed, replica_count, iteration_count, checkpoint_seconds,
                first_work, state, label, submitter, memory_bytes, paused, priority FROM runs ORDER BY id
            """
        ) { row in
            let id = RunID(row.bits(0))
            let own = works.removeValue(forKey: id) ?? []
            let volumes = (names[id] ?? []).enumerated().map { index, name in
                VolumeSubmission(name: name, inputs: shardInputs[Key(id.value, UInt64(index))] ?? [])
            }
            guard let state = RunState(rawValue: row.text(10)) else { throw corrupt("\(id) is '\(row.text(10))'") }
            let request = RunRequest(
                kind: row.text(2) == "train" ? .train : .segment, recipe: row.text(3), parameters: row.text(4),
                seed: row.bits(5), replicaCount: row.int(6), iterationCount: row.uint32(7),
                checkpointSeconds: row.uint32(8), inputs: inputs.removeValue(forKey: Key(id.value, 0)) ?? [],
                volumes: volumes, idempotencyKey: row.text(1), label: row.text(11), submitter: row.text(12),
                memoryByteCount: row.bits(13))
            let run = RecoveredRun(
                id: id, request: request, firstWork: WorkID(row.bits(9)), state: state,
                isPaused: row.integer(14) != 0, priority: Int32(clamping: row.integer(15)), works: own)
            guard run.isWhole else { throw corrupt("\(id) does not hold together") }
            runs.append(run)
        }
        return runs
    }

    private struct Key: Hashable {
        var owner: UInt64
        var part: UInt64
        init(_ owner: UInt64, _ part: UInt64) {
            self.owner = owner
            self.part = part
        }
    }

    /// Blob references by owner and part; `sql` selects owner, part, role, name, digest, byte count and ends with the
    /// table `r`, which has a position.
    private func references(_ sql: String, where condition: String = "") throws -> [Key: [BlobReference]] {
        var found: [Key: [BlobReference]] = [:]
        try database.query("\(sql) JOIN blobs b ON b.digest = r.digest \(condition) ORDER BY 1, 2, r.position") {
            guard let digest = ContentDigest(hexadecimal: $0.text(4)) else { return }
            found[Key($0.bits(0), $0.bits(1)), default: []].append(
                BlobReference(role: $0.text(2), name: $0.text(3), digest: digest, byteCount: $0.bits(5)))
        }
        return found
    }

    private func recoverWorks() throws -> [WorkRecord] {
        var works: [WorkRecord] = []
        let outputs = try references(
            "SELECT work, 0, role, name, r.digest, byte_count FROM outputs r",
            where: "JOIN works w ON w.id = work AND w.stage IN ('train', 'predict')")
        let checkpoints = try recoverCheckpoints()
        let metrics = try recoverMetrics()
        let (running, doneEpochs) = try recoverLeases()
        let attempts = try recoverAttempts()
        try database.query(
            """
            SELECT w.id, w.run, w.stage, w.position, w.state, w.epoch, failures, losses, cause, done_by,
                voted, b.byte_count, s.name, l.worker, l.outcome
            FROM works w LEFT JOIN blobs b ON b.digest = w.voted
            LEFT JOIN shards s ON s.run = w.run AND s.position = w.position
            LEFT JOIN leases l ON l.work = w.id AND l.epoch = w.epoch ORDER BY w.id
            """
        ) { row in
            let stage = try stage(row.text(2))
            var work = WorkRecord(
                id: WorkID(row.bits(0)), run: RunID(row.bits(1)), stage: stage, index: row.int(3),
                state: Self.state(row.text(4), row.optionalText(8)))
            work.epoch = row.bits(5)
            work.recover(
                failureCount: row.int(6), lossCount: row.int(7), attempts: attempts[work.id] ?? [:])
            work.doneBy = row.optionalText(9)
            if let digest = row.optionalText(10).flatMap(ContentDigest.init(hexadecimal:)) {
                work.voted = BlobReference(
                    role: "voted", name: row.text(12), digest: digest, byteCount: row.bits(11))
            }
            let outcome = row.optionalText(14)
            if work.state == .leased, let leases = running[work.id] {
                work.lease = leases.first
                work.backup = leases.count > 1 ? leases.last : nil
            } else if let worker = row.optionalText(13), work.state == .ready,
                outcome == "lapsed" || outcome == "not held"
            {
                work.lease = LeaseRecord(
                    worker: worker, epoch: work.epoch, grantedMilliseconds: 0, expiresMilliseconds: 0)
                work.lease!.hasLapsed = true
            }
            work.doneEpoch = doneEpochs[work.id]
            work.outputs = outputs[Key(work.id.value, 0)] ?? []
            work.checkpoints = checkpoints[work.id] ?? []
            if stage == .train { work.metric = metrics[Key(work.run.value, UInt64(bitPattern: Int64(work.index)))] }
            works.append(work)
        }
        return works
    }

    private func corrupt(_ what: String) -> StoreError {
        StoreError(kind: .corrupt, code: 0, message: what, sql: "", path: database.path)
    }

    private func stage(_ name: String) throws -> WorkStage {
        guard let stage = WorkStage.allCases.first(where: { "\($0)" == name }) else {
            throw corrupt("there is a work of stage '\(name)'")
        }
        return stage
    }

    private static func state(_ name: String, _ cause: String?) -> WorkState {
        switch name {
        case "waiting": return .waiting
        case "voting": return .voting
        case "ready": return .ready
        case "leased": return .leased
        case "done": return .done
        case "cancelled": return .cancelled
        default: return .refused(cause.flatMap(RefusalCause.init(rawValue:)) ?? .failed)
        }
    }

    /// The leases that run, in order of their epochs, and the epochs under which works were done.
    private func recoverLeases() throws -> (running: [WorkID: [LeaseRecord]], doneEpochs: [WorkID: UInt64]) {
        var running: [WorkID: [LeaseRecord]] = [:]
        var doneEpochs: [WorkID: UInt64] = [:]
        try database.query(
            """
            SELECT l.work, l.epoch, worker, outcome IS NULL FROM leases l JOIN works w ON w.id = l.work
            WHERE outcome IS NULL OR outcome = 'done' AND w.state = 'done' ORDER BY l.work, l.epoch
            """
        ) {
            let (work, epoch) = (WorkID($0.bits(0)), $0.bits(1))
            if $0.integer(3) == 0 {
                doneEpochs[work] = epoch
            } else {
                running[work, default: []].append(
                    LeaseRecord(
                        worker: $0.text(2), epoch: epoch, grantedMilliseconds: 0, expiresMilliseconds: 0))
            }
        }
        return (running, doneEpochs)
    }

    private func recoverAttempts() throws -> [WorkID: [MachineName: Attempts]] {
        var found: [WorkID: [MachineName: Attempts]] = [:]
        try database.query("SELECT work, machine, failures, losses FROM attempts") {
            found[WorkID($0.bits(0)), default: [:]][$0.text(1)] = Attempts(
                failureCount: $0.int(2), lossCount: $0.int(3))
        }
        return found
    }

    private func recoverCheckpoints() throws -> [WorkID: [Checkpoint]] {
        var found: [WorkID: [Checkpoint]] = [:]
        try database.query(
            """
            SELECT work, iteration, role, name, c.digest, byte_count
            FROM checkpoints c JOIN blobs b ON b.digest = c.digest ORDER BY work, iteration
            """
        ) {
            guard let digest = ContentDigest(hexadecimal: $0.text(4)) else { return }
            let blob = BlobReference(role: $0.text(2), name: $0.text(3), digest: digest, byteCount: $0.bits(5))
            found[WorkID($0.bits(0)), default: []].append(Checkpoint(iteration: $0.uint32(1), blob: blob))
        }
        return found
    }

    private func recoverMetrics() throws -> [Key: TrainingMetric] {
        var found: [Key: TrainingMetric] = [:]
        try database.query(
            "SELECT run, replica, max(iteration), loss, dice, seconds FROM metrics GROUP BY run, replica"
        ) { found[Key($0.bits(0), $0.bits(1))] = Self.metric($0, from: 2) }
        return found
    }

    private static func metric(_ row: SQLRow, from column: Int32) -> TrainingMetric {
        TrainingMetric(
            iteration: row.uint32(column), loss: row.real(column + 1), dice: row.real(column + 2),
            seconds: row.real(column + 3))
    }

    // MARK: - Pages

    /// What a run has produced, in the order in which it came.
    package func outputs(of run: RunID, first: UInt32, countMax: Int) throws -> (outputs: [RunOutput], more: Bool) {
        var found: [(work: WorkID, output: RunOutput)] = []
        try database.query(
            """
            SELECT w.id, stage, w.position, state, report, s.name FROM works w
            LEFT JOIN shards s ON s.run = w.run AND s.position = w.position
            WHERE w.run = ? AND sequence IS NOT NULL ORDER BY sequence LIMIT ? OFFSET ?
            """, id(run), .integer(Int64(countMax) + 1), .integer(Int64(first))
        ) { row in
            let stage = try stage(row.text(1))
            let output = RunOutput(
                stage: stage, name: Self.pieceName(stage, row, position: 2, shard: 5),
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
            guard let digest = ContentDigest(hexadecimal: $0.text(2)) else { return }
            blobs.append(BlobReference(role: $0.text(0), name: $0.text(1), digest: digest, byteCount: $0.bits(3)))
        }
        return blobs
    }

    /// A replica's figures from an iteration on.
    package func metrics(of run: RunID, replica: Int, firstIteration: UInt32, countMax: Int) throws
        -> (metrics: [TrainingMetric], more: Bool)
    {
        var found: [TrainingMetric] = []
        try database.query(
            """
            SELECT iteration, loss, dice, seconds FROM metrics
            WHERE run = ? AND replica = ? AND iteration >= ? ORDER BY iteration LIMIT ?
            """, id(run), .integer(Int64(replica)), .integer(Int64(firstIteration)), .integer(Int64(countMax) + 1)
        ) { found.append(Self.metric($0, from: 0)) }
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
            SELECT time_ms, e.run, message, stage, w.position, s.name, e.work, e.epoch, e.worker
            FROM events e LEFT JOIN works w ON w.id = e.work
            LEFT JOIN shards s ON s.run = w.run AND s.position = w.position
            WHERE ?1 IS NULL OR e.run = ?1 ORDER BY e.id DESC LIMIT ?2
            """, run.map(id) ?? .null, .integer(Int64(countMax * Self.eventsPerEntryMax))
        ) { row in
            guard found.count < countMax else { return }
            if let lease = Self.advancedLease(row), !advanced.insert(lease).inserted { return }
            let stage = try row.optionalText(3).map { try self.stage($0) }
            found.append(
                AuditEvent(
                    wallMilliseconds: row.integer(0),
                    run: row.optionalInteger(1).map { RunID(UInt64(bitPattern: $0)) },
                    piece: stage.map { Self.pieceName($0, row, position: 4, shard: 5) }, message: row.text(2)))
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

    private static func pieceName(_ stage: WorkStage, _ row: SQLRow, position: Int32, shard: Int32) -> String {
        switch stage {
        case .train: return "replica-\(row.int(position))"
        case .calibrate: return "calibration"
        case .predict, .finish: return row.text(shard)
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
