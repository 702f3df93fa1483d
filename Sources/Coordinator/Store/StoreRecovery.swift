import Protocol

// What a restarted core needs: the runs that go on, and of the others that they are there. A run is read by the
// numbers of its works, one range for the items that came together: what else is in the store costs nothing.

extension Store: RunArchive {
    package func recovery() throws -> Recovery {
        var recovery = Recovery(lastNumbers: try lastNumbers())
        var running: [RunID] = []
        try database.query("SELECT id, key, state FROM runs ORDER BY id") { row in
            let id = RunID(row.bits(0))
            guard let state = RunState(rawValue: row.text(2)) else { throw corrupt("\(id) is '\(row.text(2))'") }
            if state == .running {
                running.append(id)
            } else {
                recovery.archived.append(ArchivedRun(id: id, idempotencyKey: row.text(1), state: state))
            }
        }
        recovery.runs = try running.compactMap(recover)
        recovery.aside = try recoverAside()
        return recovery
    }

    /// All of one run; nil where there is none of that number.
    package func recover(_ run: RunID) throws -> RecoveredRun? {
        guard var found = try recoverHead(of: run) else { return nil }
        (found.request.items, found.itemBlocks) = try recoverItems(of: run, found.request.plan)
        try database.query("SELECT position FROM items WHERE run = ? AND collected ORDER BY position", id(run)) {
            found.collected.append($0.int(0))
        }
        guard found.isPossible else { throw corrupt("\(run) does not hold together") }
        found.checks = found.state == .running ? try recoverChecks(of: run) : []
        found.table = try recoverWorks(of: found)
        guard found.isWhole else { throw corrupt("\(run) does not hold together") }
        return found
    }

    /// Without its items and works.
    func recoverHead(of run: RunID) throws -> RecoveredRun? {
        var found: RecoveredRun?
        let plan = Plan(name: "", steps: try steps(of: run))
        let inputs = try references(
            "SELECT run, role, name, r.digest, byte_count FROM run_inputs r", run.value...run.value, of: "run")
        try database.query(
            """
            SELECT key, plan, recipe, parameters, seed, replica_count, checkpoint_seconds, first_work, state,
                label, submitter, memory_bytes, paused, priority, arithmetic, is_open, verify_share,
                answer_folder
            FROM runs WHERE id = ?
            """, id(run)
        ) { row in
            guard let state = RunState(rawValue: row.text(8)) else { throw corrupt("\(run) is '\(row.text(8))'") }
            let request = RunRequest(
                plan: Plan(name: row.text(1), steps: plan.steps), recipe: row.text(2), parameters: row.text(3),
                seed: row.bits(4), replicaCount: row.int(5), checkpointSeconds: row.uint32(6),
                inputs: inputs[run.value] ?? [], items: [], idempotencyKey: row.text(0), label: row.text(9),
                submitter: row.text(10), memoryByteCount: row.bits(11), isOpen: row.integer(15) != 0,
                verifyShare: row.real(16), answerFolder: row.text(17))
            found = RecoveredRun(
                id: run, request: request, firstWork: WorkID(row.bits(7)), state: state,
                isPaused: row.integer(12) != 0, priority: Int32(clamping: row.integer(13)),
                arithmetic: try row.optionalText(14).map(digest))
        }
        return found
    }

    private func recoverItems(of run: RunID, _ plan: Plan) throws -> ([ItemSubmission], [ItemBlock]) {
        var items: [ItemSubmission] = [], firstWorks: [WorkID] = []
        try database.query(
            "SELECT name, first_work, memory_bytes FROM items WHERE run = ? ORDER BY position", id(run)
        ) {
            items.append(ItemSubmission(name: $0.text(0), inputs: [], memoryByteCount: $0.bits(2)))
            firstWorks.append(WorkID($0.bits(1)))
        }
        try database.query(
            """
            SELECT item, role, name, r.digest, byte_count, path FROM item_inputs r JOIN blobs b ON b.digest = r.digest
            WHERE run = ? ORDER BY item, r.position
            """, id(run)
        ) { row in
            let item = row.int(0)
            guard items.indices.contains(item) else { throw corrupt("\(run) has an input of item \(item)") }
            var name = row.text(2)
            // Kept once: mostly it is called as its item.
            if name == items[item].name { name = items[item].name }
            items[item].inputs.append(
                BlobReference(role: row.text(1), name: name, digest: try digest(row.text(3)), byteCount: row.bits(4)))
            if !row.text(5).isEmpty { items[item].paths.append(row.text(5)) }
        }
        return (items, Self.blocks(firstWorks, stride: plan.steps.count { $0.fan == .item }))
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

    /// Blob references by their owner; `sql` selects owner, role, name, digest and byte count from a table `r`, which
    /// has a position.
    private func references(
        _ sql: String, _ owners: ClosedRange<UInt64>, of owner: String
    ) throws -> [UInt64: [BlobReference]] {
        var found: [UInt64: [BlobReference]] = [:]
        try database.query(
            "\(sql) JOIN blobs b ON b.digest = r.digest WHERE r.\(owner) BETWEEN ? AND ? ORDER BY 1, r.position",
            .bits(owners.lowerBound), .bits(owners.upperBound)
        ) {
            found[$0.bits(0), default: []].append(
                BlobReference(role: $0.text(1), name: $0.text(2), digest: try digest($0.text(3)),
                    byteCount: $0.bits(4)))
        }
        return found
    }

    func corrupt(_ what: String) -> StoreError {
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

    func steps(of run: RunID) throws -> [Step] {
        var found: [Step] = []
        try database.query(
            """
            SELECT label, kind, fan, inputs, keep, affinity, iteration_count FROM steps WHERE run = ? ORDER BY position
            """, id(run)
        ) { row in
            let inputs = row.text(3).split(separator: " ").map(StepInput.init(text:))
            guard let kind = StepKind.allCases.first(where: { "\($0)" == row.text(1) }),
                let fan = StepFan.allCases.first(where: { "\($0)" == row.text(2) }),
                let keep = StepKeep.allCases.first(where: { "\($0)" == row.text(4) }), !inputs.contains(nil)
            else { throw corrupt("step '\(row.text(0))' of \(run) cannot be read") }
            found.append(
                Step(
                    label: row.text(0), kind: kind, fan: fan, inputs: inputs.compactMap { $0 }, keep: keep,
                    affinity: row.optionalInteger(5).map { Int($0) }, iterationCount: row.uint32(6)))
        }
        return found
    }

    // MARK: - Works

    private func recoverWorks(of found: RecoveredRun) throws -> WorkTable {
        var count = 0
        try database.query("SELECT count(*) FROM works WHERE run = ?", id(found.id)) { count = $0.int(0) }
        let run = found.record, checked = Set(found.checks.map(\.work))
        guard count == run.layout.workCount else {
            throw corrupt("\(found.id) has \(count) works, not \(run.layout.workCount)")
        }
        var table = WorkTable()
        for works in found.newWorks where !works.isEmpty {
            table.add(works)
            try recover(works, of: run, checked: checked, into: &table)
        }
        return table
    }

    /// Works with consecutive numbers. An item's are settled as soon as all of them are read.
    /// - Parameter checked: works that somebody is to do again.
    private func recover(
        _ works: NewWorks, of run: RunRecord, checked: Set<WorkID> = [], into table: inout WorkTable
    ) throws {
        let range = works[0].id.value...works[works.count - 1].id.value
        let details = try WorkDetails(
            outputs: references(
                """
                SELECT r.work, r.role, r.name, r.digest, byte_count FROM outputs r JOIN works w ON w.id = r.work
                JOIN steps s ON s.run = w.run AND s.position = w.step AND s.is_read
                """, range, of: "work"),
            checkpoints: recoverCheckpoints(range), attempts: recoverAttempts(range),
            metrics: recoverMetrics(of: run, range), trust: recoverTrust(range))
        var offset = 0, pending: [WorkRecord] = []
        func settle(_ table: inout WorkTable) {
            for work in pending where run.isSettled(work, isDone: { step in
                pending.contains { $0.step == step && $0.state == .done && !checked.contains($0.id) }
            }) { table.settle(work.id) }
            pending = []
        }
        try database.query(
            """
            SELECT w.id, w.step, w.position, w.state, w.epoch, failures, losses, cause, done_by, l.worker, l.outcome,
                confirmed
            FROM works w LEFT JOIN leases l ON l.work = w.id AND l.epoch = w.epoch
            WHERE w.id BETWEEN ? AND ? AND w.run = ? ORDER BY w.id
            """, .bits(range.lowerBound), .bits(range.upperBound), id(run.id)
        ) { row in
            guard offset < works.count, case let new = works[offset], new.id.value == row.bits(0),
                (new.step, new.index) == (row.int(1), row.int(2))
            else { throw corrupt("work \(row.bits(0)) of \(run.id) is not where it should be") }
            offset += 1
            let work = try recover(new, row, details)
            if let last = pending.last, last.index != work.index { settle(&table) }
            if !work.isPlain || work.state != new.state || work.epoch > 0 { table[work.id] = work }
            pending.append(work)
        }
        settle(&table)
        guard offset == works.count else { throw corrupt("\(run.id) lacks works") }
    }

    private struct WorkDetails {
        var outputs: [UInt64: [BlobReference]]
        var checkpoints: [WorkID: [Checkpoint]]
        var attempts: [WorkID: [MachineName: Attempts]]
        var metrics: [WorkID: IterationFigures]
        var trust: [WorkID: (Checkpoint?, Set<MachineName>)]
    }

    private func recover(
        _ new: NewWorks.Work, _ row: SQLRow, _ details: WorkDetails
    ) throws -> WorkRecord {
        var work = WorkRecord(new)
        work.state = Self.state(row.text(3), row.optionalText(7))
        work.epoch = row.bits(4)
        work.recover(failureCount: row.int(5), lossCount: row.int(6), attempts: details.attempts[work.id] ?? [:])
        work.doneBy = row.optionalText(8)
        let worker = row.optionalText(9), outcome = row.optionalText(10)
        if work.state == .leased {
            let leases = try runningLeases(on: work.id)
            work.lease = leases.first
            work.backup = leases.count > 1 ? leases.last : nil
        } else if let worker, work.state == .ready, outcome == "lapsed" || outcome == "not held" {
            work.lease = LeaseRecord(worker: worker, epoch: work.epoch, grantedMilliseconds: 0, expiresMilliseconds: 0)
            work.lease!.hasLapsed = true
        }
        if work.state == .done, work.kind != .vote {
            work.doneEpoch = outcome == "done" ? work.epoch : try doneEpoch(of: work.id)
        }
        work.outputs = details.outputs[work.id.value] ?? []
        work.checkpoints = details.checkpoints[work.id] ?? []
        work.metric = details.metrics[work.id]
        if work.state == .done { work.madeOn = work.doneBy?.machine }
        work.isConfirmed = row.integer(11) != 0
        if let (trusted, makers) = details.trust[work.id] { (work.trusted, work.makers) = (trusted, makers) }
        return work
    }

    static func state(_ name: String, _ cause: String?) -> WorkState {
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

    /// In the order of their epochs.
    private func runningLeases(on work: WorkID) throws -> [LeaseRecord] {
        var found: [LeaseRecord] = []
        try database.query(
            "SELECT epoch, worker FROM leases WHERE work = ? AND outcome IS NULL ORDER BY epoch", id(work)
        ) {
            found.append(
                LeaseRecord(worker: $0.text(1), epoch: $0.bits(0), grantedMilliseconds: 0, expiresMilliseconds: 0))
        }
        return found
    }

    /// Where a backup was quicker, or slower.
    private func doneEpoch(of work: WorkID) throws -> UInt64? {
        var found: UInt64?
        try database.query("SELECT max(epoch) FROM leases WHERE work = ? AND outcome = 'done'", id(work)) {
            found = $0.optionalInteger(0).map { UInt64(bitPattern: $0) }
        }
        return found
    }

    private func recoverAttempts(_ works: ClosedRange<UInt64>) throws -> [WorkID: [MachineName: Attempts]] {
        var found: [WorkID: [MachineName: Attempts]] = [:]
        try database.query(
            "SELECT work, machine, failures, losses FROM attempts WHERE work BETWEEN ? AND ?",
            .bits(works.lowerBound), .bits(works.upperBound)
        ) {
            found[WorkID($0.bits(0)), default: [:]][$0.text(1)] = Attempts(
                failureCount: $0.int(2), lossCount: $0.int(3))
        }
        return found
    }

    private func recoverCheckpoints(_ works: ClosedRange<UInt64>) throws -> [WorkID: [Checkpoint]] {
        var found: [WorkID: [Checkpoint]] = [:]
        try database.query(
            """
            SELECT work, iteration, role, name, c.digest, byte_count
            FROM checkpoints c JOIN blobs b ON b.digest = c.digest WHERE work BETWEEN ? AND ? ORDER BY work, iteration
            """, .bits(works.lowerBound), .bits(works.upperBound)
        ) {
            let blob = BlobReference(role: $0.text(2), name: $0.text(3), digest: try digest($0.text(4)),
                byteCount: $0.bits(5))
            found[WorkID($0.bits(0)), default: []].append(Checkpoint(iteration: $0.uint32(1), blob: blob))
        }
        return found
    }

    /// The latest figures of sessions.
    private func recoverMetrics(
        of run: RunRecord, _ works: ClosedRange<UInt64>
    ) throws -> [WorkID: IterationFigures] {
        guard run.plan.steps.contains(where: { $0.kind == .session }) else { return [:] }
        var found: [WorkID: IterationFigures] = [:]
        try database.query(
            """
            SELECT w.id, f.iteration, f.figures FROM works w
            JOIN steps s ON s.run = w.run AND s.position = w.step AND s.kind = 'session'
            JOIN figures f ON f.run = w.run AND f.step = w.step AND f.position = w.position
                AND f.iteration = (SELECT max(iteration) FROM figures g
                    WHERE g.run = w.run AND g.step = w.step AND g.position = w.position)
            WHERE w.id BETWEEN ? AND ?
            """, .bits(works.lowerBound), .bits(works.upperBound)
        ) { found[WorkID($0.bits(0))] = try figures($0, from: 1) }
        return found
    }

    // MARK: - Ended runs, for people

    /// A run as status tells of it: its counts and sessions; no items, and no other works.
    package func archived(_ run: RunID) throws -> (record: RunRecord, sessions: [WorkRecord])? {
        guard let found = try recoverHead(of: run) else { return nil }
        var itemCount = 0
        try database.query("SELECT ifnull(max(position) + 1, 0) FROM items WHERE run = ?", id(run)) {
            itemCount = $0.int(0)
        }
        var record = RunRecord(id: run, request: found.request, firstWork: found.firstWork, itemCount: itemCount)
        (record.state, record.isPaused, record.priority) = (found.state, found.isPaused, found.priority)
        record.arithmetic = found.arithmetic
        record.counts = try counts(of: run, stepCount: found.request.plan.steps.count)
        let single = NewWorks(
            single: found.request.plan, replicaCount: found.request.replicaCount, run: run, firstWork: found.firstWork)
        guard record.plan.steps.contains(where: { $0.kind == .session }), !single.isEmpty else { return (record, []) }
        var table = WorkTable()
        table.add(single)
        try recover(single, of: record, into: &table)
        return (record, single.filter { $0.kind == .session }.map { table[$0.id]! })
    }
}

extension WorkRecord {
    /// As it begins.
    init(_ new: NewWorks.Work) {
        self.init(id: new.id, run: new.run, step: new.step, kind: new.kind, index: new.index, state: new.state)
    }
}
