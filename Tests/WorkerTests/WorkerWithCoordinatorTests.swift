import Coordinator
import Foundation
import Numerics
import Platform
import Protocol
import Recipes
import TestSupport
import Testing
import Worker

/// Daemons with the real coordinator: its server, scheduler and store, over TCP on this machine.
@Suite(.serialized) struct WorkerWithCoordinatorTests {
    private final class Server {
        let server: CoordinatorServer
        private let ended = DispatchSemaphore(value: 0)

        init(folder: String, port: UInt16) throws {
            server = try CoordinatorServer(configuration: CoordinatorConfiguration(
                stateDirectory: folder, port: port, leaseSeconds: 3, heartbeatSeconds: 0.5, build: "test"))
            let (server, ended) = (server, ended)
            Thread.detachNewThread {
                try? server.run()
                ended.signal()
            }
        }

        func crash() {
            server.crash()
            ended.wait()
        }

        func stop() {
            server.requestStop()
            ended.wait()
        }
    }

    private static let parameters = "iterations=200 stateBytes=300000"
    private static let replicaCount = 3

    private func submit(_ client: CoordinatorClient, _ input: [UInt8], gate: String) throws -> RunID {
        let blob = try client.upload(bytes: input, role: "ct", name: "case-7")
        return try client.submit(Submission(
            plan: .training(200), recipe: "fake", parameters: Self.parameters + " stepMilliseconds=10 gate=\(gate)",
            seed: 5,
            replicaCount: UInt16(Self.replicaCount), checkpointSeconds: 1, inputs: [blob],
            itemManifest: nil, idempotencyKey: "test"))
    }

    private func expected(_ input: [UInt8], replica: Int) throws -> [UInt8] {
        let resources = RecipeResources(pool: ThreadPool(threadCount: 1), cacheDirectory: "")
        let session = try FakeSession(
            FakeParameters(Self.parameters), seed: 5 &+ UInt64(replica) &* 1_000_003 &+ fold(input), resume: nil,
            resources: resources)
        while session.iteration < session.iterationCount { _ = try session.step() }
        return try session.weights()
    }

    @Test func aRunSurvivesItsCoordinatorAndAWorkerAndEndsWithTheSameBytes() throws {
        let folder = NSTemporaryDirectory() + "quintet-cluster-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let port = try lastingPort()
        var server = try Server(folder: folder + "/state", port: port)
        let client = try CoordinatorClient(address: NetworkAddress(host: "127.0.0.1", port: port))
        let input = (0..<700_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let gate = UUID().uuidString, run = try submit(client, input, gate: gate)
        var benches = ["one", "two"].map { DaemonBench(port: port, name: $0, cache: folder + "/cache") }

        // The coordinator is killed in the middle and comes back; nobody stops computing.
        #expect(try wait { try client.figures(of: run, step: "train", replica: 0).count > 20 }, "\(benches[0].log)")
        server.crash()
        #expect(wait { benches.contains { $0.log.contains { $0.contains("computing goes on") } } })
        server = try Server(folder: folder + "/state", port: port)
        Gates.open(gate)

        // One worker leaves, another one comes.
        benches[0].daemon.requestDrain()
        #expect(benches[0].hasLeft, "\(benches[0].log)")
        benches[0] = DaemonBench(port: port, name: "three", cache: folder + "/cache")

        let hasEnded = try wait { try client.status(of: run).runs.first?.state == "ended" }
        let status = try client.statusJSON(of: run)
        #expect(hasEnded, "\(status) \(benches.map(\.log))")
        let outputs = try client.outputs(of: run)
        for replica in 0..<Self.replicaCount {
            let output = try #require(outputs.first { $0.name == "replica-\(replica)" })
            #expect(try client.download(output.outputs[0]) == expected(input, replica: replica))
            #expect(try client.figures(of: run, step: "train", replica: replica).map(\.iteration) == Array(1...200))
        }
        for bench in benches {
            bench.daemon.requestDrain()
            #expect(bench.hasLeft, "\(bench.log)")
        }
        server.stop()
    }
}
