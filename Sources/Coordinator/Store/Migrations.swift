/// The schema, as numbered steps; a database remembers in `user_version` how many it has taken. A step that has been
/// released is never edited: the next one is added.
package enum Migrations {
    /// Says "this is ours" in the file's header: "QNTT".
    static let applicationID = 0x514E_5454

    package static let steps: [String] = [first, second, third, fourth]

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
        // A step may make a table anew that others refer to; whether all still fits is looked at afterwards.
        try database.execute("PRAGMA foreign_keys = OFF")
        try database.transaction {
            for step in steps[version...] { try database.execute(step) }
            var strays = 0
            try database.query("PRAGMA foreign_key_check") { _ in strays += 1 }
            guard strays == 0 else {
                throw StoreError(
                    kind: .corrupt, code: 0, message: "holds \(strays) rows that belong to nothing", sql: "",
                    path: database.path)
            }
            try database.execute("PRAGMA application_id = \(applicationID); PRAGMA user_version = \(steps.count);")
        }
        try database.execute("PRAGMA foreign_keys = ON")
    }

    private static func pragma(_ name: String, _ database: Database) throws -> Int {
        var value = 0
        try database.query("PRAGMA \(name)") { value = $0.int(0) }
        return value
    }

    /// Archives stream: items leave when their answers are collected, say their need of memory and where a shared file
    /// system has their files; works say how long they were computed, and whether what they made lies there.
    private static let fourth = """
        ALTER TABLE items ADD COLUMN memory_bytes INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE items ADD COLUMN collected INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE item_inputs ADD COLUMN path TEXT NOT NULL DEFAULT '';
        ALTER TABLE runs ADD COLUMN answer_folder TEXT NOT NULL DEFAULT '';
        ALTER TABLE works ADD COLUMN seconds REAL NOT NULL DEFAULT 0;
        ALTER TABLE works ADD COLUMN is_shared INTEGER NOT NULL DEFAULT 0;
        """

    /// A run carries out a plan: its steps are rows, works name theirs by number, the vote is a work of its own, and
    /// volumes are items. Figures are name=value. Outputs have places that are never given twice. Entries of the audit
    /// have fields; out of older sentences they are read this once, of checkpoints, which are many and of which the
    /// latest under a lease says it all. The two kinds of runs that there were become the plans that they always had.
    /// A volume had two works and has three now, so that works get new numbers; leases under the old ones end with the
    /// old workers, which speak another protocol.
    private static let third = """
        CREATE TABLE steps(
            run INTEGER NOT NULL REFERENCES runs(id), position INTEGER NOT NULL, label TEXT NOT NULL,
            kind TEXT NOT NULL CHECK(kind IN ('session', 'task', 'vote')),
            fan TEXT NOT NULL CHECK(fan IN ('once', 'replica', 'item')),
            inputs TEXT NOT NULL, keep TEXT NOT NULL CHECK(keep IN ('forRun', 'untilConsumed')),
            affinity INTEGER, iteration_count INTEGER NOT NULL, is_read INTEGER NOT NULL,
            is_listed INTEGER NOT NULL, PRIMARY KEY(run, position)) STRICT, WITHOUT ROWID;
        INSERT INTO steps SELECT id, 0, 'train', 'session', 'replica', 'run', 'forRun', NULL, iteration_count, 1, 1
            FROM runs WHERE kind = 'train';
        INSERT INTO steps SELECT id, 1, 'calibrate', 'task', 'once', 'run 0:replica', 'forRun', NULL, 0, 0, 1
            FROM runs WHERE kind = 'train';
        INSERT INTO steps SELECT id, 0, 'predict', 'task', 'item', 'run item', 'untilConsumed', NULL, 0, 1, 0
            FROM runs WHERE kind = 'segment';
        INSERT INTO steps SELECT id, 1, 'vote', 'vote', 'item', '0:votes', 'untilConsumed', NULL, 0, 1, 0
            FROM runs WHERE kind = 'segment';
        INSERT INTO steps SELECT id, 2, 'finish', 'task', 'item', 'item 1 0:votes', 'forRun', 0, 0, 0, 1
            FROM runs WHERE kind = 'segment';
        UPDATE steps SET inputs = 'item 1' WHERE label = 'finish' AND (SELECT parameters FROM runs WHERE id = run)
            LIKE '%"memberAnswers":false%';

        CREATE TABLE new_runs(
            id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, plan TEXT NOT NULL,
            recipe TEXT NOT NULL, parameters TEXT NOT NULL, seed INTEGER NOT NULL, replica_count INTEGER NOT NULL,
            checkpoint_seconds INTEGER NOT NULL, first_work INTEGER NOT NULL,
            state TEXT NOT NULL CHECK(state IN ('running', 'ended', 'cancelled')), created_ms INTEGER NOT NULL,
            ended_ms INTEGER, label TEXT NOT NULL DEFAULT '', submitter TEXT NOT NULL DEFAULT '',
            memory_bytes INTEGER NOT NULL DEFAULT 0, priority INTEGER NOT NULL DEFAULT 0,
            paused INTEGER NOT NULL DEFAULT 0, arithmetic TEXT, is_open INTEGER NOT NULL DEFAULT 0,
            counts TEXT, verify_share REAL NOT NULL DEFAULT 0, last_sequence INTEGER NOT NULL DEFAULT 0,
            checked INTEGER NOT NULL DEFAULT 0, missed INTEGER NOT NULL DEFAULT 0,
            disputed INTEGER NOT NULL DEFAULT 0) STRICT;
        CREATE TEMP TABLE volume_counts AS
            SELECT id AS run, (SELECT count(*) FROM shards WHERE run = runs.id) AS count FROM runs;
        INSERT INTO new_runs SELECT id, key, kind, recipe, parameters, seed, replica_count, checkpoint_seconds,
            CASE kind WHEN 'train' THEN first_work ELSE (SELECT last_work FROM numbers) + 1
                + 3 * (SELECT ifnull(sum(count), 0) FROM temp.volume_counts WHERE run < runs.id) END,
            state, created_ms, ended_ms, label, submitter, memory_bytes, priority, paused, NULL, 0, NULL, 0,
            (SELECT ifnull(max(sequence), 0) FROM works WHERE run = runs.id), 0, 0, 0 FROM runs;
        UPDATE numbers SET last_work = last_work + 3 * (SELECT ifnull(sum(count), 0) FROM temp.volume_counts);
        DROP TABLE temp.volume_counts;

        CREATE TABLE new_works(
            id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs(id), step INTEGER NOT NULL,
            position INTEGER NOT NULL,
            state TEXT NOT NULL CHECK(
                state IN ('waiting', 'voting', 'ready', 'leased', 'done', 'refused', 'cancelled')),
            epoch INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0, losses INTEGER NOT NULL DEFAULT 0,
            cause TEXT CHECK(cause IN ('input', 'failed', 'dependency')),
            report TEXT, done_by TEXT REFERENCES workers(name),
            sequence INTEGER, changed_ms INTEGER NOT NULL, confirmed INTEGER NOT NULL DEFAULT 0) STRICT;
        CREATE TEMP TABLE new_numbers AS SELECT w.id AS old, CASE w.stage
                WHEN 'predict' THEN r.first_work + 3 * w.position
                WHEN 'finish' THEN r.first_work + 3 * w.position + 2 ELSE w.id END AS new
            FROM works w JOIN new_runs r ON r.id = w.run;
        CREATE UNIQUE INDEX temp.new_numbers_old ON new_numbers(old);
        INSERT INTO new_works SELECT n.new, run, CASE stage WHEN 'calibrate' THEN 1 WHEN 'finish' THEN 2 ELSE 0 END,
            position, CASE state WHEN 'voting' THEN 'waiting' ELSE state END, epoch, failures, losses, cause, report,
            done_by, sequence, changed_ms, 0 FROM works w JOIN temp.new_numbers n ON n.old = w.id;
        INSERT INTO new_works(id, run, step, position, state, cause, report, changed_ms)
            SELECT n.new - 1, f.run, 1, f.position, CASE
                WHEN f.state = 'voting' THEN 'voting' WHEN f.state = 'waiting' THEN 'waiting'
                WHEN f.state IN ('ready', 'leased', 'done') OR f.voted IS NOT NULL THEN 'done'
                WHEN f.state = 'cancelled' THEN 'cancelled' ELSE 'refused' END,
                CASE WHEN f.state = 'refused' AND f.voted IS NULL THEN 'dependency' END,
                CASE WHEN f.state = 'refused' AND f.voted IS NULL THEN f.report END, f.changed_ms
            FROM works f JOIN temp.new_numbers n ON n.old = f.id WHERE f.stage = 'finish';

        CREATE TABLE new_outputs(
            work INTEGER NOT NULL REFERENCES works(id), position INTEGER NOT NULL, role TEXT NOT NULL,
            name TEXT NOT NULL, digest TEXT NOT NULL REFERENCES blobs(digest),
            PRIMARY KEY(work, position)) STRICT, WITHOUT ROWID;
        INSERT INTO new_outputs SELECT n.new, position, role, name, digest
            FROM outputs o JOIN temp.new_numbers n ON n.old = o.work;
        INSERT INTO new_outputs SELECT n.new - 1, 0, 'voted', s.name, f.voted
            FROM works f JOIN temp.new_numbers n ON n.old = f.id
            JOIN shards s ON s.run = f.run AND s.position = f.position WHERE f.voted IS NOT NULL;

        CREATE TABLE new_leases(
            work INTEGER NOT NULL REFERENCES works(id), epoch INTEGER NOT NULL,
            worker TEXT NOT NULL REFERENCES workers(name), granted_ms INTEGER NOT NULL, ended_ms INTEGER,
            outcome TEXT CHECK(outcome IN ('done', 'lapsed', 'not held', 'drained', 'failed', 'revoked', 'refused')),
            PRIMARY KEY(work, epoch)) STRICT, WITHOUT ROWID;
        INSERT INTO new_leases SELECT n.new, epoch, worker, granted_ms, ended_ms, outcome
            FROM leases l JOIN temp.new_numbers n ON n.old = l.work;
        CREATE TABLE new_attempts(
            work INTEGER NOT NULL REFERENCES works(id), machine TEXT NOT NULL, failures INTEGER NOT NULL DEFAULT 0,
            losses INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(work, machine)) STRICT, WITHOUT ROWID;
        INSERT INTO new_attempts SELECT n.new, machine, failures, losses
            FROM attempts a JOIN temp.new_numbers n ON n.old = a.work;
        ALTER TABLE events ADD COLUMN kind TEXT NOT NULL DEFAULT '';
        ALTER TABLE events ADD COLUMN iteration INTEGER;
        ALTER TABLE events ADD COLUMN outcome TEXT;
        ALTER TABLE events ADD COLUMN superseded INTEGER NOT NULL DEFAULT 0;
        UPDATE events SET kind = CASE WHEN rest GLOB 'checkpoint *' THEN 'checkpoint' ELSE 'metrics' END,
            iteration = CASE WHEN rest GLOB 'checkpoint *' THEN CAST(substr(rest, 12) AS INTEGER) END
            FROM (SELECT id AS told, substr(message, 1 + length(
                    'work ' || work || ' epoch ' || epoch || ' of ' || worker || ' ')) AS rest FROM events)
            WHERE told = id AND (rest GLOB 'checkpoint *' OR rest GLOB '[0-9]* more metrics*');
        UPDATE events SET superseded = 1 WHERE kind <> '' AND id NOT IN
            (SELECT max(id) FROM events WHERE kind <> '' GROUP BY work, epoch);
        UPDATE events SET work = (SELECT new FROM temp.new_numbers WHERE old = work) WHERE work IS NOT NULL;
        DROP TABLE temp.new_numbers;

        CREATE TABLE items(
            run INTEGER NOT NULL REFERENCES runs(id), position INTEGER NOT NULL, name TEXT NOT NULL,
            first_work INTEGER NOT NULL, PRIMARY KEY(run, position)) STRICT, WITHOUT ROWID;
        INSERT INTO items SELECT run, position, name, first_work + 3 * position
            FROM shards JOIN new_runs ON new_runs.id = run;
        CREATE TABLE item_inputs(
            run INTEGER NOT NULL, item INTEGER NOT NULL, position INTEGER NOT NULL, role TEXT NOT NULL,
            name TEXT NOT NULL, digest TEXT NOT NULL REFERENCES blobs(digest), PRIMARY KEY(run, item, position),
            FOREIGN KEY(run, item) REFERENCES items(run, position)) STRICT, WITHOUT ROWID;
        INSERT INTO item_inputs SELECT run, shard, position, role, name, digest FROM shard_inputs;

        CREATE TABLE figures(
            run INTEGER NOT NULL REFERENCES runs(id), step INTEGER NOT NULL, position INTEGER NOT NULL,
            iteration INTEGER NOT NULL, figures TEXT NOT NULL,
            PRIMARY KEY(run, step, position, iteration)) STRICT, WITHOUT ROWID;
        INSERT INTO figures SELECT run, 0, replica, iteration, 'dice=' || ifnull(printf('%!.17g', dice), 'nan')
            || ' loss=' || ifnull(printf('%!.17g', loss), 'nan')
            || ' seconds=' || ifnull(printf('%!.17g', seconds), 'nan') FROM metrics;

        CREATE TABLE checks(
            id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs(id), work INTEGER NOT NULL,
            until INTEGER NOT NULL, arithmetic TEXT, epoch INTEGER NOT NULL DEFAULT 0) STRICT;
        CREATE INDEX checks_run ON checks(run);
        CREATE TABLE check_blobs(
            check_id INTEGER NOT NULL REFERENCES checks(id), part TEXT NOT NULL CHECK(part IN ('base', 'target')),
            iteration INTEGER NOT NULL, role TEXT NOT NULL, name TEXT NOT NULL,
            digest TEXT NOT NULL REFERENCES blobs(digest), PRIMARY KEY(check_id, part)) STRICT, WITHOUT ROWID;
        CREATE INDEX check_blobs_digest ON check_blobs(digest);
        CREATE TABLE opinions(
            check_id INTEGER NOT NULL REFERENCES checks(id), position INTEGER NOT NULL, worker TEXT NOT NULL,
            digests TEXT NOT NULL, PRIMARY KEY(check_id, position)) STRICT, WITHOUT ROWID;
        CREATE TABLE trusted(
            work INTEGER PRIMARY KEY, iteration INTEGER NOT NULL, role TEXT NOT NULL, name TEXT NOT NULL,
            digest TEXT NOT NULL REFERENCES blobs(digest)) STRICT;
        CREATE INDEX trusted_digest ON trusted(digest);
        CREATE TABLE makers(
            work INTEGER NOT NULL, machine TEXT NOT NULL, PRIMARY KEY(work, machine)) STRICT, WITHOUT ROWID;
        CREATE TABLE set_aside(
            machine TEXT PRIMARY KEY, why TEXT NOT NULL, since_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;

        DROP VIEW replicas;
        DROP TABLE metrics;
        DROP TABLE shard_inputs;
        DROP TABLE shards;
        DROP TABLE attempts;
        DROP TABLE leases;
        DROP TABLE outputs;
        DROP TABLE works;
        DROP TABLE runs;
        ALTER TABLE new_runs RENAME TO runs;
        ALTER TABLE new_works RENAME TO works;
        ALTER TABLE new_outputs RENAME TO outputs;
        ALTER TABLE new_leases RENAME TO leases;
        ALTER TABLE new_attempts RENAME TO attempts;
        CREATE INDEX item_inputs_digest ON item_inputs(digest);
        CREATE INDEX works_run ON works(run, sequence);
        CREATE INDEX works_refused ON works(run) WHERE state = 'refused' AND ifnull(cause, '') <> 'dependency';
        CREATE INDEX outputs_digest ON outputs(digest);
        DROP INDEX events_run;
        CREATE INDEX events_run ON events(run, superseded);
        CREATE INDEX events_superseded ON events(superseded);
        CREATE INDEX events_progress ON events(work, epoch)
            WHERE superseded = 0 AND kind IN ('checkpoint', 'metrics');
        CREATE VIEW replicas AS
            SELECT works.run, steps.label AS step, works.position AS replica, works.state, works.epoch, leases.worker,
                (SELECT max(iteration) FROM checkpoints WHERE checkpoints.work = works.id) AS checkpoint_iteration
            FROM works JOIN steps ON steps.run = works.run AND steps.position = works.step AND steps.kind = 'session'
            LEFT JOIN leases ON leases.work = works.id AND leases.epoch = works.epoch;
        """

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
