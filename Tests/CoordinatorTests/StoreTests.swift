import Coordinator
import Foundation
import Protocol
import Testing

@Suite struct StoreTests {
    let folder: TestFolder
    let path: String

    init() throws {
        folder = try TestFolder()
        path = folder.file("state.sqlite")
    }

    private func lease(_ work: UInt64, _ epoch: UInt64) -> Lease { Lease(work: WorkID(work), epoch: epoch) }

    private func checkpoint(_ iteration: UInt32) -> Checkpoint {
        Checkpoint(iteration: iteration, blob: blob("checkpoint", "at-\(iteration)"))
    }

    private func metrics(_ iterations: ClosedRange<UInt32>) -> [IterationFigures] {
        iterations.map { IterationFigures(iteration: $0, ["loss": 1 / Double($0), "dice": 0.5, "seconds": 2]) }
    }

    private func result(_ lease: Lease) -> WorkResult {
        WorkResult(
            lease: lease, outputs: [blob("replica", "weights-\(lease.work.value)")], reportJSON: "{}",
            metrics: metrics(90...100))
    }

    /// A run of two replicas whose first one is leased to a.
    private func storeWithALease() throws -> Store {
        let store = try Store(path: path)
        _ = try store.commit(
            [
                .runAdded(RunID(1), trainRequest(key: "k", replicas: 2), firstWork: WorkID(1)),
                .workerConnected("a", testFacts), .workerConnected("b", testFacts),
                .leaseGranted(lease(1, 1), "a", from: 0),
            ], wallMilliseconds: 5)
        return store
    }

    private func expectStale(_ store: Store, _ change: StoreChange) {
        do {
            _ = try store.commit([.workReady(WorkID(3)), change], wallMilliseconds: 9)
            Issue.record("\(change) was committed")
        } catch let error as StoreError {
            #expect(error.kind == .staleEpoch)
        } catch {
            Issue.record("\(error)")
        }
    }

    @Test func whatWasCommittedIsThereAfterReopening() throws {
        do {
            let store = try storeWithALease()
            _ = try store.commit(
                [.checkpointAccepted(lease(1, 1), "a", checkpoint(40), metrics(1...40))], wallMilliseconds: 6)
        }
        let store = try Store(path: path)
        let run = try #require(try store.recover().first)
        #expect(run.request == trainRequest(key: "k", replicas: 2))
        #expect(run.works.map(\.state) == [.leased, .ready, .waiting])
        #expect(run.works[0].lease?.worker == "a")
        #expect(run.works[0].checkpoints == [checkpoint(40)])
        #expect(run.works[0].metric?.iteration == 40)
        let page = try store.figures(of: RunID(1), step: "train", replica: 0, firstIteration: 31, countMax: 5)
        #expect(page.figures == metrics(31...35) && page.more)
        #expect(try store.integrityReport() == "ok")
    }

    @Test func aLateResultIsRefusedInsideTheTransaction() throws {
        let store = try storeWithALease()
        _ = try store.commit(
            [.leaseEnded(lease(1, 1), "a", .lapsed), .leaseGranted(lease(1, 2), "b", from: 0)], wallMilliseconds: 6)
        expectStale(store, .resultAccepted(result(lease(1, 1)), "a"))
        expectStale(store, .resultAccepted(result(lease(1, 2)), "a"))
        expectStale(store, .checkpointAccepted(lease(1, 1), "a", checkpoint(50), []))
        expectStale(store, .leaseRevived(lease(1, 1), "a"))
        expectStale(store, .leaseGranted(lease(1, 2), "a", from: 0))
        // Nothing of those transactions was kept, what came before the bad change neither.
        #expect(try store.recover()[0].works[2].state == .waiting)
        _ = try store.commit([.resultAccepted(result(lease(1, 2)), "b")], wallMilliseconds: 7)
        expectStale(store, .resultAccepted(result(lease(1, 2)), "b"))
        #expect(try store.outputs(of: RunID(1), after: 0, countMax: 9).outputs.map(\.name) == ["replica-0"])
    }

    @Test func aLeaseThatWasGivenBackCannotBeUsedAgain() throws {
        let store = try storeWithALease()
        _ = try store.commit([.leaseEnded(lease(1, 1), "a", .drained)], wallMilliseconds: 6)
        expectStale(store, .resultAccepted(result(lease(1, 1)), "a"))
    }

    @Test func checkpointsNeverGoBackAndThreeAreKept() throws {
        let store = try storeWithALease()
        var released: [ContentDigest] = []
        for iteration in [10, 20, 30, 40, 50] as [UInt32] {
            released += try store.commit(
                [.checkpointAccepted(lease(1, 1), "a", checkpoint(iteration), [])], wallMilliseconds: 6)
        }
        expectStale(store, .checkpointAccepted(lease(1, 1), "a", checkpoint(45), []))
        #expect(try store.rowCount(of: "checkpoints") == 3)
        #expect(released == [checkpoint(10).blob.digest, checkpoint(20).blob.digest])
        released = try store.commit([.resultAccepted(result(lease(1, 1)), "a")], wallMilliseconds: 7)
        #expect(Set(released) == Set([30, 40, 50].map { checkpoint($0).blob.digest }))
    }

    @Test func blobsInUseAreNeverReleased() throws {
        let store = try storeWithALease()
        let shared = Checkpoint(iteration: 10, blob: blob("volume", "data"))  // the same bytes as the run's input
        _ = try store.commit([.checkpointAccepted(lease(1, 1), "a", shared, [])], wallMilliseconds: 6)
        let released = try store.commit([.resultAccepted(result(lease(1, 1)), "a")], wallMilliseconds: 7)
        #expect(released.isEmpty)
    }

    @Test func outputsComeInPagesAndInOrder() throws {
        let store = try Store(path: path)
        let names = (0..<5).map { "v\($0)" }
        _ = try store.commit(
            [
                .runAdded(RunID(1), segmentRequest(key: "s", voters: 1, volumes: names), firstWork: WorkID(1)),
                .workRefused(WorkID(7), .input, "v2 is broken"), .workRefused(WorkID(8), .dependency, "no votes"),
                .workRefused(WorkID(1), .input, "v0 is broken"), .workRefused(WorkID(15), .failed, "v4 failed"),
            ], wallMilliseconds: 5)
        let first = try store.outputs(of: RunID(1), after: 0, countMax: 2)
        let second = try store.outputs(of: RunID(1), after: first.outputs[1].sequence, countMax: 2)
        #expect(first.outputs.map(\.name) == ["v2", "v0"])
        #expect(first.more)
        #expect(second.outputs.map(\.report) == ["v4 failed"])
        #expect(!second.more)
    }

    /// A client that has seen the last place would miss what got the same one.
    @Test func whatIsListedAfterARetryStandsBehindEverythingThatEverWasOnTheList() throws {
        let store = try Store(path: path)
        _ = try store.commit(
            [
                .runAdded(RunID(1), segmentRequest(key: "s", voters: 1, volumes: ["u", "v"]), firstWork: WorkID(1)),
                .workRefused(WorkID(4), .input, "v is broken"),
            ], wallMilliseconds: 5)
        let seen = try #require(try store.outputs(of: RunID(1), after: 0, countMax: 9).outputs.first)
        _ = try store.commit(
            [.runReopened(RunID(1), [ReopenedWork(work: WorkID(4), state: .ready)])], wallMilliseconds: 6)
        #expect(try store.outputs(of: RunID(1), after: 0, countMax: 9).outputs.isEmpty)
        _ = try store.commit([.workRefused(WorkID(1), .input, "u is broken")], wallMilliseconds: 7)
        let next = try store.outputs(of: RunID(1), after: seen.sequence, countMax: 9).outputs
        #expect(next.map(\.name) == ["u"])
    }

    /// It is no refusal, and its old blobs are gone.
    @Test func whatIsMadeAgainIsNotListedUntilItIsThereAgain() throws {
        let store = try storeWithALease()
        let result = result(lease(1, 1))
        _ = try store.commit([.resultAccepted(result, "a")], wallMilliseconds: 6)
        let seen = try #require(try store.outputs(of: RunID(1), after: 0, countMax: 9).outputs.first)
        _ = try store.commit([.outputsDamaged(WorkID(1), .ready, waiting: [])], wallMilliseconds: 7)
        #expect(try store.outputs(of: RunID(1), after: 0, countMax: 9).outputs.isEmpty)
        let again = WorkResult(lease: lease(1, 2), outputs: result.outputs, reportJSON: "{}", metrics: [])
        _ = try store.commit(
            [.leaseGranted(lease(1, 2), "a", from: 0), .resultAccepted(again, "a")], wallMilliseconds: 8)
        let next = try store.outputs(of: RunID(1), after: seen.sequence, countMax: 9).outputs
        #expect(next.map(\.name) == ["replica-0"])
    }

    @Test func theAuditSaysWhoDidWhatUnderWhichEpoch() throws {
        let store = try storeWithALease()
        _ = try store.commit(
            [.messageRefused(lease(1, 1), "b", "work 1 epoch 1 does not count any more")], wallMilliseconds: 77)
        let last = try #require(try store.events(of: RunID(1), countMax: 10).last)
        #expect(last.wallMilliseconds == 77)
        #expect(last.message == "work 1 epoch 1 of b turned down: work 1 epoch 1 does not count any more")
        #expect(try store.events(of: RunID(2), countMax: 10).isEmpty)
        #expect(try store.events(of: nil, countMax: 2).count == 2)
    }

    @Test func figuresThatAreNoNumbersSurvive() throws {
        let store = try storeWithALease()
        let bad = IterationFigures(iteration: 1, ["loss": .nan, "dice": .infinity, "seconds": 1])
        _ = try store.commit([.checkpointAccepted(lease(1, 1), "a", checkpoint(1), [bad])], wallMilliseconds: 6)
        let found = try store.figures(of: RunID(1), step: "train", replica: 0, firstIteration: 0, countMax: 5).figures
        #expect(found.count == 1 && found[0].values["loss"]?.isNaN == true && found[0].values["dice"] == .infinity)
    }

    @Test func aDatabaseOfALaterVersionIsRefusedByName() throws {
        let database = try Database(path: path)
        try Migrations.apply(to: database, steps: Migrations.steps + ["CREATE TABLE later(x INTEGER)"])
        database.close()
        do {
            _ = try Store(path: path)
            Issue.record("it was opened")
        } catch let error as StoreError {
            #expect(error.kind == .newerSchema)
            #expect("\(error)".contains(path))
        }
    }

    @Test func anOlderDatabaseIsBroughtUpToDateWithItsRows() throws {
        let store = try storeWithALease()
        store.close()
        let database = try Database(path: path)
        let step = "ALTER TABLE runs ADD COLUMN note TEXT NOT NULL DEFAULT 'none'"
        try Migrations.apply(to: database, steps: Migrations.steps + [step])
        var notes: [String] = []
        try database.query("SELECT note FROM runs") { notes.append($0.text(0)) }
        #expect(notes == ["none"])
        // A step that fails leaves the database as it was.
        let steps = Migrations.steps + [step, "CREATE TABLE good(x INTEGER)", "nonsense"]
        #expect(throws: StoreError.self) { try Migrations.apply(to: database, steps: steps) }
        var goodCount = 1
        try database.query("SELECT count(*) FROM sqlite_master WHERE name = 'good'") { goodCount = $0.int(0) }
        #expect(goodCount == 0)
    }

    /// A coordinator runs for months; what `status --history` shows is the end of it.
    @Test func theAuditIsTrimmedWhileTheCoordinatorRuns() throws {
        let store = try storeWithALease()
        for number in 1...40 {
            _ = try store.commit([.messageRefused(lease(1, 1), "a", "number \(number)")], wallMilliseconds: 6)
        }
        try store.trimEvents(keeping: 10)
        let events = try store.events(of: RunID(1), countMax: 100)
        #expect(events.count == 10)
        #expect(events.last?.message.contains("number 40") == true)
        #expect(try store.rowCount(of: "events") == 10)
    }

    /// Each start of a worker has a name of its own.
    @Test func workersThatHaveGoneAndDidNothingAreForgotten() throws {
        let store = try storeWithALease()
        _ = try store.commit([.workerDisconnected("a"), .workerDisconnected("b")], wallMilliseconds: 10)
        try store.trimWorkers(goneBefore: 10)
        #expect(try store.rowCount(of: "workers") == 2)
        // a has a lease, whose history is kept.
        try store.trimWorkers(goneBefore: 11)
        #expect(try store.rowCount(of: "workers") == 1)
        #expect(try store.recover()[0].works[0].lease?.worker == "a")
    }

    /// What failed beside another lease, and what was lost, is known after a restart; a checkpoint ends the row.
    @Test func attemptsAreCountedBesideAnotherLeaseToo() throws {
        let store = try storeWithALease()
        func counts() throws -> [Int] {
            let work = try store.recover()[0].works[0]
            return [work.failureCount, work.lossCount]
        }
        let backups = (2...3).map { StoreChange.backupGranted(lease(1, $0), "b", from: 0, why: "slow") }
        _ = try store.commit([backups[0], .leaseEnded(lease(1, 2), "b", .failed("no memory"))], wallMilliseconds: 6)
        _ = try store.commit([backups[1], .leaseEnded(lease(1, 3), "b", .lapsedBeside("gone"))], wallMilliseconds: 7)
        #expect(try counts() == [1, 1])
        #expect(try store.recover()[0].works[0].state == .leased)
        _ = try store.commit([.checkpointAccepted(lease(1, 1), "a", checkpoint(10), [])], wallMilliseconds: 8)
        #expect(try counts() == [0, 0])
        _ = try store.commit(
            [.leaseEnded(lease(1, 1), "a", .failed("damaged")), .checkpointDropped(WorkID(1), iteration: 10)],
            wallMilliseconds: 9)
        #expect(try counts() == [0, 0])
    }

    @Test func aFileThatIsNoDatabaseIsRefusedByName() throws {
        try String(repeating: "this is no database, but a text. ", count: 100)
            .write(toFile: path, atomically: true, encoding: .utf8)
        do {
            _ = try Store(path: path)
            Issue.record("it was opened")
        } catch let error as StoreError {
            #expect(error.kind == .corrupt)
            #expect("\(error)".contains(path))
        }
    }

    @Test func aFullDiskIsNamedAndLosesNothing() throws {
        let store = try storeWithALease()
        try store.limitPageCount(toCurrentPlus: 2)
        var failure: StoreError?
        var acceptedIteration: UInt32 = 0
        for iteration in (1 as UInt32)...200 {
            do {
                let change = StoreChange.checkpointAccepted(
                    lease(1, 1), "a", checkpoint(iteration), metrics(1...iteration))
                _ = try store.commit([change], wallMilliseconds: 6)
                acceptedIteration = iteration
            } catch let error as StoreError {
                failure = error
                break
            }
        }
        #expect(failure?.kind == .diskFull)
        try store.limitPageCount(toCurrentPlus: 1_000_000)
        #expect(try store.recover()[0].works[0].checkpoint?.iteration == acceptedIteration)
        #expect(try store.integrityReport() == "ok")
        _ = try store.commit([.checkpointAccepted(lease(1, 1), "a", checkpoint(900), [])], wallMilliseconds: 6)
    }
}
