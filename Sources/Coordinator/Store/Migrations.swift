/// The schema, as numbered steps; a database remembers in `user_version` how many it has taken. A step that has been
/// released is never edited: the next one is added.
package enum Migrations {
    /// Says "this is ours" in the file's header: "QNTT".
    static let applicationID = 0x514E_5454

    package static let steps: [String] = [first, second]

    /// Brings a database up to date.
    /// - Throws: `StoreError` of kind newerSchema for a file of a later quintet, corrupt for one that is not ours.
    package static func apply(to database: Database, steps: [String] = steps) throws {
        let version = try pragma("user_version", database)
        let application = try pragma("application_id", database)
        var tables = 0
        try database.query("SELECT count(*) FROM sqlite_master") { tables = $0.int(0) }
        if application != applicationID && tables > 0 {
            throw StoreError(
                kind: .notAllowed, code: 0, message: "is a database of another program", sql: "", path: database.path)
        }
        guard version >= 0, version <= steps.count else {
            throw StoreError(
                kind: .newerSchema, code: 0, message: "has schema \(version); this quintet knows \(steps.count)",
                sql: "", path: database.path)
        }
        guard version < steps.count else { return }
        try database.transaction {
            for step in steps[version...] { try database.execute(step) }
            try database.execute("PRAGMA application_id = \(applicationID); PRAGMA user_version = \(steps.count);")
        }
    }

    private static func pragma(_ name: String, _ database: Database) throws -> Int {
        var value = 0
        try database.query("PRAGMA \(name)") { value = $0.int(0) }
        return value
    }

    /// Runs have a label, a sender, a priority and a need of memory, and can be paused; attempts are counted by
    /// machine; the numbers of what is forgotten are not given again.
    private static let second = """
        ALTER TABLE runs ADD COLUMN label TEXT NOT NULL DEFAULT '';
        ALTER TABLE runs ADD COLUMN submitter TEXT NOT NULL DEFAULT '';
        ALTER TABLE runs ADD COLUMN memory_bytes INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE runs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE runs ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE workers ADD COLUMN memory_bytes INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE attempts(
            work INTEGER NOT NULL REFERENCES works(id), machine TEXT NOT NULL, failures INTEGER NOT NULL DEFAULT 0,
            losses INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(work, machine)) STRICT, WITHOUT ROWID;
        CREATE INDEX works_refused ON works(run) WHERE state = 'refused';
        CREATE TABLE numbers(
            id INTEGER PRIMARY KEY CHECK(id = 1), last_run INTEGER NOT NULL, last_work INTEGER NOT NULL) STRICT;
        INSERT INTO numbers(id, last_run, last_work) VALUES(
            1, ifnull((SELECT max(id) FROM runs), 0), ifnull((SELECT max(id) FROM works), 0));
        """

    /// Times are milliseconds since 1970; digests 64 hexadecimal digits; seeds 64 bits, shown as a signed number.
    private static let first = """
        CREATE TABLE blobs(
            digest TEXT PRIMARY KEY CHECK(length(digest) = 64), byte_count INTEGER NOT NULL,
            external_path TEXT, added_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE workers(
            name TEXT PRIMARY KEY, build TEXT NOT NULL, device TEXT NOT NULL, thread_count INTEGER NOT NULL,
            connected INTEGER NOT NULL, changed_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE runs(
            id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL CHECK(kind IN ('train', 'segment')),
            recipe TEXT NOT NULL, parameters TEXT NOT NULL, seed INTEGER NOT NULL, replica_count INTEGER NOT NULL,
            iteration_count INTEGER NOT NULL, checkpoint_seconds INTEGER NOT NULL, first_work INTEGER NOT NULL,
            state TEXT NOT NULL CHECK(state IN ('running', 'ended', 'cancelled')), created_ms INTEGER NOT NULL,
            ended_ms INTEGER) STRICT;
        CREATE TABLE run_inputs(
            run INTEGER NOT NULL REFERENCES runs(id), position INTEGER NOT NULL, role TEXT NOT NULL,
            name TEXT NOT NULL, digest TEXT NOT NULL REFERENCES blobs(digest),
            PRIMARY KEY(run, position)) STRICT, WITHOUT ROWID;
        CREATE INDEX run_inputs_digest ON run_inputs(digest);
        CREATE TABLE shards(
            run INTEGER NOT NULL REFERENCES runs(id), position INTEGER NOT NULL, name TEXT NOT NULL,
            PRIMARY KEY(run, position)) STRICT, WITHOUT ROWID;
        CREATE TABLE shard_inputs(
            run INTEGER NOT NULL, shard INTEGER NOT NULL, position INTEGER NOT NULL, role TEXT NOT NULL,
            name TEXT NOT NULL, digest TEXT NOT NULL REFERENCES blobs(digest), PRIMARY KEY(run, shard, position),
            FOREIGN KEY(run, shard) REFERENCES shards(run, position)) STRICT, WITHOUT ROWID;
        CREATE INDEX shard_inputs_digest ON shard_inputs(digest);
        CREATE TABLE works(
            id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs(id),
            stage TEXT NOT NULL CHECK(stage IN ('train', 'calibrate', 'predict', 'finish')),
            position INTEGER NOT NULL,
            state TEXT NOT NULL CHECK(
                state IN ('waiting', 'voting', 'ready', 'leased', 'done', 'refused', 'cancelled')),
            epoch INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0, losses INTEGER NOT NULL DEFAULT 0,
            cause TEXT CHECK(cause IN ('input', 'failed', 'dependency')),
            report TEXT, done_by TEXT REFERENCES workers(name), voted TEXT REFERENCES blobs(digest),
            sequence INTEGER, changed_ms INTEGER NOT NULL) STRICT;
        CREATE INDEX works_run ON works(run, sequence);
        CREATE INDEX works_voted ON works(voted) WHERE voted IS NOT NULL;
        CREATE TABLE outputs(
            work INTEGER NOT NULL REFERENCES works(id), position INTEGER NOT NULL, role TEXT NOT NULL,
            name TEXT NOT NULL, digest TEXT NOT NULL REFERENCES blobs(digest),
            PRIMARY KEY(work, position)) STRICT, WITHOUT ROWID;
        CREATE INDEX outputs_digest ON outputs(digest);
        CREATE TABLE leases(
            work INTEGER NOT NULL REFERENCES works(id), epoch INTEGER NOT NULL,
            worker TEXT NOT NULL REFERENCES workers(name), granted_ms INTEGER NOT NULL, ended_ms INTEGER,
            outcome TEXT CHECK(outcome IN ('done', 'lapsed', 'not held', 'drained', 'failed', 'revoked', 'refused')),
            PRIMARY KEY(work, epoch)) STRICT, WITHOUT ROWID;
        CREATE TABLE checkpoints(
            work INTEGER NOT NULL REFERENCES works(id), iteration INTEGER NOT NULL, epoch INTEGER NOT NULL,
            role TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL REFERENCES blobs(digest),
            saved_ms INTEGER NOT NULL, PRIMARY KEY(work, iteration)) STRICT, WITHOUT ROWID;
        CREATE INDEX checkpoints_digest ON checkpoints(digest);
        CREATE TABLE metrics(
            run INTEGER NOT NULL REFERENCES runs(id), replica INTEGER NOT NULL, iteration INTEGER NOT NULL,
            loss REAL, dice REAL, seconds REAL,
            PRIMARY KEY(run, replica, iteration)) STRICT, WITHOUT ROWID;
        CREATE TABLE events(
            id INTEGER PRIMARY KEY AUTOINCREMENT, time_ms INTEGER NOT NULL, run INTEGER, work INTEGER, epoch INTEGER,
            worker TEXT, message TEXT NOT NULL) STRICT;
        CREATE INDEX events_run ON events(run, id);
        CREATE VIEW replicas AS
            SELECT works.run, works.position AS replica, works.state, works.epoch, leases.worker,
                (SELECT max(iteration) FROM checkpoints WHERE checkpoints.work = works.id) AS checkpoint_iteration
            FROM works LEFT JOIN leases ON leases.work = works.id AND leases.epoch = works.epoch
            WHERE works.stage = 'train';
        """
}
