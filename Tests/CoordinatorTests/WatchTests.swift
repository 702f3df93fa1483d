import Coordinator
import Foundation
import Platform
import Protocol
import TestSupport
import Testing

/// Who waits for a run is told that it has changed, and need not ask on and on.
@Suite struct WatchTests {
    /// Takes every blob for uploaded.
    private struct FullShelf: BlobShelf {
        func byteCount(of digest: ContentDigest) -> UInt64? { 100 }
        func hasSent(_ worker: WorkerName, _ digest: ContentDigest) -> Bool { true }
        func read(_ digest: ContentDigest, byteCount: Int) throws -> [UInt8] { [] }
    }

    private static func training(_ key: String, _ inputs: [BlobReference]) -> Submission {
        Submission(
            plan: .training(100), recipe: "fake", parameters: "{}", seed: 1, replicaCount: 2, checkpointSeconds: 60,
            inputs: inputs, itemManifest: nil, idempotencyKey: key)
    }

    /// A core with a client and a worker; the test is its network and its store.
    private struct Desk {
        var core: CoordinatorCore
        let client = ConnectionID(number: 1)
        private let worker = ConnectionID(number: 2)
        private var lastRequestID: UInt32 = 1
        /// Said to the client since the last look.
        private var heard: [Message] = []
        private var turns: [Turn] = []

        /// A training of two replicas, the first of which is leased.
        init() throws {
            core = CoordinatorCore(
                settings: CoreSettings(
                    build: "test", heartbeatMilliseconds: 1_000,
                    scheduler: Scheduler.Configuration(leaseMilliseconds: 60_000)),
                shelf: FullShelf(), archive: try Store(path: ":memory:"), recovery: Recovery(), at: 0)
            for (connection, role) in [(client, PeerRole.client), (worker, .worker)] {
                core.accepted(connection, address: "10.0.0.1:1", at: 0)
                core.received(FrameEncoder.magic, on: connection, at: 0)
                try say(.hello(Hello(
                    role: role, versionMin: 4, versionMax: 4, build: "test", name: "w", threadCount: 1, device: "cpu",
                    held: [])), connection)
            }
            try submit("k")
            try say(.idle, worker)
            commitAll()
            _ = takeHeard()
        }

        mutating func submit(_ key: String) throws {
            try say(.submit(WatchTests.training(key, [blob("volume", "data")])), client)
        }

        mutating func say(_ message: Message, _ connection: ConnectionID) throws {
            // The test takes in everything at once.
            core.drained(connection)
            lastRequestID += 1
            let bytes = try MessageCoding.encode(message, requestID: message == .idle ? 0 : lastRequestID)
            core.received(bytes, on: connection, at: 0)
            let (atOnce, turn) = core.endTurn()
            hear(atOnce)
            if let turn { turns.append(turn) }
        }

        /// The worker has trained so far.
        mutating func save(_ iteration: UInt32) throws {
            let checkpoint = Checkpoint(iteration: iteration, blob: blob("checkpoint", "at-\(iteration)"))
            try say(.checkpointSaved(Lease(work: WorkID(1), epoch: 1), checkpoint, []), worker)
        }

        /// A lease ends and another begins.
        mutating func moveWork() throws {
            try say(.surrender(Lease(work: WorkID(1), epoch: 1), .drained, ""), worker)
            try say(.idle, worker)
        }

        mutating func commitAll() {
            for turn in turns { hear(core.committed(turn.number, unreferenced: [])) }
            turns = []
        }

        mutating func fail() { hear(core.startAgain(after: "a test", Recovery(), at: 0)) }

        private mutating func hear(_ outgoing: [Outgoing]) {
            for case .send(let message, _, let connection) in outgoing where connection == client {
                heard.append(message)
            }
        }

        mutating func takeHeard() -> [Message] {
            defer { heard = [] }
            return heard
        }

        mutating func takeRefusalCodes() -> [RefusalCode] {
            takeHeard().compactMap { if case .refusal(let refusal) = $0 { refusal.code } else { nil } }
        }

        /// How often the client was told that the run has changed, since the last look.
        mutating func takeNewsCount() -> Int { takeHeard().count { $0 == .changed(RunID(1)) } }
    }

    /// Before the commit a crash would undo it, and who reads at once would not find it.
    @Test func aWatcherHearsOfAChangeWhenItIsCommittedAndNotBefore() throws {
        var desk = try Desk()
        try desk.say(.watch(RunID(1)), desk.client)
        #expect(desk.takeHeard() == [.accepted])
        try desk.save(10)
        #expect(desk.takeNewsCount() == 0)
        desk.commitAll()
        #expect(desk.takeNewsCount() == 1)
    }

    /// However much happens to a run, and however often somebody has asked: nothing piles up for who does not listen.
    @Test func oneWatchIsOneMessage() throws {
        var desk = try Desk()
        for _ in 0..<3 { try desk.say(.watch(RunID(1)), desk.client) }
        for iteration in [10, 20, 30] as [UInt32] { try desk.save(iteration) }
        desk.commitAll()
        #expect(desk.takeNewsCount() == 1)
        try desk.say(.watch(RunID(1)), desk.client)
        try desk.save(40)
        desk.commitAll()
        #expect(desk.takeNewsCount() == 1)
    }

    /// What the client reads next is what is committed next: it may have been too late to see this.
    @Test func aChangeThatIsBeingCommittedWhenTheWatchComesIsToldOf() throws {
        var desk = try Desk()
        try desk.save(10)
        try desk.say(.watch(RunID(1)), desk.client)
        desk.commitAll()
        #expect(desk.takeNewsCount() == 1)
    }

    @Test func leasesThatMoveAreNoNews() throws {
        var desk = try Desk()
        try desk.say(.watch(RunID(1)), desk.client)
        try desk.moveWork()
        desk.commitAll()
        #expect(desk.takeNewsCount() == 0)
        try desk.say(.cancel(RunID(1)), desk.client)
        desk.commitAll()
        #expect(desk.takeNewsCount() == 1)
    }

    @Test func aWatchGoesWithItsConnection() throws {
        var desk = try Desk()
        try desk.say(.watch(RunID(1)), desk.client)
        desk.core.closed(desk.client, at: 0)
        try desk.save(10)
        desk.commitAll()
        #expect(desk.takeNewsCount() == 0)
    }

    @Test func aRunThatIsNotThereAndOneRunTooManyAreRefused() throws {
        var desk = try Desk()
        try desk.say(.watch(RunID(99)), desk.client)
        #expect(desk.takeRefusalCodes() == [.unknown])
        for number in 0..<Limits.watchedRunsMax { try desk.submit("another \(number)") }
        desk.commitAll()
        _ = desk.takeHeard()
        for run in 1...UInt64(Limits.watchedRunsMax) { try desk.say(.watch(RunID(run)), desk.client) }
        #expect(desk.takeHeard() == Array(repeating: .accepted, count: Limits.watchedRunsMax))
        try desk.say(.watch(RunID(UInt64(Limits.watchedRunsMax) + 1)), desk.client)
        #expect(desk.takeRefusalCodes() == [.limit])
        // One that is watched already is no further one.
        try desk.say(.watch(RunID(1)), desk.client)
        #expect(desk.takeHeard() == [.accepted])
    }

    /// What they have heard since the last commit that went well may not be so.
    @Test func watchersReadAgainAfterACommitThatFailed() throws {
        var desk = try Desk()
        try desk.say(.watch(RunID(1)), desk.client)
        try desk.save(10)
        desk.fail()
        #expect(desk.takeNewsCount() == 1)
    }

    /// Over the network: nothing comes while nothing happens, what happens comes long before the time is over, and a
    /// coordinator that comes back is read again.
    @Test func aClientThatWaitsHearsOfAResultAndOfItsCoordinatorsReturn() throws {
        let folder = try TestFolder(), port = try lastingPort()
        let first = try RunningServer(folder: folder.path, port: port)
        let client = try first.client()
        let data = try client.upload(bytes: [7], role: "volume", name: "data")
        let run = try client.submit(Self.training("k", [data]))
        let worker = try FakeWorker(first, name: "w")
        try worker.idle()
        let assignment = try worker.nextAssignment()
        try client.watch(run)
        #expect(try !client.waitForChange(of: run, seconds: 0.3))
        let weights = try worker.upload([1], role: "replica", name: "w0")
        #expect(try worker.finish(assignment, [weights]) == .accepted)
        #expect(try client.waitForChange(of: run, seconds: 600))
        #expect(try client.outputs(of: run).map(\.name) == ["replica-0"])
        try client.watch(run)
        #expect(try !client.waitForChange(of: run, seconds: 0.3))
        first.crash()
        let second = try RunningServer(folder: folder.path, port: port)
        defer { second.stop() }
        #expect(try client.waitForChange(of: run, seconds: 600))
        try client.watch(run)
        try client.cancel(run)
        #expect(try client.waitForChange(of: run, seconds: 600))
        #expect(throws: ClientError.self) { try client.watch(RunID(99)) }
    }
}
