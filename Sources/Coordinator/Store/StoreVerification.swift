import Protocol

// Checks, and machines that are not trusted.

extension Store {
    func writeVerification(
        _ change: StoreChange, _ wallMilliseconds: Int64, _ released: inout [String]
    ) throws {
        switch change {
        case .checkLeased(let lease, _, _):
            try database.run("UPDATE checks SET epoch = ? WHERE id = ?", .bits(lease.epoch), id(lease.work))
        case .checkAdded(let check): try insertCheck(check, wallMilliseconds)
        case .checkDiffers(let check, _, let opinions): try insertOpinions(opinions, of: check)
        case .checkEnded(let check, let work, _, _, let isConfirming):
            if isConfirming { try confirm(work, by: check, &released) }
            try count(check, as: "checked")
            try deleteCheck(check, &released)
        case .checkDropped(let check, _, _, let isMissed):
            if isMissed { try count(check, as: "missed") }
            try deleteCheck(check, &released)
        case .machineSetAside(let machine, let why):
            try database.run(
                "INSERT OR REPLACE INTO set_aside(machine, why, since_ms) VALUES(?, ?, ?)", .text(machine), .text(why),
                .integer(wallMilliseconds))
        case .machineReadmitted(let machine):
            try database.run("DELETE FROM set_aside WHERE machine = ?", .text(machine))
        case .worksMadeAgain(_, let works, _):
            for work in works { try makeAgain(work, wallMilliseconds, &released) }
        default: preconditionFailure("\(change) is about no check")
        }
    }

    /// For who has asked for checks: how many came to an end, and how many did not. Disputed: of the latter, those on
    /// which machines disagree.
    private func count(_ check: WorkID, as column: String) throws {
        try database.run(
            """
            UPDATE runs SET \(column) = \(column) + 1, disputed = disputed + (?2 = 'missed'
                AND (SELECT count(*) FROM opinions WHERE check_id = ?1) > 1)
            WHERE id = (SELECT run FROM checks WHERE id = ?1)
            """, id(check), .text(column))
    }

    private func insertCheck(_ check: Check, _ wallMilliseconds: Int64) throws {
        try database.run(
            "INSERT INTO checks(id, run, work, until, arithmetic) VALUES(?, ?, ?, ?, ?)", id(check.id), id(check.run),
            id(check.work), .integer(Int64(check.until)), .optional(check.arithmetic.map { "\($0)" }))
        try database.run("UPDATE numbers SET last_work = max(last_work, ?)", id(check.id))
        for (part, checkpoint) in [("base", check.base), ("target", check.target)] {
            guard let checkpoint else { continue }
            try insertBlob(checkpoint.blob, wallMilliseconds)
            try database.run(
                "INSERT INTO check_blobs(check_id, part, iteration, role, name, digest) VALUES(?, ?, ?, ?, ?, ?)",
                id(check.id), .text(part), .integer(Int64(checkpoint.iteration)), .text(checkpoint.blob.role),
                .text(checkpoint.blob.name), .text("\(checkpoint.blob.digest)"))
        }
        try insertOpinions(check.opinions, of: check.id)
    }

    /// All of them; those that are there stay.
    private func insertOpinions(_ opinions: [Opinion], of check: WorkID) throws {
        for (position, opinion) in opinions.enumerated() {
            try database.run(
                "INSERT OR IGNORE INTO opinions(check_id, position, worker, digests) VALUES(?, ?, ?, ?)", id(check),
                .integer(Int64(position)), .text(opinion.worker),
                .text(opinion.digests.map(\.description).joined(separator: " ")))
        }
    }

    /// Two machines agree with what counts: to a checkpoint, or to the end.
    private func confirm(_ work: WorkID, by check: WorkID, _ released: inout [String]) throws {
        var hasTarget = false
        try database.query(
            "SELECT 1 FROM check_blobs WHERE check_id = ? AND part = 'target'", id(check)
        ) { _ in hasTarget = true }
        guard hasTarget else {
            try database.run("UPDATE works SET confirmed = 1 WHERE id = ?", id(work))
            return
        }
        try database.query("SELECT digest FROM trusted WHERE work = ?", id(work)) { released.append($0.text(0)) }
        try database.run(
            """
            INSERT INTO trusted(work, iteration, role, name, digest)
            SELECT ?2, iteration, role, name, digest FROM check_blobs WHERE check_id = ?1 AND part = 'target'
            ON CONFLICT(work) DO UPDATE SET iteration = excluded.iteration, role = excluded.role,
                name = excluded.name, digest = excluded.digest
            """, id(check), id(work))
    }

    private func deleteCheck(_ check: WorkID, _ released: inout [String]) throws {
        try database.query("SELECT digest FROM check_blobs WHERE check_id = ?", id(check)) {
            released.append($0.text(0))
        }
        try database.run("DELETE FROM check_blobs WHERE check_id = ?", id(check))
        try database.run("DELETE FROM opinions WHERE check_id = ?", id(check))
        try database.run("DELETE FROM checks WHERE id = ?", id(check))
    }

    func forgetChecks(of run: RunID, _ released: inout [String]) throws {
        var checks: [WorkID] = []
        try database.query("SELECT id FROM checks WHERE run = ?", id(run)) { checks.append(WorkID($0.bits(0))) }
        for check in checks { try deleteCheck(check, &released) }
        let works = "(SELECT id FROM works WHERE run = ?)"
        try database.query("SELECT digest FROM trusted WHERE work IN \(works)", id(run)) { released.append($0.text(0)) }
        try database.run("DELETE FROM trusted WHERE work IN \(works)", id(run))
    }

    /// Only of sessions: of others the result says it.
    func noteMaker(of work: WorkID, _ worker: WorkerName) throws {
        try database.run(
            """
            INSERT OR IGNORE INTO makers(work, machine) SELECT ?1, ?2 FROM works w
            JOIN steps s ON s.run = w.run AND s.position = w.step AND s.kind = 'session' WHERE w.id = ?1
            """, id(work), .text(worker.machine))
    }

    /// Back to waiting, a session to the last checkpoint that somebody has confirmed.
    private func makeAgain(_ remade: RemadeWork, _ wallMilliseconds: Int64, _ released: inout [String]) throws {
        try releaseOutputs(of: remade.work, &released)
        try forgetAttempts(of: remade.work)
        try database.run("DELETE FROM makers WHERE work = ?", id(remade.work))
        try dropCheckpoints(of: remade.work, keeping: 0, &released)
        if let checkpoint = remade.checkpoint {
            try database.run(
                """
                INSERT INTO checkpoints(work, iteration, epoch, role, name, digest, saved_ms)
                SELECT work, iteration, 0, role, name, digest, ?2 FROM trusted WHERE work = ?1 AND iteration = ?3
                """, id(remade.work), .integer(wallMilliseconds), .integer(Int64(checkpoint.iteration)))
        }
        try database.run(
            """
            UPDATE works SET state = 'waiting', cause = NULL, report = NULL, done_by = NULL, sequence = NULL,
                confirmed = 0, changed_ms = ? WHERE id = ?
            """, .integer(wallMilliseconds), id(remade.work))
    }

    // MARK: - After a restart

    func recoverChecks(of run: RunID) throws -> [Check] {
        var blobs: [UInt64: [String: Checkpoint]] = [:], opinions: [UInt64: [Opinion]] = [:]
        try database.query(
            """
            SELECT check_id, part, iteration, role, name, c.digest, byte_count FROM check_blobs c
            JOIN checks ON checks.id = check_id JOIN blobs b ON b.digest = c.digest WHERE run = ?
            """, id(run)
        ) { row in
            let blob = BlobReference(
                role: row.text(3), name: row.text(4), digest: try digest(row.text(5)), byteCount: row.bits(6))
            blobs[row.bits(0), default: [:]][row.text(1)] = Checkpoint(iteration: row.uint32(2), blob: blob)
        }
        try database.query(
            """
            SELECT check_id, worker, digests FROM opinions JOIN checks ON checks.id = check_id WHERE run = ?
            ORDER BY check_id, position
            """, id(run)
        ) { row in
            let digests = try row.text(2).split(separator: " ").map { try digest(String($0)) }
            opinions[row.bits(0), default: []].append(Opinion(worker: row.text(1), digests: digests))
        }
        var found: [Check] = []
        try database.query(
            "SELECT id, work, until, arithmetic, epoch FROM checks WHERE run = ? ORDER BY id", id(run)
        ) { row in
            let number = row.bits(0)
            guard let own = opinions[number], (1...RecoveredRun.numberMax).contains(number) else {
                throw corrupt("check \(number) is about nothing")
            }
            var check = Check(
                id: WorkID(number), run: run, work: WorkID(row.bits(1)), base: blobs[number]?["base"],
                target: blobs[number]?["target"], until: row.uint32(2),
                arithmetic: try row.optionalText(3).map(digest), opinions: own)
            check.epoch = row.bits(4)
            found.append(check)
        }
        return found
    }

    func recoverTrust(_ works: ClosedRange<UInt64>) throws -> [WorkID: (Checkpoint?, Set<MachineName>)] {
        var found: [WorkID: (Checkpoint?, Set<MachineName>)] = [:]
        try database.query(
            "SELECT work, machine FROM makers WHERE work BETWEEN ? AND ?", .bits(works.lowerBound),
            .bits(works.upperBound)
        ) { found[WorkID($0.bits(0)), default: (nil, [])].1.insert($0.text(1)) }
        try database.query(
            """
            SELECT work, iteration, role, name, t.digest, byte_count FROM trusted t
            JOIN blobs b ON b.digest = t.digest WHERE work BETWEEN ? AND ?
            """, .bits(works.lowerBound), .bits(works.upperBound)
        ) { row in
            let blob = BlobReference(
                role: row.text(2), name: row.text(3), digest: try digest(row.text(4)), byteCount: row.bits(5))
            found[WorkID(row.bits(0)), default: (nil, [])].0 = Checkpoint(iteration: row.uint32(1), blob: blob)
        }
        return found
    }

    func recoverAside() throws -> [MachineName: String] {
        var found: [MachineName: String] = [:]
        try database.query("SELECT machine, why FROM set_aside") { found[$0.text(0)] = $0.text(1) }
        return found
    }
}
