import Protocol

// Runs and their works coming and going.

extension Store {
    func insertRun(_ run: RunID, _ request: RunRequest, _ firstWork: WorkID, _ wallMilliseconds: Int64) throws {
        try database.run(
            """
            INSERT INTO runs(id, key, kind, recipe, parameters, seed, replica_count, iteration_count,
                checkpoint_seconds, first_work, label, submitter, memory_bytes, state, created_ms)
            VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', ?)
            """, id(run), .text(request.idempotencyKey), .text("\(request.kind)"), .text(request.recipe),
            .text(request.parameters), .bits(request.seed), .integer(Int64(request.replicaCount)),
            .integer(Int64(request.iterationCount)), .integer(Int64(request.checkpointSeconds)), id(firstWork),
            .text(request.label), .text(request.submitter), .bits(request.memoryByteCount),
            .integer(wallMilliseconds))
        try database.run(
            "UPDATE numbers SET last_run = max(last_run, ?), last_work = max(last_work, ?)", id(run),
            id(WorkID(firstWork.value + UInt64(request.workCount) - 1)))
        for (position, input) in request.inputs.enumerated() {
            try insertBlob(input, wallMilliseconds)
            try database.run(
                "INSERT INTO run_inputs(run, position, role, name, digest) VALUES(?, ?, ?, ?, ?)", id(run),
                .integer(Int64(position)), .text(input.role), .text(input.name), .text("\(input.digest)"))
        }
        for (position, volume) in request.volumes.enumerated() {
            try insertShard(run, position, volume, wallMilliseconds)
        }
        for work in Scheduler.makeWorks(run: run, request: request, firstWork: firstWork) {
            try database.run(
                "INSERT INTO works(id, run, stage, position, state, changed_ms) VALUES(?, ?, ?, ?, ?, ?)",
                id(work.id), id(run), .text("\(work.stage)"), .integer(Int64(work.index)), .text(work.state.name),
                .integer(wallMilliseconds))
        }
    }

    private func insertShard(
        _ run: RunID, _ shard: Int, _ volume: VolumeSubmission, _ wallMilliseconds: Int64
    ) throws {
        try database.run(
            "INSERT INTO shards(run, position, name) VALUES(?, ?, ?)", id(run), .integer(Int64(shard)),
            .text(volume.name))
        for (position, input) in volume.inputs.enumerated() {
            try insertBlob(input, wallMilliseconds)
            try database.run(
                "INSERT INTO shard_inputs(run, shard, position, role, name, digest) VALUES(?, ?, ?, ?, ?, ?)",
                id(run), .integer(Int64(shard)), .integer(Int64(position)), .text(input.role), .text(input.name),
                .text("\(input.digest)"))
        }
    }

    func reopen(_ run: RunID, _ works: [ReopenedWork], _ wallMilliseconds: Int64) throws {
        try database.run("UPDATE runs SET state = 'running', ended_ms = NULL, paused = 0 WHERE id = ?", id(run))
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

    /// Puts a piece of work on its run's list of outputs. A volume is listed once: a predict only when it was refused,
    /// a finish unless it follows its predict's refusal.
    func giveSequence(_ work: WorkID) throws {
        try database.run(
            """
            UPDATE works SET sequence =
                (SELECT ifnull(max(other.sequence), 0) + 1 FROM works AS other WHERE other.run = works.run)
            WHERE id = ? AND NOT (stage = 'predict' AND state = 'done')
                AND NOT (stage = 'finish' AND ifnull(cause, '') = 'dependency')
            """, id(work))
    }

    /// The vote that there was, if there was one, does not count; it explains what failed.
    func beginVote(_ finish: WorkID, _ wallMilliseconds: Int64, _ released: inout [String]) throws {
        try database.query("SELECT voted FROM works WHERE id = ? AND voted IS NOT NULL", id(finish)) {
            released.append($0.text(0))
        }
        try database.run(
            "UPDATE works SET state = 'voting', voted = NULL, changed_ms = ? WHERE id = ?",
            .integer(wallMilliseconds), id(finish))
        try forgetFailures(of: finish)
    }

    func discardVotes(_ finish: WorkID, _ wallMilliseconds: Int64, _ released: inout [String]) throws {
        let predict = WorkID(finish.value - 1)
        try releaseOutputs(of: predict, &released)
        try setState(finish, "waiting", wallMilliseconds)
        try database.run(
            "UPDATE works SET state = 'ready', failures = failures + 1, changed_ms = ? WHERE id = ?",
            .integer(wallMilliseconds), id(predict))
    }

    func releaseOutputs(of work: WorkID, _ released: inout [String]) throws {
        try database.query("SELECT digest FROM outputs WHERE work = ?", id(work)) { released.append($0.text(0)) }
        try database.run("DELETE FROM outputs WHERE work = ?", id(work))
    }
}
