import Coordinator
import Foundation
import Platform
import Protocol
import TestSupport
import Testing
import VotingAggregator
import Worker

@Suite struct EndToEndTests {
    let folder: TestFolder
    let token: ClusterToken

    init() throws {
        folder = try TestFolder()
        token = try ClusterToken.generate(to: folder.file("token"))
    }

    private func server(port: UInt16 = 0) throws -> RunningServer {
        try RunningServer(
            folder: folder.file("state"), leaseSeconds: 1.5, port: port, security: .preSharedKeys([token]))
    }

    /// A real worker on a thread of its own; its drain.
    private func startWorker(
        _ name: String, port: UInt16, log: @escaping @Sendable (String) -> Void = { _ in }
    ) -> WorkerDaemon {
        let daemon = WorkerDaemon(
            configuration: WorkerConfiguration(
                host: "127.0.0.1", port: port, security: .preSharedKeys([token]), threadCount: 1,
                cacheDirectory: folder.file("cache-\(name)"), name: name, build: "test",
                log: Log { log($1) }),
            recipes: [ChainRecipe.name: ChainRecipe()])
        Thread.detachNewThread { try? daemon.run() }
        return daemon
    }

    /// In the middle of a piece of work.
    private func waitUntilBusy(_ worker: String, _ client: CoordinatorClient) throws {
        try #require(try wait {
            try client.status().workers.contains { $0.name == worker && $0.work?.fraction ?? 0 > 0 }
        })
    }

    private func waitForEnd(_ run: RunID, _ client: CoordinatorClient) throws {
        try #require(try wait(seconds: 120) { try client.status(of: run).runs[0].state != "running" })
    }

    @Test func neitherLeavingWorkersNorAKilledCoordinatorChangeAByte() throws {
        let port = try lastingPort()
        var server = try server(port: port)
        var workers = [startWorker("a", port: port), startWorker("b", port: port)]
        defer { workers.forEach { $0.requestDrain() } }
        let client = try CoordinatorClient(
            address: NetworkAddress(host: "127.0.0.1", port: port), security: .preSharedKeys([token]))
        let data = try client.upload(bytes: [1, 2, 3], role: "volume", name: "data"), gate = UUID().uuidString
        let run = try client.submit(
            Submission(
                plan: .training(ChainRecipe.iterationCount), recipe: ChainRecipe.name, parameters: gate, seed: 42,
                replicaCount: 3, checkpointSeconds: 1, inputs: [data],
                itemManifest: nil, idempotencyKey: "chain"))
        try waitUntilBusy("a", client)
        workers[0].requestDrain()
        workers.append(startWorker("c", port: port))
        try waitUntilBusy("c", client)
        server.crash()
        server = try self.server(port: port)
        defer { server.stop() }
        ChainRecipe.openGates.withLock { _ = $0.insert(gate) }
        try waitForEnd(run, client)
        let outputs = try client.outputs(of: run)
        for replica in 0..<3 {
            let output = try #require(outputs.first { $0.name == "replica-\(replica)" })
            #expect(try client.download(output.outputs[0]) == ChainRecipe.result(seed: 42, replica: replica))
            let metrics = try client.figures(of: run, step: "train", replica: replica)
            #expect(metrics.map(\.iteration) == Array(1...UInt32(ChainRecipe.iterationCount)))
        }
        #expect(outputs.last?.report == "{\"replicas\":3}")
        try segment(client, ensemble: outputs.filter { $0.step == "train" }.map { $0.outputs[0] })
    }

    /// Two volumes and a broken one.
    private func segment(_ client: CoordinatorClient, ensemble: [BlobReference]) throws {
        let cts: [(String, [UInt8])] = [("anna", [6, 7, 8, 9]), ("broken", []), ("bert", [12, 13])]
        let volumes = try cts.map {
            ItemSubmission(name: $0.0, inputs: [try client.upload(bytes: $0.1, role: "ct", name: $0.0)])
        }
        let inputs = ensemble.map {
            BlobReference(role: "replica", name: $0.name, digest: $0.digest, byteCount: $0.byteCount)
        }
        let run = try client.submit(
            Submission(
                plan: .segmenting, recipe: ChainRecipe.name, parameters: "{}", seed: 1, replicaCount: 3,
                checkpointSeconds: 60, inputs: inputs,
                itemManifest: try client.uploadManifest(volumes), idempotencyKey: "archive"))
        try waitForEnd(run, client)
        let outputs = try client.outputs(of: run)
        #expect(outputs.first { $0.name == "broken" }?.state == .refused)
        let anna = try #require(outputs.first { $0.name == "anna" && $0.state == .done })
        // Divisible by 2, 3, 4: at least two of the three hold for 6 and 8 only.
        #expect(try BitMask(bytes: try client.download(anna.outputs[0])).voxels() == [1, 0, 1, 0])
    }

    /// The coordinator's disk is full for a while: training goes on, people are told, and the result is the same.
    @Test func aFullDiskIsSaidAndCostsNothingButTime() throws {
        let server = try server()
        defer { server.stop() }
        let log = Guarded<[String]>([])
        Failpoint.set("file.write", .fail(ENOSPC), detailPart: folder.file("state/blobs"))
        defer { Failpoint.clear("file.write", detailPart: folder.file("state/blobs")) }
        let client = try CoordinatorClient(
            address: NetworkAddress(host: "127.0.0.1", port: server.port), security: .preSharedKeys([token]))
        let run = try client.submit(
            Submission(
                plan: .training(ChainRecipe.iterationCount), recipe: ChainRecipe.name, parameters: "{}", seed: 3,
                replicaCount: 1, checkpointSeconds: 1, inputs: [],
                itemManifest: nil, idempotencyKey: "full"))
        let worker = startWorker("a", port: server.port) { line in log.withLock { $0.append(line) } }
        defer { worker.requestDrain() }
        #expect(wait { log.withLock { $0.contains { $0.contains("free some space") && $0.contains("trying again") } } })
        // Training does not wait with it, and comes to its end.
        #expect(try wait {
            try client.status(of: run).runs[0].replicas?[0].iteration ?? 0 >= ChainRecipe.iterationCount
        })
        Failpoint.clear("file.write", detailPart: folder.file("state/blobs"))
        try waitForEnd(run, client)
        let output = try #require(try client.outputs(of: run).first { $0.name == "replica-0" })
        #expect(try client.download(output.outputs[0]) == ChainRecipe.result(seed: 3, replica: 0))
        #expect(try client.figures(of: run, step: "train", replica: 0).count == ChainRecipe.iterationCount)
    }

    @Test func withoutTheTokenNobodyIsLetIn() throws {
        let server = try server()
        defer { server.stop() }
        let other = try ClusterToken.generate(to: folder.file("other"))
        for security in [ConnectionSecurity.plaintext, .preSharedKeys([other])] {
            #expect(throws: ClientError.self) {
                try CoordinatorClient(
                    address: NetworkAddress(host: "127.0.0.1", port: server.port), security: security)
            }
        }
    }
}
