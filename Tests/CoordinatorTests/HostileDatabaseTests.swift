import Coordinator
import Foundation
import Platform
import Protocol
import Testing

/// A state folder from anywhere: its database is read, or refused by name, and never brings the coordinator down.
@Suite struct HostileDatabaseTests {
    /// QUINTET_MUTATION_COUNT sets how many databases are damaged.
    private static let count = ProcessInfo.processInfo.environment["QUINTET_MUTATION_COUNT"].flatMap { Int($0) } ?? 300

    let folder: TestFolder
    let path: String

    init() throws {
        folder = try TestFolder()
        path = folder.file("state.sqlite")
    }

    /// Two runs with leases, checkpoints, votes and results.
    private func makeGood() throws -> [UInt8] {
        let store = try Store(path: path)
        let lease = Lease(work: WorkID(1), epoch: 1), vote = Lease(work: WorkID(4), epoch: 1)
        let checkpoint = Checkpoint(iteration: 40, blob: blob("checkpoint", "at-40"))
        _ = try store.commit(
            [
                .workerConnected("a", testFacts),
                .runAdded(RunID(1), trainRequest(key: "k", replicas: 2), firstWork: WorkID(1)),
                .leaseGranted(lease, "a", from: 0), .checkpointAccepted(lease, "a", checkpoint, []),
                .runAdded(RunID(2), segmentRequest(key: "s", voters: 3, volumes: ["v"]), firstWork: WorkID(4)),
                .leaseGranted(vote, "a", from: nil),
            ], wallMilliseconds: 5)
        store.close()
        return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    /// What a coordinator does first with a database; then a worker comes and asks for work.
    private func use() throws {
        let store = try Store(path: path)
        defer { store.close() }
        var scheduler = Scheduler(
            configuration: Scheduler.Configuration(leaseMilliseconds: 1_000), recovering: try store.recovery(), at: 0)
        _ = scheduler.resume()
        for event in [.tick, .workerConnected("b", testFacts, held: []), .idle("b"), .tick] as [SchedulerEvent] {
            _ = scheduler.apply(event, at: 5_000)
        }
        _ = try store.outputs(of: RunID(1), after: 0, countMax: 10)
        _ = try store.events(of: nil, countMax: 10)
        _ = try store.externalBlobs()
    }

    @Test func damagedBytesAreReadOrRefusedByName() throws {
        let good = try makeGood()
        var random = SystemSeed(seed: 3)
        var refusedCount = 0
        for _ in 0..<Self.count {
            var bytes = good
            // Half of it in the file's header, where it matters.
            for _ in 0...random.below(6) {
                let reach = random.below(2) == 0 ? 100 : bytes.count
                bytes[random.below(reach)] = random.byte()
            }
            if random.below(8) == 0 { bytes.removeLast(random.below(bytes.count)) }
            for ending in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + ending) }
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            do {
                try use()
            } catch {
                #expect("\(error)".contains(path), "\(error)")
                refusedCount += 1
            }
        }
        #expect(refusedCount > Self.count / 10)
    }

    @Test func impossibleRowsAreReadOrRefusedByName() throws {
        let good = try makeGood()
        let columns = [
            ("runs", "id"), ("runs", "plan"), ("runs", "seed"), ("runs", "replica_count"), ("runs", "arithmetic"),
            ("steps", "position"), ("steps", "label"), ("steps", "kind"), ("steps", "fan"), ("steps", "inputs"),
            ("steps", "keep"), ("steps", "affinity"), ("steps", "iteration_count"), ("steps", "is_read"),
            ("runs", "checkpoint_seconds"), ("runs", "first_work"), ("runs", "state"), ("runs", "key"),
            ("works", "id"), ("works", "run"), ("works", "step"), ("works", "position"), ("works", "state"),
            ("works", "epoch"), ("works", "failures"), ("works", "losses"), ("works", "cause"), ("works", "done_by"),
            ("works", "sequence"), ("figures", "figures"), ("blobs", "byte_count"), ("blobs", "digest"),
            ("leases", "epoch"), ("leases", "worker"), ("leases", "outcome"), ("checkpoints", "iteration"),
            ("checkpoints", "digest"), ("items", "position"), ("items", "name"), ("run_inputs", "position"),
        ]
        let values = [
            "-1", "0", "1", "2", "9223372036854775807", "-9223372036854775808", "NULL", "''", "'done'", "'leased'",
            "'ready'", "'voting'", "'train'", "'finish'", "'segment'", "'nonsense'", "1000000000000", "'a'", "'lapsed'",
            "'\u{1B}[2J'", "'" + String(repeating: "f", count: 64) + "'",
        ]
        var refusedCount = 0
        for (table, column) in columns {
            for value in values {
                for ending in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + ending) }
                try Data(good).write(to: URL(fileURLWithPath: path))
                let database = try Database(path: path)
                try database.execute("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON")
                // All rows, and one row: what is unique takes it once.
                let isSet = (try? database.execute("UPDATE \(table) SET \(column) = \(value)")) != nil
                if !isSet { try? database.execute("UPDATE OR IGNORE \(table) SET \(column) = \(value)") }
                database.close()
                do {
                    try use()
                } catch {
                    #expect("\(error)".contains(path), "\(table).\(column) = \(value): \(error)")
                    refusedCount += 1
                }
            }
        }
        #expect(refusedCount > 100)
    }

    @Test func statementsHiddenInTheFileNeverRun() throws {
        for sql in [
            "CREATE TRIGGER hidden AFTER INSERT ON events BEGIN DELETE FROM runs; END",
            "DROP VIEW replicas; CREATE VIEW replicas AS SELECT 1", "CREATE TABLE more(x)",
            "DROP INDEX works_run", "PRAGMA user_version = -1", "PRAGMA user_version = 77",
        ] {
            _ = try makeGood()
            let database = try Database(path: path)
            try database.execute(sql)
            database.close()
            let error = #expect(throws: StoreError.self, "\(sql)") { _ = try Store(path: path) }
            #expect("\(try #require(error))".contains(path))
            for ending in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + ending) }
        }
    }
}

/// Reproducible numbers (SplitMix64).
private struct SystemSeed {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    private mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }
    mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next()) }
}
