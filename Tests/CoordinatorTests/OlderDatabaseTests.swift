import Coordinator
import Foundation
import Protocol
import Testing

/// Databases that earlier versions of the program made.
@Suite struct OlderDatabaseTests {
    /// As version 0.1.0 left it: a training whose first replica is leased and has failed once, an archive that ended.
    private func makeFirst(_ path: String) throws {
        let database = try Database(path: path)
        defer { database.close() }
        try Migrations.apply(to: database, steps: [Migrations.steps[0]])
        let data = blob("volume", "data"), ct = blob("ct", "v"), replica = blob("replica", "replica-0")
        let mask = blob("mask", "mask")
        for one in [data, ct, replica, mask] {
            let row = "INSERT INTO blobs(digest, byte_count, added_ms) VALUES(?, 100, 1)"
            try database.run(row, .text("\(one.digest)"))
        }
        func digest(_ blob: BlobReference) -> String { "'\(blob.digest)'" }
        try database.execute(
            """
            INSERT INTO workers VALUES('a', 'test', 'cpu', 2, 1, 1);
            INSERT INTO runs VALUES(1, 'k', 'train', 'test', '{}', 7, 2, 100, 60, 1, 'running', 1234, NULL);
            INSERT INTO runs VALUES(2, 's', 'segment', 'test', '{}', 7, 1, 0, 60, 4, 'ended', 2000, 3000);
            INSERT INTO run_inputs VALUES(1, 0, 'volume', 'data', \(digest(data)));
            INSERT INTO run_inputs VALUES(2, 0, 'replica', 'replica-0', \(digest(replica)));
            INSERT INTO shards VALUES(2, 0, 'v');
            INSERT INTO shard_inputs VALUES(2, 0, 0, 'ct', 'v', \(digest(ct)));
            INSERT INTO works(id, run, stage, position, state, epoch, failures, changed_ms) VALUES
                (1, 1, 'train', 0, 'leased', 2, 1, 1), (2, 1, 'train', 1, 'ready', 0, 0, 1),
                (3, 1, 'calibrate', 0, 'waiting', 0, 0, 1);
            INSERT INTO works(id, run, stage, position, state, epoch, report, done_by, sequence, changed_ms) VALUES
                (4, 2, 'predict', 0, 'done', 1, '{}', 'a', NULL, 1), (5, 2, 'finish', 0, 'done', 1, '{}', 'a', 1, 1);
            INSERT INTO leases VALUES(1, 1, 'a', 1, 2, 'failed'), (1, 2, 'a', 2, NULL, NULL),
                (4, 1, 'a', 1, 2, 'done'), (5, 1, 'a', 2, 3, 'done');
            INSERT INTO outputs VALUES(5, 0, 'mask', 'vote', \(digest(mask)));
            INSERT INTO metrics VALUES(1, 0, 1, 0.5, 0.25, 2.0);
            INSERT INTO events(time_ms, run, message) VALUES(1234, 1, 'run 1 added');
            """)
    }

    @Test func aDatabaseOfTheFirstSchemaIsOpenedAndKeepsItsRows() throws {
        let folder = try TestFolder(), path = folder.file("state.sqlite")
        try makeFirst(path)
        let store = try Store(path: path)
        let runs = try store.recover()
        #expect(runs.map(\.request) == [
            trainRequest(key: "k", replicas: 2), segmentRequest(key: "s", voters: 1, volumes: ["v"]),
        ])
        #expect(runs.map(\.state) == [.running, .ended])
        #expect(runs.allSatisfy { !$0.isPaused && $0.priority == 0 && $0.request.label == "" })
        #expect(runs[0].works.map(\.state) == [.leased, .ready, .waiting])
        #expect(runs[0].works[0].epoch == 2 && runs[0].works[0].failureCount == 1)
        #expect(runs[0].works[0].lease?.worker == "a")
        #expect(try store.figures(of: RunID(1), step: "train", replica: 0, firstIteration: 0,
            countMax: 5).figures.count == 1)
        #expect(try store.outputs(of: RunID(2), first: 0, countMax: 5).outputs.map(\.name) == ["v"])
        #expect(try store.events(of: RunID(1), countMax: 5).map(\.message) == ["run 1 added"])
        let facts = try #require(try store.facts(of: RunID(2)))
        #expect(facts.createdMilliseconds == 2000 && facts.endedMilliseconds == 3000)
        // What it may not give again.
        #expect(try store.lastNumbers() == LastNumbers(run: 2, work: 8))
        #expect(try store.integrityReport() == "ok")
        store.close()
        // It is up to date now.
        #expect(try Store(path: path).recover().count == 2)
    }

    /// And goes on: what is new counts from now on.
    @Test func anOldRunIsPausedForgottenAndItsFailuresCountByMachine() throws {
        let folder = try TestFolder(), path = folder.file("state.sqlite")
        try makeFirst(path)
        let store = try Store(path: path)
        let lease = Lease(work: WorkID(1), epoch: 2)
        _ = try store.commit(
            [.leaseEnded(lease, "a", .failed("no memory")), .runPaused(RunID(1)), .runPrioritised(RunID(1), -3)],
            wallMilliseconds: 9)
        let run = try #require(try store.recover().first)
        #expect(run.isPaused && run.priority == -3)
        #expect(run.works[0].failureCount == 2 && run.works[0].attempts == ["a": Attempts(failureCount: 1)])
        // The CT, the weights and the mask were this run's alone; the volume is the other's.
        let released = try store.commit([.runForgotten(RunID(2))], wallMilliseconds: 10)
        let own = [blob("ct", "v"), blob("replica", "replica-0"), blob("mask", "mask")].map(\.digest)
        #expect(Set(released) == Set(own))
        #expect(try store.recover().map(\.id) == [RunID(1)])
        #expect(try store.lastNumbers() == LastNumbers(run: 2, work: 8))
        for table in ["items", "item_inputs", "outputs"] { #expect(try store.rowCount(of: table) == 0) }
        #expect(try store.rowCount(of: "works") == 3 && store.rowCount(of: "leases") == 2)
        #expect(try store.integrityReport() == "ok")
    }

    @Test func whatTwoRunsUseStaysWhenOneOfThemIsForgotten() throws {
        let store = try Store(path: ":memory:")
        _ = try store.commit(
            [
                .runAdded(RunID(1), trainRequest(key: "a", replicas: 1), firstWork: WorkID(1)),
                .runAdded(RunID(2), trainRequest(key: "b", replicas: 1), firstWork: WorkID(3)),
                .runCancelled(RunID(1)), .runCancelled(RunID(2)),
            ], wallMilliseconds: 5)
        #expect(try store.commit([.runForgotten(RunID(1))], wallMilliseconds: 6) == [])
        #expect(try store.runs(endedBefore: 5) == [] && store.runs(endedBefore: 6) == [RunID(2)])
        #expect(try store.commit([.runForgotten(RunID(2))], wallMilliseconds: 6) == [blob("volume", "data").digest])
    }
}
