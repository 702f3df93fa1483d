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
            INSERT INTO events(time_ms, run, work, epoch, worker, message) VALUES
                (1, 1, 1, 1, 'a', 'work 1 epoch 1 leased to a, from iteration 0'),
                (2, 1, 1, 1, 'a', 'work 1 epoch 1 of a checkpoint 4, 1 metrics'),
                (3, 1, 1, 1, 'a', 'work 1 epoch 1 of a checkpoint 9, 5 metrics'),
                (4, 1, 1, 1, 'a', 'work 1 epoch 1 of a failed: no checkpoint 9, 5 metrics'),
                (5, 1, 1, 2, 'a', 'work 1 epoch 2 of a 3 more metrics, to iteration 12');
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
        #expect(try store.outputs(of: RunID(2), after: 0, countMax: 5).outputs.map(\.name) == ["v"])
        let events = try store.events(of: RunID(1), countMax: 9)
        #expect(events.first?.message == "run 1 added")
        // Of the checkpoints under a lease the latest, as ever; of what else there was only the sentence is known.
        #expect(events.map { "\($0.wallMilliseconds) \($0.kind) \($0.iteration ?? 0)" }
            == ["1234  0", "1  0", "3 checkpoint 9", "4  0", "5 metrics 0"])
        let facts = try #require(try store.facts(of: RunID(2)))
        #expect(facts.createdMilliseconds == 2000 && facts.endedMilliseconds == 3000)
        // What it may not give again.
        #expect(try store.lastNumbers() == LastNumbers(run: 2, work: 8))
        #expect(try store.integrityReport() == "ok")
        store.close()
        // It is up to date now.
        #expect(try Store(path: path).recover().count == 2)
    }

    /// An archive in the middle of its way, a volume at every point of it: as the schemas before plans kept it.
    private func makeArchiveUnderWay(_ path: String, parameters: String) throws {
        let database = try Database(path: path)
        try Migrations.apply(to: database, steps: Array(Migrations.steps[..<2]))
        let names = ["u", "v", "w", "x", "y"], replica = blob("replica", "replica-0")
        let votes = ["u", "v"].map { blob("votes", $0) }, voted = blob("voted", "v")
        for one in names.map({ blob("ct", $0) }) + votes + [replica, voted] {
            let row = "INSERT INTO blobs(digest, byte_count, added_ms) VALUES(?, 100, 1)"
            try database.run(row, .text("\(one.digest)"))
        }
        try database.execute(
            """
            INSERT INTO workers(name, build, device, thread_count, connected, changed_ms)
                VALUES('a', 't', 'cpu', 2, 1, 1);
            INSERT INTO runs(id, key, kind, recipe, parameters, seed, replica_count, iteration_count,
                checkpoint_seconds, first_work, state, created_ms)
                VALUES(1, 's', 'segment', 'test', '\(parameters)', 7, 1, 0, 60, 1, 'running', 5);
            INSERT INTO run_inputs VALUES(1, 0, 'replica', 'replica-0', '\(replica.digest)');
            UPDATE numbers SET last_run = 1, last_work = 10;
            INSERT INTO works(id, run, stage, position, state, epoch, cause, done_by, voted, sequence, changed_ms)
                VALUES
                (1, 1, 'predict', 0, 'done', 1, NULL, 'a', NULL, NULL, 1),
                (2, 1, 'finish', 0, 'voting', 0, NULL, NULL, NULL, NULL, 1),
                (3, 1, 'predict', 1, 'done', 1, NULL, 'a', NULL, NULL, 1),
                (4, 1, 'finish', 1, 'ready', 1, NULL, NULL, '\(voted.digest)', NULL, 1),
                (5, 1, 'predict', 2, 'leased', 2, NULL, NULL, NULL, NULL, 1),
                (6, 1, 'finish', 2, 'waiting', 0, NULL, NULL, NULL, NULL, 1),
                (7, 1, 'predict', 3, 'refused', 1, 'input', NULL, NULL, 1, 1),
                (8, 1, 'finish', 3, 'refused', 0, 'dependency', NULL, NULL, NULL, 1),
                (9, 1, 'predict', 4, 'ready', 0, NULL, NULL, NULL, NULL, 1),
                (10, 1, 'finish', 4, 'waiting', 0, NULL, NULL, NULL, NULL, 1);
            INSERT INTO leases VALUES(1, 1, 'a', 1, 2, 'done'), (3, 1, 'a', 1, 2, 'done'), (4, 1, 'a', 2, 3, 'failed'),
                (5, 1, 'a', 1, 2, 'lapsed'), (5, 2, 'a', 3, NULL, NULL), (7, 1, 'a', 1, 2, 'refused');
            INSERT INTO outputs VALUES(1, 0, 'votes', 'votes', '\(votes[0].digest)');
            INSERT INTO outputs VALUES(3, 0, 'votes', 'votes', '\(votes[1].digest)');
            """)
        for (position, name) in names.enumerated() {
            try database.run("INSERT INTO shards VALUES(1, ?, ?)", .integer(Int64(position)), .text(name))
            try database.run(
                "INSERT INTO shard_inputs VALUES(1, ?, 0, 'ct', ?, ?)", .integer(Int64(position)), .text(name),
                .text("\(blob("ct", name).digest)"))
        }
        database.close()
    }

    @Test func anArchiveUnderWayIsCarriedOverWhereverItsVolumesAre() throws {
        let folder = try TestFolder(), path = folder.file("state.sqlite")
        try makeArchiveUnderWay(path, parameters: "{}")
        let store = try Store(path: path)
        let run = try #require(try store.recover().first)
        #expect(run.request == segmentRequest(key: "s", voters: 1, volumes: ["u", "v", "w", "x", "y"]))
        // Predict, vote and finish of each; the numbers begin behind the old ones.
        #expect(run.works.map(\.id.value) == Array(11...25))
        #expect(run.works.map(\.state) == [
            .done, .voting, .waiting, .done, .done, .ready, .leased, .waiting, .waiting, .refused(.input),
            .refused(.dependency), .refused(.dependency), .ready, .waiting, .waiting,
        ])
        #expect(run.works[6].lease?.epoch == 2 && run.works[6].lease?.worker == "a")
        let voted = try #require(run.works[4].outputs.first)
        #expect(run.works[4].outputs.count == 1 && voted.digest == blob("voted", "v").digest && voted.name == "v")
        #expect(try store.lastNumbers() == LastNumbers(run: 1, work: 25))
        var scheduler = Scheduler(
            configuration: Scheduler.Configuration(leaseMilliseconds: 1_000), recovering: try store.recovery(), at: 0)
        #expect(scheduler.resume().map(\.description) == ["vote work 12: votes"])
        _ = scheduler.apply(.workerConnected("b", testFacts, held: []), at: 1)
        let first = scheduler.apply(.idle("b"), at: 1).map(\.description)
        let expected = "send b: assignment work 16 epoch 2 finish [ct v, voted v, votes votes]"
        #expect(first.last == expected, "\(first)")
        #expect(try store.integrityReport() == "ok")
    }

    /// `quintet segment` asks for ballots in the last step only where the replicas' answers are wanted: the same
    /// command after the upgrade must find its run, and what only ballots were kept for goes.
    @Test func aRunWithoutMemberAnswersIsAskedForByTheSameCommandAgain() throws {
        let folder = try TestFolder(), path = folder.file("state.sqlite")
        let parameters = #"{"depth":16,"memberAnswers":false,"seed":7}"#
        try makeArchiveUnderWay(path, parameters: parameters)
        let store = try Store(path: path)
        var scheduler = Scheduler(
            configuration: Scheduler.Configuration(leaseMilliseconds: 1_000), recovering: try store.recovery(), at: 0)
        // Of the volume whose ballots are counted; not of the one where they are yet to be.
        #expect(scheduler.resume().map(\.description) == ["vote work 12: votes", "persist work 14 has been read"])
        var request = segmentRequest(key: "s", voters: 1, volumes: ["u", "v", "w", "x", "y"])
        request.parameters = parameters
        request.plan.steps[2].inputs = [StepInput(.item), StepInput(.step(1))]
        #expect(scheduler.apply(.submit(request), at: 1).map(\.description) == ["answer submitted run 1"])
        _ = scheduler.apply(.workerConnected("b", testFacts, held: []), at: 1)
        let first = scheduler.apply(.idle("b"), at: 1).map(\.description)
        #expect(first.last == "send b: assignment work 16 epoch 2 finish [ct v, voted v]", "\(first)")
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
