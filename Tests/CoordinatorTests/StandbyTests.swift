import Coordinator
import Foundation
import Platform
import Protocol
import TestSupport
import Testing

/// A second coordinator that keeps what the first one keeps.
@Suite struct StandbyTests {
    let folder: TestFolder
    private let log = Guarded<[String]>([])

    init() throws { folder = try TestFolder() }

    private final class Following {
        let standby: Standby
        private let ended = DispatchSemaphore(value: 0)
        private let outcome = Guarded<Result<Standby.Ending, any Error>?>(nil)

        init(_ state: String, port: UInt16, log: Guarded<[String]>) throws {
            standby = try Standby(configuration: StandbyConfiguration(
                stateDirectory: state, address: NetworkAddress(host: "127.0.0.1", port: port), security: .plaintext,
                build: "test", log: Log { _, line in log.withLock { $0.append(line) } }))
            let (standby, ended, outcome) = (standby, ended, outcome)
            Thread.detachNewThread {
                let result = Result { try standby.run() }
                outcome.withLock { $0 = result }
                ended.signal()
            }
        }

        func end() throws -> Standby.Ending {
            ended.wait()
            return try outcome.withLock { $0! }.get()
        }
    }

    private func follows(times: Int = 1) -> Bool {
        wait { log.withLock { $0.filter { $0.contains("everything it keeps is here") }.count } >= times }
    }

    private func training(_ key: String, _ input: BlobReference) -> Submission {
        Submission(
            plan: .training(100), recipe: "fake", parameters: "{}", seed: 1, replicaCount: 2, checkpointSeconds: 60,
            inputs: [input], itemManifest: nil, idempotencyKey: key)
    }

    /// Every row of every table, as text.
    private func rows(_ state: String) throws -> [String] {
        let database = try Database(path: state + "/state.sqlite")
        defer { database.close() }
        var tables: [(name: String, columns: [String])] = [], found: [String] = []
        try database.query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'") {
            tables.append(($0.text(0), []))
        }
        for index in tables.indices {
            try database.query("SELECT name FROM pragma_table_info(?)", .text(tables[index].name)) {
                tables[index].columns.append($0.text(0))
            }
            let columns = tables[index].columns.map { "quote(\($0))" }.joined(separator: "||'|'||")
            try database.query("SELECT \(columns) FROM \(tables[index].name)") {
                found.append("\(tables[index].name): \($0.text(0))")
            }
        }
        return found.sorted()
    }

    /// SQLite's own record of changed rows, against a copy of the file. Notices a table that is not recorded, a change
    /// of a job beside the turns that is left out, and one that is recorded though it was rolled back.
    @Test func changesMakeTheSameDatabase() throws {
        let store = try Store(path: folder.file("state.sqlite"))
        func commit(_ number: UInt64, _ changes: StoreChange...) throws {
            _ = try store.commit([Turn(number: number, changes: changes)], wallMilliseconds: Int64(number))
        }
        try commit(1, .workerConnected("w", testFacts))
        try FileSystem.makeFolder(folder.file("other"))
        try store.database.copy(to: folder.file("other/state.sqlite"))
        let other = try StandbyStore(path: folder.file("other/state.sqlite"))
        try store.database.beginCapture()
        let request = RunRequest(
            plan: .training(10), recipe: "fake", parameters: "{}", seed: 1, replicaCount: 2, checkpointSeconds: 60,
            inputs: [blob("volume", "a")], items: [], idempotencyKey: "k")
        try commit(2, .runAdded(RunID(1), request, firstWork: WorkID(1)))
        try commit(3, .leaseGranted(Lease(work: WorkID(1), epoch: 1), "w", from: nil))
        #expect(throws: StoreError.self) {
            try commit(4, .workerDisconnected("w"), .checkpointAccepted(
                Lease(work: WorkID(1), epoch: 9), "w", Checkpoint(iteration: 1, blob: blob("s", "s")), []))
        }
        try store.trimEvents(keeping: 1)
        let changes = try store.database.takeChanges()
        try other.apply(changes)
        try commit(5, .workerDisconnected("w"))
        try other.apply(try store.database.takeChanges())
        other.close()
        store.close()
        #expect(try rows(folder.path) == rows(folder.file("other")))
        // A second time it does not fit, and nothing of it is done.
        let again = try StandbyStore(path: folder.file("other/state.sqlite"))
        #expect(throws: StoreError.self) { try again.apply(changes) }
        again.close()
        #expect(try rows(folder.path) == rows(folder.file("other")))
    }

    /// Notices counts, digests or bytes that come back otherwise, and one that says more than it has.
    @Test func aChangeComesBackOutOfItsPieces() throws {
        let digests = (0..<20_000).map { number in
            ContentDigest(bytes: (0..<32).map { UInt8(truncatingIfNeeded: number >> ($0 % 16)) })
        }
        let change = StandbyChange(
            number: 7, references: digests, gone: [digests[3]], changeset: [UInt8](repeating: 9, count: 300_000))
        var bytes: [UInt8] = [], lasts: [Bool] = []
        for part in change.parts {
            guard case .standbyPart(7, let isLast, let piece) = part else {
                Issue.record("\(part)")
                continue
            }
            _ = try MessageCoding.encode(part, requestID: 0)
            bytes += piece
            lasts.append(isLast)
        }
        #expect(lasts == [false, false, false, true])
        #expect(try StandbyChange(number: 7, bytes: bytes) == change)
        for count in [0, 3, 7, 8, 39] {
            #expect(throws: CoordinatorError.self) { try StandbyChange(number: 7, bytes: Array(bytes[..<count])) }
        }
    }

    /// Notices an answer that is given before the standby has what it promises: the blob and the row.
    @Test func nothingIsAcknowledgedThatTheStandbyDoesNotHave() throws {
        let server = try RunningServer(folder: folder.file("first"), needsStandby: true)
        let asking = try FakeWorker(server, name: "client", role: .client)
        let input = try asking.upload(Array("input".utf8), role: "volume", name: "data")
        let request = try asking.send(.submit(training("k", input)))
        try? asking.wait(seconds: 1) { asking.hasAnswer(to: request) }
        #expect(!asking.hasAnswer(to: request))
        // People can ask why.
        guard case .status(let json) = try asking.request(.statusRequest(nil, history: false)) else {
            Issue.record("no status")
            return
        }
        #expect(json.contains("no standby follows"))
        let following = try Following(folder.file("second"), port: server.port, log: log)
        try asking.wait { asking.hasAnswer(to: request) }
        #expect(follows())
        // With the answer it is all there, whatever happens now.
        let blobs = try BlobDirectory(path: folder.file("second/blobs"))
        #expect(try blobs.read(input.digest.bytes, offset: 0, count: 5) == Array("input".utf8))
        let worker = try FakeWorker(server, name: "w")
        try worker.idle()
        let assignment = try worker.nextAssignment()
        let state = try worker.upload(Array("state".utf8), role: "state", name: "replica-0")
        #expect(try worker.request(.checkpointSaved(
            assignment.lease, Checkpoint(iteration: 40, blob: state), [])) == .accepted)
        #expect(try blobs.read(state.digest.bytes, offset: 0, count: 5) == Array("state".utf8))
        server.crash()
        following.standby.requestStop()
        #expect(try following.end() == .stopped)
        // As long as nobody has promoted it, it is nobody's to go on from.
        #expect(throws: CoordinatorError.self) {
            _ = try CoordinatorServer(configuration: CoordinatorConfiguration(stateDirectory: folder.file("second")))
        }
        #expect(try rows(folder.file("first")) == rows(folder.file("second")))
    }

    /// Notices a standby that begins to serve unasked, one whose promotion loses a lease or a checkpoint, and one that
    /// cannot come back to a coordinator that was away.
    @Test func aPromotedStandbyGoesOnWhereTheOtherWas() throws {
        let port = try lastingPort()
        var server = try RunningServer(folder: folder.file("first"), port: port)
        let following = try Following(folder.file("second"), port: port, log: log)
        #expect(follows())
        server.crash()
        server = try RunningServer(folder: folder.file("first"), port: port)
        #expect(follows(times: 2))
        let client = try server.client()
        let input = try client.upload(bytes: Array("input".utf8), role: "volume", name: "data")
        _ = try client.submit(training("k", input))
        let worker = try FakeWorker(server, name: "w")
        try worker.idle()
        let assignment = try worker.nextAssignment()
        let state = try worker.upload(Array("state".utf8), role: "state", name: "replica-0")
        #expect(try worker.request(.checkpointSaved(
            assignment.lease, Checkpoint(iteration: 40, blob: state), [])) == .accepted)
        // Without --sync-standby it comes a moment later.
        let blobs = try BlobDirectory(path: folder.file("second/blobs"))
        #expect(wait { blobs.byteCount(of: state.digest.bytes) != nil })
        server.crash()
        guard case .wished = try StandbyFolder.requestPromotion(folder.file("second")) else {
            Issue.record("it does not follow any more")
            return
        }
        #expect(try following.end() == .promoted)
        let second = try RunningServer(folder: folder.file("second"))
        defer { second.stop() }
        let back = try FakeWorker(second, name: "w", held: [assignment.lease])
        #expect(try back.request(.checkpointSaved(
            assignment.lease, Checkpoint(iteration: 60, blob: try back.upload([1], role: "state", name: "replica-0")),
            [])) == .accepted)
        let status = try second.client().status()
        #expect(status.runs[0].replicas?[0].checkpointIteration == 60)
        // What it was promoted from is no standby's folder any more; a coordinator's is never overwritten.
        #expect(throws: CoordinatorError.self) { try StandbyFolder.requestPromotion(folder.file("second")) }
        #expect(throws: CoordinatorError.self) { _ = try Following(folder.file("first"), port: port, log: log) }
    }

    private func leader(_ name: String) -> LeaderFolder {
        LeaderFolder(path: folder.file("shared"), takeOverSeconds: 2, name: name)
    }

    /// Two that share a folder. Notices two leaders at the same moment, a leader that does not notice that it was
    /// overtaken, and one that waits for itself.
    @Test func oneLeads() throws {
        var first = leader("a:1 x"), second = leader("b:1 y"), third = leader("c:1 z")
        try first.takeUnlessTaken(log: .none)
        let start = MonotonicClock.nowMilliseconds()
        // The sign changes all the time: nobody takes over.
        for step in UInt64(0)..<20 {
            try first.lead(at: start + step * 500)
            #expect(try !second.takeOver(at: start + step * 500))
        }
        // It stands still, for less and for more than two seconds.
        let still = start + 20 * 500
        #expect(try !second.takeOver(at: still) && !second.takeOver(at: still + 1_400))
        #expect(try second.takeOver(at: still + 2_500))
        #expect(try !third.takeOver(at: still + 2_500))
        #expect(throws: LeaderFolder.LostLead.self) { try first.lead(at: still + 2_600) }
        try second.lead(at: still + 2_600)
        // Handed over, it is not waited for.
        second.yield()
        #expect(try third.takeOver(at: still + 2_700))
        // One that begins again with its own folder does not wait for itself; another one sees that it leads.
        var again = leader("c:1 z")
        try again.takeUnlessTaken(log: .none)
        #expect(throws: LeaderFolder.LostLead.self) { try third.lead(at: still + 9_000) }
        // All are down, for however long: the first one's state is of before, and does not lead unless people say so.
        var stale = leader("a:1 x")
        #expect(throws: LeaderFolder.LostLead.self) { try stale.takeUnlessTaken(log: .none) }
        stale.isPromoted = true
        try stale.takeUnlessTaken(log: .none)
        #expect(throws: LeaderFolder.LostLead.self) { try again.lead(at: still + 20_000) }
    }

    /// Notices a leader that goes on although nobody can know that it leads.
    @Test func aLeaderWithoutItsFolderGivesUp() throws {
        var first = leader("a:1 x")
        try first.takeUnlessTaken(log: .none)
        let start = MonotonicClock.nowMilliseconds()
        try FileSystem.removeTree(folder.file("shared"))
        try? first.lead(at: start + 300)
        #expect(throws: LeaderFolder.LostLead.self) { try first.lead(at: start + 1_500) }
    }
}
