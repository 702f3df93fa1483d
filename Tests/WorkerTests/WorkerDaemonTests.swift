import Foundation
import Numerics
import Platform
import Protocol
import Recipes
import Testing
import Worker

/// Real daemons, sockets, files and threads against a scripted coordinator on this machine. One after the other: they
/// mostly wait, and would hold up the other suites.
@Suite(.serialized) struct WorkerDaemonTests {
    private static let inputBytes = 1_000_000

    /// What an undisturbed training gives.
    private static func trained(_ model: ModelCoordinator, piece: Int) throws -> [UInt8] {
        let resources = RecipeResources(pool: ThreadPool(threadCount: 1), cacheDirectory: "")
        let session = try FakeSession(
            FakeParameters(model.parameters), seed: 1 &+ UInt64(piece) &* 1_000_003 &+ fold(model.input), resume: nil,
            resources: resources)
        while session.iteration < session.iterationCount { _ = try session.step() }
        return try session.weights()
    }

    private func model(
        _ pieceCount: Int, iterations: UInt32, stepMilliseconds: Int = 0, stateBytes: Int = 64,
        inputBytes: Int = inputBytes, gate: String? = nil
    ) throws -> ModelCoordinator {
        var model = ModelCoordinator(
            pieceCount: pieceCount, iterationCount: iterations, inputBytes: inputBytes,
            digestOf: { ContentDigest(bytes: SHA256.digest(of: $0)) })
        model.parameters = "iterations=\(iterations) stateBytes=\(stateBytes)"
        let expected = try (0..<pieceCount).map { try Self.trained(model, piece: $0) }
        model.expected = { expected[$0] }
        model.parameters += " stepMilliseconds=\(stepMilliseconds)" + (gate.map { " gate=\($0)" } ?? "")
        return model
    }

    private func folder() -> String { NSTemporaryDirectory() + "quintet-worker-\(UUID().uuidString)" }

    /// Runs `body` with a coordinator and one daemon; drains the daemon, checks that it went well, cleans up.
    private func withDaemon(
        _ model: ModelCoordinator, script: @escaping LoopbackCoordinator.Script = { _, _ in .none },
        _ body: (LoopbackCoordinator, DaemonBench) throws -> Void
    ) throws {
        let coordinator = try LoopbackCoordinator(model, script: script)
        let bench = DaemonBench(port: coordinator.port, name: "lab:\(coordinator.port)", cache: folder())
        defer {
            coordinator.end()
            try? FileManager.default.removeItem(atPath: bench.cache)
        }
        try body(coordinator, bench)
        bench.daemon.requestDrain()
        guard case .success? = bench.waitForEnd() else {
            Issue.record("the daemon did not leave: \(bench.log)")
            return
        }
        #expect(coordinator.withModel { $0.violations } == [])
    }

    @Test func aWorkerComputesEverythingAndFetchesEveryBlobOnce() throws {
        try withDaemon(try model(3, iterations: 30, stateBytes: 700_000)) { coordinator, bench in
            #expect(coordinator.wait { $0.isDone }, "\(bench.log)")
            // Before anybody was dialled: SHA-256 of "fake 15\nfake arithmetic".
            #expect(bench.log.first?.hasPrefix("arithmetic 1, digest 7564a1038fda, proved in ") == true, "\(bench.log)")
            #expect(coordinator.withModel { $0.servedByteCount } == Self.inputBytes)
        }
    }

    @Test func aFetchGoesOnWhereItWasCut() throws {
        let hasCut = Guarded(false)
        let (inputBytes, pieceBytes) = (3_000_000, Limits.blobChunkBytesMax)
        try withDaemon(try model(1, iterations: 5, inputBytes: inputBytes), script: { message, _ in
            guard case .blobGet(_, let offset, _) = message, offset >= 6 * UInt64(pieceBytes) else { return .none }
            return hasCut.withLock { hasCut in
                defer { hasCut = true }
                return hasCut ? .none : .cut()
            }
        }) { coordinator, bench in
            #expect(coordinator.wait { $0.isDone }, "\(bench.log)")
            // What was on its way when the connection was cut comes twice, no more.
            let served = coordinator.withModel { $0.servedByteCount }
            #expect(served < inputBytes + 5 * pieceBytes)
            let offsets = coordinator.heard.compactMap { message -> UInt64? in
                if case .blobGet(_, let offset, _) = message { offset } else { nil }
            }
            #expect(offsets.filter { $0 == 0 }.count == 1, "it went on from the beginning")
        }
    }

    @Test func trainingGoesOnWhileTheCoordinatorIsAway() throws {
        let hasCut = Guarded(false), gate = UUID().uuidString
        try withDaemon(try model(1, iterations: 150, stepMilliseconds: 10, gate: gate), script: { message, _ in
            // It has come back.
            if case .hello = message, hasCut.withLock({ $0 }) { Gates.open(gate) }
            guard case .heartbeat(let reports) = message, reports.contains(where: { $0.iteration > 0 }) else {
                return .none
            }
            return hasCut.withLock { hasCut in
                defer { hasCut = true }
                return hasCut ? .none : .cut(awayMilliseconds: 1_500)
            }
        }) { coordinator, bench in
            #expect(coordinator.wait { $0.isDone }, "\(bench.log)")
            #expect(hasCut.withLock { $0 })
            // One lease from beginning to end: nothing was lost or begun anew.
            #expect(coordinator.withModel { $0.pieces[0].epoch } == 1)
            #expect(bench.log.contains { $0.contains("computing goes on") })
            let held = coordinator.heard.compactMap { message -> [Lease]? in
                if case .hello(let hello) = message { hello.held } else { nil }
            }
            #expect(held.last == [Lease(work: WorkID(0), epoch: 1)])
        }
    }

    @Test func aRevokedWorkerStopsAndTakesOtherWork() throws {
        let hasRevoked = Guarded(false)
        try withDaemon(try model(2, iterations: 20_000, stepMilliseconds: 1), script: { message, model in
            guard case .heartbeat(let reports) = message, let report = reports.first, report.iteration > 0 else {
                return .none
            }
            return hasRevoked.withLock { hasRevoked in
                guard !hasRevoked else { return .none }
                hasRevoked = true
                model.pieces[Int(report.lease.work.value)].holder = "another"
                model.pieces[Int(report.lease.work.value)].leaseUntil = .max
                return .answer([.heartbeatAnswer, .revoke(report.lease)])
            }
        }) { coordinator, bench in
            #expect(coordinator.wait { $0.pieces[1].holder != nil }, "\(bench.log)")
            #expect(bench.log.contains { $0.contains("abandoned") })
        }
    }

    @Test func aDrainedWorkersTrainingEndsElsewhereWithTheSameBytes() throws {
        let gate = UUID().uuidString
        let coordinator = try LoopbackCoordinator(
            try model(1, iterations: 400, stepMilliseconds: 5, stateBytes: 600_000, gate: gate))
        defer { coordinator.end() }
        let first = DaemonBench(port: coordinator.port, name: "first", cache: folder())
        #expect(coordinator.wait { $0.pieces[0].checkpoint != nil }, "no checkpoint: \(first.log)")
        first.daemon.requestDrain()
        guard case .success? = first.waitForEnd() else {
            Issue.record("the first did not leave: \(first.log)")
            return
        }
        Gates.open(gate)
        let handedOver = coordinator.withModel { $0.pieces[0].checkpoint?.iteration ?? 0 }
        #expect(handedOver > 0 && handedOver < 400)
        #expect(coordinator.heard.contains { message in
            if case .surrender(_, .drained, _) = message { true } else { false }
        })

        let second = DaemonBench(port: coordinator.port, name: "second", cache: folder(), threadCount: 1)
        #expect(coordinator.wait { $0.isDone }, "\(second.log)")
        second.daemon.requestDrain()
        #expect(second.hasLeft, "\(second.log)")
        #expect(coordinator.withModel { $0.violations } == [])
        #expect(coordinator.withModel { $0.pieces[0].metrics.count } == 400)
        for bench in [first, second] { try? FileManager.default.removeItem(atPath: bench.cache) }
    }

    @Test func twoWorkersShareOneCache() throws {
        let gate = UUID().uuidString
        let coordinator = try LoopbackCoordinator(try model(4, iterations: 100, stepMilliseconds: 2, gate: gate))
        defer { coordinator.end() }
        let cache = folder()
        let benches = ["one", "two"].map { DaemonBench(port: coordinator.port, name: $0, cache: cache) }
        // One may be so late that the other would do all of it.
        #expect(coordinator.wait { Set($0.pieces.compactMap(\.holder)).count == 2 })
        Gates.open(gate)
        #expect(coordinator.wait { $0.isDone })
        for bench in benches {
            bench.daemon.requestDrain()
            guard case .success? = bench.waitForEnd() else {
                Issue.record("it did not leave: \(bench.log)")
                return
            }
        }
        #expect(coordinator.withModel { $0.violations } == [])
        let holders = coordinator.withModel { Set($0.pieces.compactMap(\.holder)) }
        #expect(holders == ["one", "two"])
        try? FileManager.default.removeItem(atPath: cache)
    }

    @Test func aRefusedVersionEndsTheDaemonWithTheRemedy() throws {
        let coordinator = try LoopbackCoordinator(try model(1, iterations: 1), script: { _, _ in
            .answer([.refusal(Refusal(code: .version, message: "update quintet-test, the older one"))])
        })
        defer { coordinator.end() }
        let bench = DaemonBench(port: coordinator.port, name: "old", cache: folder())
        guard case .failure(let error)? = bench.waitForEnd() else {
            Issue.record("it went on")
            return
        }
        #expect("\(error)" == "the coordinator at 127.0.0.1:\(coordinator.port) does not take this worker: "
            + "this program speaks protocol 4, which the coordinator does not: update quintet-test, the older one")
        try? FileManager.default.removeItem(atPath: bench.cache)
    }

    @Test func aCoordinatorThatTalksNonsenseIsLeftAndTriedAgain() throws {
        let idleCount = Guarded(0)
        try withDaemon(try model(1, iterations: 5), script: { message, _ in
            guard case .idle = message else { return .none }
            return idleCount.withLock { count in
                count += 1
                return count <= 2 ? .garbage : .none
            }
        }) { coordinator, bench in
            #expect(coordinator.wait { $0.isDone }, "\(bench.log)")
            #expect(bench.log.contains { $0.contains("not understood") })
        }
    }

    @Test func anotherProgramAtTheAddressEndsTheDaemonWithTheRemedy() throws {
        let loop = try NetworkLoop()
        let port = try loop.listen(host: "127.0.0.1", port: 0, security: .plaintext)
        let bench = DaemonBench(port: port, name: "lost", cache: folder())
        var outcome: Result<Void, any Error>?
        for _ in 0..<3_000 where outcome == nil {
            for event in try loop.wait(timeoutMilliseconds: 20) {
                if case .received(let connection, _) = event {
                    loop.send(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), on: connection)
                }
            }
            outcome = bench.waitForEnd(seconds: 0.02)
        }
        guard case .failure(let error)? = outcome else {
            Issue.record("it went on: \(bench.log)")
            return
        }
        #expect("\(error)".contains("check the port"))
        try? FileManager.default.removeItem(atPath: bench.cache)
    }

    @Test func aTokenOpensTheConnectionAndAWrongOneEndsTheDaemonWithTheRemedy() throws {
        let folder = folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for name in ["right", "wrong"] { try ClusterToken.generate(to: folder + "/" + name) }
        let right = try ConnectionSecurity(tokenFiles: [folder + "/right"])
        let coordinator = try LoopbackCoordinator(try model(1, iterations: 5), security: right)
        defer { coordinator.end() }

        let wrong = try ConnectionSecurity(tokenFiles: [folder + "/wrong"])
        let stranger = DaemonBench(port: coordinator.port, name: "x", cache: folder + "/x", security: wrong)
        guard case .failure(let error)? = stranger.waitForEnd() else {
            Issue.record("it went on: \(stranger.log)")
            return
        }
        #expect("\(error)".contains("token"))

        // Without a token the connection just ends; that may have other reasons, so it goes on and gives a hint.
        let open = DaemonBench(port: coordinator.port, name: "z", cache: folder + "/z")
        #expect(open.hasLogged("give --token-file"), "\(open.log)")
        open.daemon.requestDrain()
        #expect(open.hasLeft, "\(open.log)")
        #expect(coordinator.heard.isEmpty)

        let bench = DaemonBench(port: coordinator.port, name: "y", cache: folder + "/y", security: right)
        #expect(coordinator.wait { $0.isDone }, "\(bench.log)")
        bench.daemon.requestDrain()
        #expect(bench.hasLeft, "\(bench.log)")
    }

    @Test func anUnreachableCoordinatorIsWaitedForAndTheDrainIsHeard() throws {
        let bench = DaemonBench(port: 1, name: "alone", cache: folder())
        #expect(bench.hasLogged("trying again in"), "\(bench.log)")
        bench.daemon.requestDrain()
        guard case .success? = bench.waitForEnd() else {
            Issue.record("it did not leave")
            return
        }
        try? FileManager.default.removeItem(atPath: bench.cache)
    }

    @Test func aFullDiskInTheCacheIsSaidAndWaitedFor() throws {
        let cache = folder()
        Failpoint.set("file.write", .fail(ENOSPC), detailPart: cache)
        let coordinator = try LoopbackCoordinator(try model(1, iterations: 5))
        defer { coordinator.end() }
        let bench = DaemonBench(port: coordinator.port, name: "full", cache: cache)
        #expect(bench.hasLogged("the worker's cache at \(cache) is full (No space left on device)"), "\(bench.log)")
        Failpoint.clear("file.write", detailPart: cache)
        #expect(coordinator.wait { $0.isDone }, "\(bench.log)")
        bench.daemon.requestDrain()
        #expect(bench.hasLeft, "\(bench.log)")
        try? FileManager.default.removeItem(atPath: cache)
    }

    @Test func aCachedBlobThatWentBadIsFetchedAgain() throws {
        let cache = folder()
        let coordinator = try LoopbackCoordinator(try model(1, iterations: 5))
        defer { coordinator.end() }
        // The right name and size, one wrong bit.
        var bytes = coordinator.withModel { $0.input }
        let name = ContentDigest(bytes: SHA256.digest(of: bytes)).description
        bytes[777] ^= 1
        let blobFolder = cache + "/blobs/" + name.prefix(2)
        try FileManager.default.createDirectory(atPath: blobFolder, withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(fileURLWithPath: blobFolder + "/" + name))
        let bench = DaemonBench(port: coordinator.port, name: "rot", cache: cache)
        #expect(coordinator.wait { $0.isDone }, "\(bench.log)")
        #expect(coordinator.withModel { $0.violations } == [])
        #expect(bench.log.contains { $0.contains("damaged") })
        bench.daemon.requestDrain()
        #expect(bench.hasLeft, "\(bench.log)")
        try? FileManager.default.removeItem(atPath: cache)
    }
}
