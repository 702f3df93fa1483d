import Coordinator
import Foundation
import Imaging
import Numerics
import Platform
import Protocol
import Recipes
import TestSupport
import Testing
import VotingAggregator
import Worker

/// As `ChainRecipe`, on a machine one bit of whose memory is stuck.
private struct BrokenChainRecipe: Recipe {
    static let name = ChainRecipe.name
    private let chain = ChainRecipe()

    func proveArithmetic(pool: ThreadPool) -> [UInt8] { chain.proveArithmetic(pool: pool) }

    func makeSession(
        _ step: RecipeStep, inputs: [RecipeInput], resume: String?, resources: RecipeResources
    ) throws -> any TrainingSession {
        try chain.makeSession(
            RecipeStep(label: step.label, parameters: step.parameters, seed: step.seed ^ 4, replica: step.replica),
            inputs: inputs, resume: resume, resources: resources)
    }

    func perform(_ step: RecipeStep, inputs: [RecipeInput], resources: RecipeResources) throws -> RecipeResult {
        var result = try chain.perform(step, inputs: inputs, resources: resources)
        for index in result.outputs.indices where !result.outputs[index].bytes.isEmpty {
            result.outputs[index].bytes[result.outputs[index].bytes.count - 1] ^= 1
        }
        return result
    }
}

/// Three machines, one of them broken: with real workers and a real coordinator.
@Suite struct SpotCheckTests {
    private func start(_ names: [String], broken: String, _ server: RunningServer, _ folder: TestFolder)
        -> [WorkerDaemon]
    {
        let workers = names.map { name in
            let recipe: any Recipe = name == broken ? BrokenChainRecipe() : ChainRecipe()
            return WorkerDaemon(
                configuration: WorkerConfiguration(
                    host: "127.0.0.1", port: server.port, security: .plaintext, threadCount: 1,
                    cacheDirectory: folder.file("cache-\(name)"), name: name, build: "test", log: .none),
                recipes: [ChainRecipe.name: recipe])
        }
        for worker in workers { Thread.detachNewThread { try? worker.run() } }
        return workers
    }

    private func expectSetAside(_ machine: String, _ client: CoordinatorClient) throws {
        let status = try client.status(history: true)
        #expect(status.setAside?.keys.sorted() == [machine], "\(status.setAside ?? [:])")
        #expect(status.events?.contains { $0.kind == "set-aside" } == true)
    }

    @Test func aBrokenMachineIsFoundWhileItTrainsAndTheReplicasHaveTheRightBytes() throws {
        let folder = try TestFolder(), server = try RunningServer(folder: folder.file("state"))
        defer { server.stop() }
        let client = try server.client()
        let data = try client.upload(bytes: Array("data".utf8), role: "volume", name: "data")
        let run = try client.submit(Submission(
            plan: .training(ChainRecipe.iterationCount), recipe: ChainRecipe.name, parameters: "{}", seed: 11,
            replicaCount: 3, checkpointSeconds: 1, inputs: [data], itemManifest: nil, idempotencyKey: "t",
            verifyShare: 1))
        let workers = start(["lab1:1", "lab2:1", "lab3:1"], broken: "lab2:1", server, folder)
        defer { workers.forEach { $0.requestDrain() } }
        #expect(try wait { try client.status(of: run).runs[0].state == "ended" })
        try expectSetAside("lab2", client)
        for replica in 0..<3 {
            let outputs = try client.outputs(of: run).filter { $0.name == "replica-\(replica)" }
            let weights = try #require(outputs.last?.outputs.first { $0.role == "replica" })
            #expect(try client.download(weights) == ChainRecipe.result(seed: 11, replica: replica))
        }
    }

    @Test func aBrokenMachineIsFoundAmongVolumesAndTheAnswersHaveTheRightBytes() throws {
        let folder = try TestFolder(), server = try RunningServer(folder: folder.file("state"))
        defer { server.stop() }
        let client = try server.client()
        let names = (0..<12).map { "volume-\($0)" }
        let run = try client.submit(Submission(
            plan: .segmenting, recipe: ChainRecipe.name, parameters: "{}", seed: 11, replicaCount: 1,
            checkpointSeconds: 60, inputs: [try client.upload(bytes: [1], role: "replica", name: "r")],
            itemManifest: try client.uploadManifest(try names.map {
                ItemSubmission(name: $0, inputs: [try client.upload(bytes: Array($0.utf8), role: "ct", name: $0)])
            }), idempotencyKey: "s", verifyShare: 1))
        let workers = start(["lab1:1", "lab2:1", "lab3:1"], broken: "lab1:1", server, folder)
        defer { workers.forEach { $0.requestDrain() } }
        #expect(try wait { try client.status(of: run).runs[0].state == "ended" })
        try expectSetAside("lab1", client)
        let outputs = try client.outputs(of: run)
        #expect(outputs.count == names.count)
        for output in outputs {
            var mask = BitMask(shape: VolumeShape(depth: 1, height: 1, width: output.name.utf8.count))
            for (x, byte) in output.name.utf8.enumerated() { mask[0, 0, x] = byte % 2 == 0 }
            #expect(try client.download(output.outputs[0]) == mask.bytes(), "\(output.name)")
        }
        // It may have been the cable: people decide.
        try client.readmit(machine: "lab1")
        #expect(try client.status().setAside == nil)
        #expect(throws: ClientError.self) { try client.readmit(machine: "lab1") }
    }
}
