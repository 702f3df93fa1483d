import Protocol

// Runs and their works coming and going.

extension Store {
    func insertRun(_ run: RunID, _ request: RunRequest, _ firstWork: WorkID, _ wallMilliseconds: Int64) throws {
        try database.run(
            """
            INSERT INTO runs(id, key, plan, recipe, parameters, seed, replica_count,
                checkpoint_seconds, first_work, label, submitter, memory_bytes, is_open, verify_share,
                answer_folder, state, created_ms)
            VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', ?)
            """, id(run), .text(request.idempotencyKey), .text(request.plan.name), .text(request.recipe),
            .text(request.parameters), .bits(request.seed), .integer(Int64(request.replicaCount)),
            .integer(Int64(request.checkpointSeconds)), id(firstWork),
            .text(request.label), .text(request.submitter), .bits(request.memoryByteCount),
            .integer(request.isOpen ? 1 : 0), .real(request.verifyShare), .text(request.answerFolder),
            .integer(wallMilliseconds))
        try database.run(
            "UPDATE numbers SET last_run = max(last_run, ?), last_work = max(last_work, ?)", id(run),
            id(WorkID(firstWork.value + UInt64(request.layout.workCount) - 1)))
        try insertSteps(of: run, request.plan)
        for (position, input) in request.inputs.enumerated() {
            try insertBlob(input, wallMilliseconds)
            try database.run(
                "INSERT INTO run_inputs(run, position, role, name, digest) VALUES(?, ?, ?, ?, ?)", id(run),
                .integer(Int64(position)), .text(input.role), .text(input.name), .text("\(input.digest)"))
        }
        let layout = request.layout
        try insertItems(
            request.items, of: run, from: 0,
            firstWork: WorkID(firstWork.value + UInt64(layout.singleWorkCount)), request.plan, wallMilliseconds)
        for works in request.newWorks(of: run, firstWork: firstWork) { try insertWorks(works, wallMilliseconds) }
    }

    /// More items of a run whose items are open.
    func appendItems(
        _ items: [ItemSubmission], to run: RunID, first: Int, firstWork: WorkID, _ wallMilliseconds: Int64
    ) throws {
        let plan = Plan(name: "", steps: try steps(of: run))
        let works = NewWorks(of: plan, items: first..<first + items.count, run: run, firstWork: firstWork)
        try insertItems(items, of: run, from: first, firstWork: firstWork, plan, wallMilliseconds)
        try database.run(
            "UPDATE numbers SET last_work = max(last_work, ?)", id(WorkID(firstWork.value + UInt64(works.count) - 1)))
        try insertWorks(works, wallMilliseconds)
    }

    private func insertWorks(_ works: NewWorks, _ wallMilliseconds: Int64) throws {
        for work in works {
            try database.run(
                "INSERT INTO works(id, run, step, position, state, changed_ms) VALUES(?, ?, ?, ?, ?, ?)",
                id(work.id), id(work.run), .integer(Int64(work.step)), .integer(Int64(work.index)),
                .text(work.state.name), .integer(wallMilliseconds))
        }
    }

    private func insertItems(
        _ items: [ItemSubmission], of run: RunID, from first: Int, firstWork: WorkID, _ plan: Plan,
        _ wallMilliseconds: Int64
    ) throws {
        let workCount = plan.steps.count { $0.fan == .item }
        for (number, item) in items.enumerated() {
            let work = WorkID(firstWork.value + UInt64(number * workCount))
            try insertItem(run, first + number, item, work, wallMilliseconds)
        }
    }

    private func insertSteps(of run: RunID, _ plan: Plan) throws {
        for (position, step) in plan.steps.enumerated() {
            let isRead = !plan.readers(of: position).isEmpty
            try database.run(
                """
                INSERT INTO steps(run, position, label, kind, fan, inputs, keep, affinity, iteration_count, is_read,
                    is_listed) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """, id(run), .integer(Int64(position)), .text(step.label), .text("\(step.kind)"),
                .text("\(step.fan)"), .text(step.inputs.map(\.text).joined(separator: " ")), .text("\(step.keep)"),
                step.affinity.map { .integer(Int64($0)) } ?? .null, .integer(Int64(step.iterationCount)),
                .integer(isRead ? 1 : 0), .integer(plan.isListed(position) ? 1 : 0))
        }
    }

    private func insertItem(
        _ run: RunID, _ item: Int, _ submission: ItemSubmission, _ firstWork: WorkID, _ wallMilliseconds: Int64
    ) throws {
        try database.run(
            "INSERT INTO items(run, position, name, first_work, memory_bytes) VALUES(?, ?, ?, ?, ?)", id(run),
            .integer(Int64(item)), .text(submission.name), id(firstWork), .bits(submission.memoryByteCount))
        for (position, input) in submission.inputs.enumerated() {
            let isShared = !submission.paths.isEmpty
            try isShared ? insertSharedBlob(input, wallMilliseconds) : insertBlob(input, wallMilliseconds)
            try database.run(
                "INSERT INTO item_inputs(run, item, position, role, name, digest, path) VALUES(?, ?, ?, ?, ?, ?, ?)",
                id(run), .integer(Int64(item)), .integer(Int64(position)), .text(input.role), .text(input.name),
                .text("\(input.digest)"), .text(submission.paths.isEmpty ? "" : submission.paths[position]))
        }
    }

    /// Inputs and answers go; names and counts stay, for people.
    func collect(_ items: [Int], of run: RunID, _ released: inout [String]) throws {
        for item in items {
            let (run, item) = (id(run), SQLValue.integer(Int64(item)))
            // By number: an index of all works of the run would be gone through for each item.
            let works = "(SELECT w.id FROM items i JOIN works w ON w.id >= i.first_work AND +w.run = i.run "
                + "AND w.position = i.position JOIN steps s ON s.run = w.run AND s.position = w.step "
                + "AND s.fan = 'item' WHERE i.run = ?1 AND i.position = ?2 AND w.id < i.first_work + "
                + "(SELECT count(*) FROM steps WHERE run = ?1 AND fan = 'item'))"
            for digests in [
                "SELECT digest FROM item_inputs WHERE run = ?1 AND item = ?2",
                "SELECT digest FROM outputs WHERE work IN \(works)",
            ] {
                try database.query(digests, run, item) { released.append($0.text(0)) }
            }
            try database.run("DELETE FROM outputs WHERE work IN \(works)", run, item)
            try database.run("DELETE FROM item_inputs WHERE run = ?1 AND item = ?2", run, item)
            try database.run("UPDATE items SET collected = 1 WHERE run = ?1 AND position = ?2", run, item)
        }
    }

    func reopen(_ run: RunID, _ works: [ReopenedWork], _ wallMilliseconds: Int64) throws {
        try database.run(
            "UPDATE runs SET state = 'running', ended_ms = NULL, paused = 0, counts = NULL WHERE id = ?", id(run))
        for one in works {
            try forgetAttempts(of: one.work)
            try database.run(
                """
                UPDATE works SET state = ?, cause = NULL, report = NULL, sequence = NULL, failures = 0, losses = 0,
                    changed_ms = ? WHERE id = ?
                """, .text(one.state.name), .integer(wallMilliseconds), id(one.work))
        }
    }

    func cancel(_ run: RunID, _ wallMilliseconds: Int64) throws {
        try database.run(
            "UPDATE runs SET state = 'cancelled', ended_ms = ? WHERE id = ?", .integer(wallMilliseconds), id(run))
        try database.run(
            """
            UPDATE leases SET outcome = 'revoked', ended_ms = ?
            WHERE outcome IS NULL AND work IN (SELECT id FROM works WHERE run = ?)
            """, .integer(wallMilliseconds), id(run))
        try database.run(
            """
            UPDATE works SET state = 'cancelled', changed_ms = ?
            WHERE run = ? AND state NOT IN ('done', 'refused', 'cancelled')
            """, .integer(wallMilliseconds), id(run))
        try keepCounts(of: run)
    }

    func refuse(_ work: WorkID, _ cause: RefusalCause, _ message: String, _ wallMilliseconds: Int64) throws {
        try database.run(
            "UPDATE works SET state = 'refused', cause = ?, report = ?, changed_ms = ? WHERE id = ?",
            .text(cause.rawValue), .text(message), .integer(wallMilliseconds), id(work))
        try database.run(
            "UPDATE leases SET outcome = 'refused', ended_ms = ? WHERE work = ? AND outcome IS NULL",
            .integer(wallMilliseconds), id(work))
        try giveSequence(work)
    }

    /// Puts a piece of work at the end of its run's list of outputs. An item is listed once: with what its last step
    /// has made, or with the first that was refused, and not what was refused with it. No place is given twice, also
    /// not that of what was tried again: a client asks for what comes behind the last place that it has seen.
    func giveSequence(_ work: WorkID) throws {
        let listedCount = try database.run(
            """
            UPDATE works SET sequence = (SELECT last_sequence + 1 FROM runs WHERE runs.id = works.run)
            WHERE id = ?1 AND ifnull(cause, '') <> 'dependency' AND (state = 'refused' OR EXISTS(
                SELECT 1 FROM steps WHERE steps.run = works.run AND steps.position = works.step AND is_listed))
            """, id(work))
        guard listedCount > 0 else { return }
        try database.run(
            "UPDATE runs SET last_sequence = last_sequence + 1 WHERE id = (SELECT run FROM works WHERE id = ?)",
            id(work))
    }

    /// The ballots are no use: the works that made them are undone.
    func discardVotes(
        _ vote: WorkID, _ sources: [WorkID], _ wallMilliseconds: Int64, _ released: inout [String]
    ) throws {
        try setState(vote, "waiting", wallMilliseconds)
        for source in sources {
            try releaseOutputs(of: source, &released)
            try database.run(
                "UPDATE works SET state = 'ready', failures = failures + 1, changed_ms = ? WHERE id = ?",
                .integer(wallMilliseconds), id(source))
        }
    }

    /// Damage on our own disk: what was made is made again, and explains what failed.
    func makeAgain(
        _ work: WorkID, _ state: WorkState, waiting: [WorkID], _ wallMilliseconds: Int64, _ released: inout [String]
    ) throws {
        try releaseOutputs(of: work, &released)
        try setState(work, state.name, wallMilliseconds)
        for one in waiting {
            try setState(one, "waiting", wallMilliseconds)
            try forgetFailures(of: one)
        }
    }

    func releaseOutputs(of work: WorkID, _ released: inout [String]) throws {
        try database.query("SELECT digest FROM outputs WHERE work = ?", id(work)) { released.append($0.text(0)) }
        try database.run("DELETE FROM outputs WHERE work = ?", id(work))
    }
}

extension StepInput {
    /// As the store keeps it: "run", "item", "0:votes".
    var text: String {
        let source: String = switch source {
        case .run: "run"
        case .item: "item"
        case .step(let index): "\(index)"
        }
        return role.isEmpty ? source : "\(source):\(role)"
    }

    init?(text: Substring) {
        let parts = text.split(separator: ":", maxSplits: 1)
        guard let first = parts.first else { return nil }
        let role = parts.count > 1 ? String(parts[1]) : ""
        switch first {
        case "run": self.init(.run, role: role)
        case "item": self.init(.item, role: role)
        default:
            guard let index = Int(first) else { return nil }
            self.init(.step(index), role: role)
        }
    }
}
