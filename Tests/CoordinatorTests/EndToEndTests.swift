import Coordinator
import Foundation
import Imaging
import Platform
import Protocol
import Recipes
import Testing
import VotingAggregator
import Worker

/// Training that is a chain of hashes: a lost or doubled iteration changes the result. Its votes are bits of the CT.
private struct ChainRecipe: Recipe {
    static let name = "chain"
    static let iterationCount = 200

    static func next(_ state: UInt64, seed: UInt64, replica: Int, iteration: Int) -> UInt64 {
        var z = state ^ seed &+ UInt64(replica) << 32 &+ UInt64(iteration)
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        return z ^ (z >> 27)
    }

    static func result(seed: UInt64, replica: Int) -> [UInt8] {
        var state: UInt64 = 0
        for iteration in 0..<iterationCount { state = next(state, seed: seed, replica: replica, iteration: iteration) }
        return Array("\(state)".utf8)
    }

    func makeTrainingSession(
        parameters: String, seed: UInt64, replica: Int, inputs: [RecipeInput], resume: String?,
        resources: RecipeResources
    ) throws -> any TrainingSession {
        try ChainSession(seed: seed, replica: replica, resume: resume)
    }

    func calibrate(parameters: String, seed: UInt64, inputs: [RecipeInput], resources: RecipeResources) throws
        -> RecipeResult
    {
        RecipeResult(outputs: [], reportJSON: "{\"replicas\":\(inputs.count { $0.role == "replica" })}")
    }

    func predict(parameters: String, inputs: [RecipeInput], resources: RecipeResources) throws -> RecipeResult {
        let ct = inputs.first { $0.role == "ct" }!
        let bytes = try FileSystem.read(ct.path, byteCountMax: 1000)
        guard !bytes.isEmpty else { throw RecipeError.inputRefused("\(ct.name) is empty") }
        let replicas = inputs.filter { $0.role == "replica" }
        return RecipeResult(
            outputs: replicas.indices.map { voter in
                var mask = BitMask(shape: VolumeShape(depth: 1, height: 1, width: bytes.count))
                for (x, byte) in bytes.enumerated() { mask[0, 0, x] = Int(byte) % (voter + 2) == 0 }
                return RecipeOutput(role: "votes", name: "votes-\(voter)", bytes: mask.bytes())
            }, reportJSON: "{}")
    }

    func finish(parameters: String, inputs: [RecipeInput], resources: RecipeResources) throws -> RecipeResult {
        let voted = inputs.first { $0.role == "voted" }!
        return RecipeResult(
            outputs: [
                RecipeOutput(role: "mask", name: "mask", bytes: try FileSystem.read(voted.path, byteCountMax: 10_000))
            ], reportJSON: "{}")
    }
}

private final class ChainSession: TrainingSession {
    let seed: UInt64
    let replica: Int
    var state: UInt64 = 0
    var iteration = 0
    let iterationCount = ChainRecipe.iterationCount

    init(seed: UInt64, replica: Int, resume: String?) throws {
        self.seed = seed
        self.replica = replica
        guard let resume else { return }
        let text = String(decoding: try FileSystem.read(resume, byteCountMax: 100), as: UTF8.self)
        let parts = text.split(separator: " ").map { UInt64($0)! }
        (iteration, state) = (Int(parts[0]), parts[1])
    }

    func step() throws -> TrainingStep {
        Thread.sleep(forTimeInterval: 0.01)
        state = ChainRecipe.next(state, seed: seed, replica: replica, iteration: iteration)
        iteration += 1
        return TrainingStep(iteration: iteration, loss: 1 / Double(iteration), dice: 0.5)
    }

    func checkpoint() throws -> [UInt8] { Array("\(iteration) \(state)".utf8) }
    func weights() throws -> [UInt8] { Array("\(state)".utf8) }
}

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
    private func startWorker(_ name: String, port: UInt16) -> WorkerDaemon {
        let daemon = WorkerDaemon(
            configuration: WorkerConfiguration(
                host: "127.0.0.1", port: port, security: .preSharedKeys([token]), threadCount: 1,
                cacheDirectory: folder.file("cache-\(name)"), name: name, build: "test", log: { _ in }),
            recipes: [ChainRecipe.name: ChainRecipe()])
        Thread.detachNewThread { try? daemon.run() }
        return daemon
    }

    private func waitForEnd(_ run: RunID, _ client: CoordinatorClient) throws {
        let deadline = Date().addingTimeInterval(60)
        while try client.status(of: run).runs[0].state == "running" {
            guard Date() < deadline else { throw FakeWorker.Silence() }
            Thread.sleep(forTimeInterval: 0.05)
        }
    }

    @Test func neitherLeavingWorkersNorAKilledCoordinatorChangeAByte() throws {
        var server = try server()
        let port = server.port
        var workers = [startWorker("a", port: port), startWorker("b", port: port)]
        defer { workers.forEach { $0.requestDrain() } }
        let client = try CoordinatorClient(
            address: NetworkAddress(host: "127.0.0.1", port: port), security: .preSharedKeys([token]))
        let data = try client.upload(bytes: [1, 2, 3], role: "volume", name: "data")
        let run = try client.submit(
            Submission(
                kind: .train, recipe: ChainRecipe.name, parameters: "{}", seed: 42, replicaCount: 3,
                iterationCount: UInt32(ChainRecipe.iterationCount), checkpointSeconds: 1, inputs: [data],
                volumeManifest: nil, idempotencyKey: "chain"))
        Thread.sleep(forTimeInterval: 0.6)
        workers[0].requestDrain()
        workers.append(startWorker("c", port: port))
        Thread.sleep(forTimeInterval: 0.6)
        server.crash()
        server = try self.server(port: port)
        defer { server.stop() }
        try waitForEnd(run, client)
        let outputs = try client.outputs(of: run)
        for replica in 0..<3 {
            let output = try #require(outputs.first { $0.name == "replica-\(replica)" })
            #expect(try client.download(output.outputs[0]) == ChainRecipe.result(seed: 42, replica: replica))
            let metrics = try client.metrics(of: run, replica: replica)
            #expect(metrics.map(\.iteration) == Array(1...UInt32(ChainRecipe.iterationCount)))
        }
        #expect(outputs.last?.report == "{\"replicas\":3}")
        try segment(client, ensemble: outputs.filter { $0.stage == .train }.map { $0.outputs[0] })
    }

    /// Two volumes and a broken one.
    private func segment(_ client: CoordinatorClient, ensemble: [BlobReference]) throws {
        let cts: [(String, [UInt8])] = [("anna", [6, 7, 8, 9]), ("broken", []), ("bert", [12, 13])]
        let volumes = try cts.map {
            VolumeSubmission(name: $0.0, inputs: [try client.upload(bytes: $0.1, role: "ct", name: $0.0)])
        }
        let inputs = ensemble.map {
            BlobReference(role: "replica", name: $0.name, digest: $0.digest, byteCount: $0.byteCount)
        }
        let run = try client.submit(
            Submission(
                kind: .segment, recipe: ChainRecipe.name, parameters: "{}", seed: 1, replicaCount: 3,
                iterationCount: 0, checkpointSeconds: 60, inputs: inputs,
                volumeManifest: try client.uploadManifest(volumes), idempotencyKey: "archive"))
        try waitForEnd(run, client)
        let outputs = try client.outputs(of: run)
        #expect(outputs.first { $0.name == "broken" }?.state == .refused)
        let anna = try #require(outputs.first { $0.name == "anna" && $0.state == .done })
        // Divisible by 2, 3, 4: at least two of the three hold for 6 and 8 only.
        #expect(try BitMask(bytes: try client.download(anna.outputs[0])).voxels() == [1, 0, 1, 0])
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
