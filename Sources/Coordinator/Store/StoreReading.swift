import Protocol

extension Store {
    /// Everything a restarted core needs.
    package func recovery() throws -> Recovery {
        Recovery(runs: try recover(), lastNumbers: try lastNumbers())
    }

    /// The runs of it, oldest first.
    package func recover() throws -> [RecoveredRun] {
        var runs: [RecoveredRun] = []
        var inputs = try references("SELECT run, 0, role, name, r.digest, byte_count FROM run_inputs r")
        let itemInputs = try references("SELECT run, item, role, name, r.digest, byte_count FROM item_inputs r")
        let steps = try recoverSteps()
        var items: [RunID: [(name: String, work: WorkID)]] = [:]
        try database.query("SELECT run, name, first_work FROM items ORDER BY run, position") {
            items[RunID($0.bits(0)), default: []].append(($0.text(1), WorkID($0.bits(2))))
        }
        var works = Dictionary(grouping: try recoverWorks(steps), by: \.run)
        try database.query(
            """
            SELECT id, key, plan, recipe, parameters, seed, replica_count, checkpoint_seconds, first_work, state,
                label, submitter, memory_bytes, paused, priority, arithmetic, is_open FROM runs ORDER BY id
            """
        ) { row in
            let id = RunID(row.bits(0))
            let own = works.removeValue(forKey: id) ?? [], rows = items[id] ?? []
            let submissions = rows.enumerated().map { index, row in
                ItemSubmission(name: row.name, inputs: itemInputs[Key(id.value, UInt64(index))] ?? [])
            }
            guard let state = RunState(rawValue: row.text(9)) else { throw corrupt("\(id) is '\(row.text(9))'") }
            let request = RunRequest(
                plan: Plan(name: row.text(2), steps: steps[id] ?? []), recipe: row.text(3), parameters: row.text(4),
                seed: row.bits(5), replicaCount: row.int(6), checkpointSeconds: row.uint32(7),
                inputs: inputs.removeValue(forKey: Key(id.value, 0)) ?? [], items: submissions,
                idempotencyKey: row.text(1), label: row.text(10), submitter: row.text(11),
                memoryByteCount: row.bits(12), isOpen: row.integer(16) != 0)
            let run = RecoveredRun(
                id: id, request: request, firstWork: WorkID(row.bits(8)),
                itemBlocks: Self.blocks(rows.map(\.work), stride: request.plan.steps.count { $0.fan == .item }),
                state: state,
                isPaused: row.integer(13) != 0, priority: Int32(clamping: row.integer(14)),
                arithmetic: try row.optionalText(15).map(digest), works: own)
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
            let digest = try digest($0.text(4))
            found[Key($0.bits(0), $0.bits(1)), default: []].append(
                BlobReference(role: $0.text(2), name: $0.text(3), digest: digest, byteCount: $0.bits(5)))
        }
        return found
    }

    private func recoverWorks(_ steps: [RunID: [Step]]) throws -> [WorkRecord] {
        var works: [WorkRecord] = []
        let outputs = try references(
            "SELECT work, 0, role, name, r.digest, byte_count FROM outputs r",
            where: "JOIN works w ON w.id = work JOIN steps s ON s.run = w.run AND s.position = w.step AND s.is_read")
        let checkpoints = try recoverCheckpoints()
        let metrics = try recoverMetrics()
        let (running, doneEpochs) = try recoverLeases()
        let attempts = try recoverAttempts()
        try database.query(
            """
            SELECT w.id, w.run, w.step, w.position, w.state, w.epoch, failures, losses, cause, done_by,
                l.worker, l.outcome
            FROM works w LEFT JOIN leases l ON l.work = w.id AND l.epoch = w.epoch ORDER BY w.id
            """
        ) { row in
            let run = RunID(row.bits(1)), step = row.int(2)
            guard let own = steps[run], own.indices.contains(step) else {
                throw corrupt("work \(row.bits(0)) is of step \(step), which its plan does not have")
            }
            var work = WorkRecord(
                id: WorkID(row.bits(0)), run: run, step: step, kind: own[step].kind, index: row.int(3),
                state: Self.state(row.text(4), row.optionalText(8)))
            work.epoch = row.bits(5)
            work.recover(
                failureCount: row.int(6), lossCount: row.int(7), attempts: attempts[work.id] ?? [:])
            work.doneBy = row.optionalText(9)
            let outcome = row.optionalText(11)
            if work.state == .leased, let leases = running[work.id] {
                work.lease = leases.first
                work.backup = leases.count > 1 ? leases.last : nil
            } else if let worker = row.optionalText(10), work.state == .ready,
                outcome == "lapsed" || outcome == "not held"
            {
                work.lease = LeaseRecord(
                    worker: worker, epoch: work.epoch, grantedMilliseconds: 0, expiresMilliseconds: 0)
                work.lease!.hasLapsed = true
            }
            work.doneEpoch = doneEpochs[work.id]
            work.outputs = outputs[Key(work.id.value, 0)] ?? []
            work.checkpoints = checkpoints[work.id] ?? []
            if work.kind == .session { work.metric = metrics[work.id] }
            works.append(work)
        }
        return works
    }

    private func corrupt(_ what: String) -> StoreError {
        StoreError(kind: .corrupt, code: 0, message: what, sql: "", path: database.path)
    }

    /// A digest that does not parse is not passed over: a run would go on with an input less.
    func digest(_ text: String) throws -> ContentDigest {
        guard let digest = ContentDigest(hexadecimal: text) else {
            throw corrupt("'\(text.prefix(80))' is no digest; restore the state folder from a copy, or forget its runs "
                + "by starting with a new one")
        }
        return digest
    }

    /// Items with consecutive numbers, together.
    private static func blocks(_ firstWorks: [WorkID], stride: Int) -> [ItemBlock] {
        var blocks: [ItemBlock] = []
        for (item, work) in firstWorks.enumerated() {
            if let last = blocks.last,
                work.value == last.work.value &+ UInt64((item - last.item) * stride) { continue }
            blocks.append(ItemBlock(item: item, work: work))
        }
        return blocks
    }

    func steps(of run: RunID) throws -> [Step] { try recoverSteps(of: run.value...run.value)[run] ?? [] }

    private func recoverSteps(of runs: ClosedRange<UInt64> = 0...UInt64(Int64.max)) throws -> [RunID: [Step]] {
        var found: [RunID: [Step]] = [:]
        try database.query(
            """
            SELECT run, label, kind, fan, inputs, keep, affinity, iteration_count FROM steps
            WHERE run BETWEEN ? AND ? ORDER BY run, position
            """, .bits(runs.lowerBound), .bits(runs.upperBound)
        ) { row in
            let inputs = row.text(4).split(separator: " ").map(StepInput.init(text:))
            guard let kind = StepKind.allCases.first(where: { "\($0)" == row.text(2) }),
                let fan = StepFan.allCases.first(where: { "\($0)" == row.text(3) }),
                let keep = StepKeep.allCases.first(where: { "\($0)" == row.text(5) }), !inputs.contains(nil)
            else { throw corrupt("step '\(row.text(1))' of run \(row.bits(0)) cannot be read") }
            found[RunID(row.bits(0)), default: []].append(
                Step(
                    label: row.text(1), kind: kind, fan: fan, inputs: inputs.compactMap { $0 }, keep: keep,
                    affinity: row.optionalInteger(6).map { Int($0) }, iterationCount: row.uint32(7)))
        }
        return found
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
            let blob = BlobReference(role: $0.text(2), name: $0.text(3), digest: try digest($0.text(4)),
                byteCount: $0.bits(5))
            found[WorkID($0.bits(0)), default: []].append(Checkpoint(iteration: $0.uint32(1), blob: blob))
        }
        return found
    }

    /// The latest figures of sessions that go on.
    private func recoverMetrics() throws -> [WorkID: IterationFigures] {
        var found: [WorkID: IterationFigures] = [:]
        try database.query(
            """
            SELECT w.id, f.iteration, f.figures FROM works w JOIN runs r ON r.id = w.run
            JOIN figures f ON f.run = w.run AND f.step = w.step AND f.position = w.position
                AND f.iteration = (SELECT max(iteration) FROM figures g
                    WHERE g.run = w.run AND g.step = w.step AND g.position = w.position)
            """
        ) { found[WorkID($0.bits(0))] = try figures($0, from: 1) }
        return found
    }

    private func figures(_ row: SQLRow, from column: Int32) throws -> IterationFigures {
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
            SELECT w.id, st.fan, w.position, state, report, i.name, st.label, sequence FROM works w
            JOIN steps st ON st.run = w.run AND st.position = w.step
            LEFT JOIN items i ON i.run = w.run AND i.position = w.position
            WHERE w.run = ? AND sequence > ? AND state IN ('done', 'refused') ORDER BY sequence LIMIT ?
            """, id(run), .integer(Int64(clamping: sequence)), .integer(Int64(countMax) + 1)
        ) { row in
            let output = RunOutput(
                sequence: row.bits(7), step: row.text(6),
                name: Self.pieceName(row, fan: 1, label: 6, position: 2, item: 5),
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
