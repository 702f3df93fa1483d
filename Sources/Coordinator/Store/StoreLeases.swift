import Protocol

// Leases, and what comes in under them.

extension Store {
    /// - Parameter runningCount: how many leases run on the work already: none, or for a backup one.
    func insertLease(
        _ lease: Lease, _ worker: WorkerName, beside runningCount: Int64, _ wallMilliseconds: Int64
    ) throws {
        let changed = try database.run(
            """
            UPDATE works SET state = 'leased', epoch = ?1, changed_ms = ?2 WHERE id = ?3 AND epoch < ?1
                AND state = CASE ?4 WHEN 0 THEN 'ready' ELSE 'leased' END
                AND (SELECT count(*) FROM leases WHERE work = ?3 AND outcome IS NULL) = ?4
            """, .bits(lease.epoch), .integer(wallMilliseconds), id(lease.work), .integer(runningCount))
        try require(changed, lease, "a lease")
        try database.run(
            "INSERT INTO leases(work, epoch, worker, granted_ms) VALUES(?, ?, ?, ?)", id(lease.work),
            .bits(lease.epoch), .text(worker), .integer(wallMilliseconds))
    }

    func endLease(_ lease: Lease, _ worker: WorkerName, _ end: LeaseEnd, _ wallMilliseconds: Int64) throws {
        let ended = try database.run(
            """
            UPDATE leases SET outcome = ?, ended_ms = ? WHERE work = ? AND epoch = ? AND worker = ?
                AND (outcome IS NULL OR outcome IN ('lapsed', 'not held'))
            """, .text(end.word), .integer(wallMilliseconds), id(lease.work), .bits(lease.epoch), .text(worker))
        try require(ended, lease, "an end")
        var failed: Int64 = 0
        if case .failed = end { failed = 1 }
        try noteAttempt(lease.work, worker, failures: failed, losses: end.isLoss ? 1 : 0)
        // With another lease running, the work stays leased.
        let changed = try database.run(
            """
            UPDATE works SET failures = failures + ?1, losses = losses + ?2, changed_ms = ?3,
                state = CASE WHEN EXISTS(SELECT 1 FROM leases WHERE work = ?4 AND outcome IS NULL)
                    THEN 'leased' ELSE 'ready' END
            WHERE id = ?4 AND state IN ('leased', 'ready')
            """, .integer(failed), .integer(end.isLoss ? 1 : 0), .integer(wallMilliseconds), id(lease.work))
        try require(changed, lease, "an end")
    }

    func reviveLease(_ lease: Lease, _ worker: WorkerName, _ wallMilliseconds: Int64) throws {
        try requireCurrent(lease, worker, "a revival", outcome: nil, wallMilliseconds)
        try database.run(
            "UPDATE works SET state = 'leased', losses = max(0, losses - 1), changed_ms = ? WHERE id = ?",
            .integer(wallMilliseconds), id(lease.work))
        try database.run(
            "UPDATE attempts SET losses = max(0, losses - 1) WHERE work = ? AND machine = ?", id(lease.work),
            .text(worker.machine))
    }

    private func noteAttempt(_ work: WorkID, _ worker: WorkerName, failures: Int64, losses: Int64) throws {
        guard failures + losses > 0 else { return }
        try database.run(
            """
            INSERT INTO attempts(work, machine, failures, losses) VALUES(?, ?, ?, ?)
            ON CONFLICT(work, machine) DO UPDATE SET failures = failures + excluded.failures,
                losses = losses + excluded.losses
            """, id(work), .text(worker.machine), .integer(failures), .integer(losses))
    }

    func forgetFailures(of work: WorkID) throws {
        try database.run("UPDATE works SET failures = 0 WHERE id = ?", id(work))
        try database.run("UPDATE attempts SET failures = 0 WHERE work = ?", id(work))
    }

    func forgetAttempts(of work: WorkID) throws {
        try database.run("UPDATE works SET failures = 0, losses = 0 WHERE id = ?", id(work))
        try database.run("DELETE FROM attempts WHERE work = ?", id(work))
    }

    /// The epoch check inside the transaction: the work is not final, and the lease runs, or is the latest on its work
    /// and has lapsed.
    private func requireCurrent(
        _ lease: Lease, _ worker: WorkerName, _ what: String, outcome: String?, _ wallMilliseconds: Int64
    ) throws {
        let changed = try database.run(
            """
            UPDATE leases SET outcome = ?1, ended_ms = CASE WHEN ?1 IS NULL THEN NULL ELSE ?2 END
            WHERE work = ?3 AND epoch = ?4 AND worker = ?5
                AND EXISTS(SELECT 1 FROM works WHERE id = ?3 AND state IN ('leased', 'ready')
                    AND (leases.outcome IS NULL OR leases.outcome IN ('lapsed', 'not held') AND works.epoch = ?4))
            """, .optional(outcome), .integer(wallMilliseconds), id(lease.work), .bits(lease.epoch), .text(worker))
        try require(changed, lease, what)
    }

    func insertCheckpoint(
        _ lease: Lease, _ worker: WorkerName, _ checkpoint: Checkpoint, _ metrics: [IterationFigures],
        _ wallMilliseconds: Int64, _ released: inout [String]
    ) throws {
        try requireCurrent(lease, worker, "a checkpoint", outcome: nil, wallMilliseconds)
        let changed = try database.run(
            "UPDATE works SET changed_ms = ?3 WHERE id = ?1 AND "
                + "ifnull((SELECT max(iteration) FROM checkpoints WHERE work = ?1), 0) < ?2", id(lease.work),
            .integer(Int64(checkpoint.iteration)), .integer(wallMilliseconds))
        try require(changed, lease, "a checkpoint that goes back")
        try forgetAttempts(of: lease.work)
        try noteMaker(of: lease.work, worker)
        try insertBlob(checkpoint.blob, wallMilliseconds)
        try database.run(
            """
            INSERT INTO checkpoints(work, iteration, epoch, role, name, digest, saved_ms)
            VALUES(?, ?, ?, ?, ?, ?, ?)
            """, id(lease.work), .integer(Int64(checkpoint.iteration)), .bits(lease.epoch),
            .text(checkpoint.blob.role), .text(checkpoint.blob.name), .text("\(checkpoint.blob.digest)"),
            .integer(wallMilliseconds))
        try dropCheckpoints(of: lease.work, keeping: WorkRecord.checkpointsMax, &released)
        try insertMetrics(lease.work, metrics)
    }

    func dropCheckpoints(of work: WorkID, keeping count: Int, _ released: inout [String]) throws {
        var dropped: [Int64] = []
        try database.query(
            "SELECT iteration, digest FROM checkpoints WHERE work = ? ORDER BY iteration DESC LIMIT -1 OFFSET ?",
            id(work), .integer(Int64(count))
        ) {
            dropped.append($0.integer(0))
            released.append($0.text(1))
        }
        for iteration in dropped {
            try database.run(
                "DELETE FROM checkpoints WHERE work = ? AND iteration = ?", id(work), .integer(iteration))
        }
    }

    /// Damage on our own disk explains what failed.
    func dropCheckpoint(of work: WorkID, _ iteration: UInt32, _ released: inout [String]) throws {
        try forgetFailures(of: work)
        try database.query(
            "SELECT digest FROM checkpoints WHERE work = ? AND iteration = ?", id(work), .integer(Int64(iteration))
        ) { released.append($0.text(0)) }
        try database.run(
            "DELETE FROM checkpoints WHERE work = ? AND iteration = ?", id(work), .integer(Int64(iteration)))
    }

    func insertMetrics(
        _ lease: Lease, _ worker: WorkerName, _ metrics: [IterationFigures], _ wallMilliseconds: Int64
    ) throws {
        try requireCurrent(lease, worker, "metrics", outcome: nil, wallMilliseconds)
        try insertMetrics(lease.work, metrics)
    }

    /// A taken-over replica's iterations since the checkpoint come again, with the same figures.
    private func insertMetrics(_ work: WorkID, _ metrics: [IterationFigures]) throws {
        for figures in metrics {
            try database.run(
                """
                INSERT OR REPLACE INTO figures(run, step, position, iteration, figures)
                SELECT run, step, position, ?, ? FROM works WHERE id = ?
                """, .integer(Int64(figures.iteration)), .text(figures.text), id(work))
        }
    }

    func insertResult(
        _ result: WorkResult, _ worker: WorkerName, _ wallMilliseconds: Int64, _ released: inout [String]
    ) throws {
        let lease = result.lease
        try requireCurrent(lease, worker, "a result", outcome: "done", wallMilliseconds)
        try database.run(
            """
            UPDATE works SET state = 'done', report = ?, done_by = ?, seconds = ?, is_shared = ?, changed_ms = ?
            WHERE id = ?
            """, .text(result.reportJSON), .text(worker), .real(result.seconds), .integer(result.isShared ? 1 : 0),
            .integer(wallMilliseconds), id(lease.work))
        try insertOutputs(result.outputs, of: lease.work, isShared: result.isShared, wallMilliseconds)
        try insertMetrics(lease.work, result.metrics)
        try noteMaker(of: lease.work, worker)
        try giveSequence(lease.work)
        try dropCheckpoints(of: lease.work, keeping: 0, &released)
    }

    func insertOutputs(
        _ outputs: [BlobReference], of work: WorkID, isShared: Bool = false, _ wallMilliseconds: Int64
    ) throws {
        for (position, output) in outputs.enumerated() {
            try isShared ? insertSharedBlob(output, wallMilliseconds) : insertBlob(output, wallMilliseconds)
            try database.run(
                "INSERT INTO outputs(work, position, role, name, digest) VALUES(?, ?, ?, ?, ?)", id(work),
                .integer(Int64(position)), .text(output.role), .text(output.name), .text("\(output.digest)"))
        }
    }
}
