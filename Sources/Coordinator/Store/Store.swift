import Platform
import Protocol

/// What must survive. Every change the scheduler asks for is written here, all changes of one turn in one transaction;
/// only then does anybody hear of them. The epoch of a result, a checkpoint or a new lease is checked once more inside
/// that transaction: the second line of defence, should the state in memory ever be wrong.
package final class Store {
    package let database: Database
    /// The audit keeps this many entries.
    package static let eventsMax = 1_000_000

    /// Opens or makes the database and brings its schema up to date.
    /// - Throws: `StoreError`.
    package init(path: String) throws {
        database = try Database(path: path)
        try Migrations.apply(to: database)
        try Migrations.check(database)
        try database.run("UPDATE workers SET connected = 0 WHERE connected = 1")
        try trimEvents()
    }

    /// A connection of its own to a database that another `Store` of this process has opened: for questions.
    /// - Throws: `StoreError`.
    init(readingFrom path: String) throws {
        database = try Database(path: path)
        try database.execute("PRAGMA query_only = ON")
    }

    /// Forgets the oldest entries of the audit. At the start and every hour: a coordinator runs for months.
    package func trimEvents(keeping count: Int = eventsMax) throws {
        try database.run("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?", .integer(Int64(count)))
    }

    /// Forgets workers that have long gone and did nothing that is kept: each start of a worker has a name of its own.
    package func trimWorkers(goneBefore wallMilliseconds: Int64) throws {
        try database.run(
            """
            DELETE FROM workers WHERE connected = 0 AND changed_ms < ? AND name NOT IN (SELECT worker FROM leases)
                AND name NOT IN (SELECT done_by FROM works WHERE done_by IS NOT NULL)
            """, .integer(wallMilliseconds))
    }

    package func close() { database.close() }

    /// Writes the changes of several turns, all or none.
    /// - Returns: for each turn the blobs that nothing refers to any more, its candidates among them; their files may
    ///   be removed now.
    /// - Throws: `StoreError`; of kind staleEpoch for a change that must not be.
    package func commit(_ turns: [Turn], wallMilliseconds: Int64) throws -> [[ContentDigest]] {
        let unreferenced = try database.transaction {
            let unreferenced = try turns.map { try write($0, wallMilliseconds) }
            for change in turns.lazy.flatMap(\.changes) { try pass("store.\(change.kind).before") }
            return unreferenced
        }
        for change in turns.lazy.flatMap(\.changes) { try pass("store.\(change.kind).after") }
        return unreferenced
    }

    private func write(_ turn: Turn, _ wallMilliseconds: Int64) throws -> [ContentDigest] {
        var released: [String] = []
        for change in turn.changes {
            try write(change, wallMilliseconds, &released)
            try audit(change, wallMilliseconds)
        }
        return try forgetUnused(released) + turn.candidates.filter { try !knows($0) }
    }

    /// A place where the process may be made to die: before a commit with everything written, or after it with nobody
    /// told.
    private func pass(_ site: @autoclosure () -> String) throws {
        guard case .fail(let code) = Failpoint.hit(site(), detail: database.path) else { return }
        throw FileError(operation: "commit", path: database.path, code: code)
    }

    /// Makes a file outside the blob folder known.
    package func registerExternalBlob(
        _ digest: ContentDigest, byteCount: UInt64, path: String, wallMilliseconds: Int64
    ) throws {
        try database.run(
            """
            INSERT INTO blobs(digest, byte_count, external_path, added_ms) VALUES(?, ?, ?, ?)
            ON CONFLICT(digest) DO UPDATE SET external_path = excluded.external_path
            """, .text("\(digest)"), .bits(byteCount), .text(path), .integer(wallMilliseconds))
    }

    /// The files outside the blob folder, by digest.
    package func externalBlobs() throws -> [(digest: ContentDigest, byteCount: UInt64, path: String)] {
        var found: [(digest: ContentDigest, byteCount: UInt64, path: String)] = []
        try database.query("SELECT digest, byte_count, external_path FROM blobs WHERE external_path <> ''") {
            guard let digest = ContentDigest(hexadecimal: $0.text(0)) else { return }
            found.append((digest, $0.bits(1), $0.text(2)))
        }
        return found
    }

    // MARK: - One change

    private func write(_ change: StoreChange, _ wallMilliseconds: Int64, _ released: inout [String]) throws {
        switch change {
        case .runAdded(let run, let request, let firstWork):
            try insertRun(run, request, firstWork, wallMilliseconds)
        case .itemsAdded(let run, let first, let firstWork, let items):
            try appendItems(items, to: run, first: first, firstWork: firstWork, wallMilliseconds)
        case .itemsCollected(let run, let items): try collect(items, of: run, &released)
        case .itemsClosed(let run): try database.run("UPDATE runs SET is_open = 0 WHERE id = ?", id(run))
        case .runReopened(let run, let works): try reopen(run, works, wallMilliseconds)
        case .runEnded(let run, _):
            try database.run(
                "UPDATE runs SET state = 'ended', ended_ms = ? WHERE id = ?", .integer(wallMilliseconds), id(run))
            try keepCounts(of: run)
        case .runCancelled(let run): try cancel(run, wallMilliseconds)
        case .runForgotten(let run): try forget(run, &released)
        case .runPaused(let run): try database.run("UPDATE runs SET paused = 1 WHERE id = ?", id(run))
        case .runResumed(let run): try database.run("UPDATE runs SET paused = 0 WHERE id = ?", id(run))
        case .runPrioritised(let run, let priority):
            try database.run("UPDATE runs SET priority = ? WHERE id = ?", .integer(Int64(priority)), id(run))
        case .arithmeticChosen(let run, let digest):
            try database.run("UPDATE runs SET arithmetic = ? WHERE id = ?", .text("\(digest)"), id(run))
        case .leaseGranted(let lease, let worker, _):
            try insertLease(lease, worker, beside: 0, wallMilliseconds)
        case .backupGranted(let lease, let worker, _, _):
            try insertLease(lease, worker, beside: 1, wallMilliseconds)
        case .leaseEnded(let lease, let worker, let end): try endLease(lease, worker, end, wallMilliseconds)
        case .leaseRevived(let lease, let worker): try reviveLease(lease, worker, wallMilliseconds)
        case .checkpointAccepted(let lease, let worker, let checkpoint, let metrics):
            try insertCheckpoint(lease, worker, checkpoint, metrics, wallMilliseconds, &released)
        case .checkpointDropped(let work, let iteration): try dropCheckpoint(of: work, iteration, &released)
        case .metricsAccepted(let lease, let worker, let metrics):
            try insertMetrics(lease, worker, metrics, wallMilliseconds)
        case .resultAccepted(let result, let worker):
            try insertResult(result, worker, wallMilliseconds, &released)
        case .workReady(let work): try setState(work, "ready", wallMilliseconds)
        case .workVoting(let work): try setState(work, "voting", wallMilliseconds)
        case .votesCounted(let work, let blob):
            try setState(work, "done", wallMilliseconds)
            try insertOutputs([blob], of: work, wallMilliseconds)
            try giveSequence(work)
        case .votesDamaged(let work, let sources, _):
            try discardVotes(work, sources, wallMilliseconds, &released)
        case .outputsDamaged(let work, let state, let waiting):
            try makeAgain(work, state, waiting: waiting, wallMilliseconds, &released)
        case .outputsReleased(let work): try releaseOutputs(of: work, &released)
        case .workRefused(let work, let cause, let message): try refuse(work, cause, message, wallMilliseconds)
        case .messageRefused, .workerDrained: break
        case .checkAdded, .checkLeased, .checkDiffers, .checkEnded, .checkDropped, .machineSetAside,
            .machineReadmitted, .worksMadeAgain:
            try writeVerification(change, wallMilliseconds, &released)
        case .workerConnected(let worker, let facts):
            try database.run(
                """
                INSERT INTO workers(name, build, device, thread_count, memory_bytes, connected, changed_ms)
                VALUES(?, ?, ?, ?, ?, 1, ?)
                ON CONFLICT(name) DO UPDATE SET build = excluded.build, device = excluded.device,
                    thread_count = excluded.thread_count, memory_bytes = excluded.memory_bytes, connected = 1,
                    changed_ms = excluded.changed_ms
                """, .text(worker), .text(facts.build), .text(facts.device), .integer(Int64(facts.threadCount)),
                .bits(facts.memoryByteCount), .integer(wallMilliseconds))
        case .workerDisconnected(let worker):
            try database.run(
                "UPDATE workers SET connected = 0, changed_ms = ? WHERE name = ?", .integer(wallMilliseconds),
                .text(worker))
        }
    }

    /// Drops the candidates that nothing refers to any more.
    private func forgetUnused(_ candidates: [String]) throws -> [ContentDigest] {
        var unused: [ContentDigest] = []
        for digest in candidates {
            let count = try database.run(
                """
                DELETE FROM blobs WHERE digest = ?1
                AND NOT EXISTS(SELECT 1 FROM outputs WHERE digest = ?1)
                AND NOT EXISTS(SELECT 1 FROM checkpoints WHERE digest = ?1)
                AND NOT EXISTS(SELECT 1 FROM run_inputs WHERE digest = ?1)
                AND NOT EXISTS(SELECT 1 FROM item_inputs WHERE digest = ?1)
                AND NOT EXISTS(SELECT 1 FROM check_blobs WHERE digest = ?1)
                AND NOT EXISTS(SELECT 1 FROM trusted WHERE digest = ?1)
                """, .text(digest))
            if count > 0, let digest = ContentDigest(hexadecimal: digest) { unused.append(digest) }
        }
        return unused
    }

    // MARK: - Small helpers

    func id(_ run: RunID) -> SQLValue { .bits(run.value) }
    func id(_ work: WorkID) -> SQLValue { .bits(work.value) }

    func insertBlob(_ blob: BlobReference, _ wallMilliseconds: Int64) throws {
        try database.run(
            "INSERT OR IGNORE INTO blobs(digest, byte_count, added_ms) VALUES(?, ?, ?)", .text("\(blob.digest)"),
            .bits(blob.byteCount), .integer(wallMilliseconds))
    }

    /// A blob that a shared file system has. It may be uploaded later.
    func insertSharedBlob(_ blob: BlobReference, _ wallMilliseconds: Int64) throws {
        try database.run(
            "INSERT OR IGNORE INTO blobs(digest, byte_count, external_path, added_ms) VALUES(?, ?, '', ?)",
            .text("\(blob.digest)"), .bits(blob.byteCount), .integer(wallMilliseconds))
    }

    func setState(_ work: WorkID, _ state: String, _ wallMilliseconds: Int64) throws {
        try database.run(
            "UPDATE works SET state = ?, changed_ms = ? WHERE id = ?", .text(state), .integer(wallMilliseconds),
            id(work))
    }

    /// The second line of defence: exactly one row must have changed.
    func require(_ changedRowCount: Int, _ lease: Lease, _ what: String) throws {
        guard changedRowCount == 1 else {
            throw StoreError(
                kind: .staleEpoch, code: 0, message: "\(what) under \(lease), which does not count", sql: "",
                path: database.path)
        }
    }
}

extension Store {
    /// Lets the file grow by so many pages only, so that a test meets a full disk.
    package func limitPageCount(toCurrentPlus pages: Int) throws {
        // Without pages that are there and free.
        try database.execute("VACUUM")
        var current = 0
        try database.query("PRAGMA page_count") { current = $0.int(0) }
        try database.execute("PRAGMA max_page_count = \(current + pages)")
    }
}
