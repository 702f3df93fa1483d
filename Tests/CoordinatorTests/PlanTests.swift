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

/// A recipe that nobody knows but this file: two sessions in a row for each replica, ballots on each item that all
/// replicas read, the coordinator's vote on them, and one word about all votes.
private struct MadeUpRecipe: Recipe {
    static let name = "made-up"

    static let plan = Plan(name: "wander", steps: [
        Step(label: "warm", kind: .session, fan: .replica, inputs: [StepInput(.run, role: "seed")], iterationCount: 6),
        Step(
            label: "deepen", kind: .session, fan: .replica, inputs: [StepInput(.step(0), role: "replica")],
            iterationCount: 9),
        Step(
            label: "look", kind: .task, fan: .item,
            inputs: [StepInput(.item), StepInput(.step(1), role: "replica")], keep: .untilConsumed),
        Step(label: "agree", kind: .vote, fan: .item, inputs: [StepInput(.step(2), role: "votes")]),
        Step(label: "tell", kind: .task, fan: .once, inputs: [StepInput(.step(3))]),
    ])

    func proveArithmetic(pool: ThreadPool) -> [UInt8] { Array("made up".utf8) }

    static func start(_ bytes: [UInt8], _ seed: UInt64, _ replica: Int) -> UInt64 {
        bytes.reduce(seed &+ UInt64(replica)) { $0 &* 31 &+ UInt64($1) }
    }

    static func next(_ state: UInt64, _ label: String) -> UInt64 { state &* 33 &+ UInt64(label.utf8.count) }

    /// A bit for each byte of an item.
    static func ballot(_ item: [UInt8], _ weights: UInt64) -> BitMask {
        var mask = BitMask(shape: VolumeShape(depth: 1, height: 1, width: item.count))
        for (x, byte) in item.enumerated() { mask[0, 0, x] = (UInt64(byte) ^ weights) % 3 == 0 }
        return mask
    }

    func makeSession(
        _ step: RecipeStep, inputs: [RecipeInput], resume: String?, resources: RecipeResources
    ) throws -> any TrainingSession {
        let bytes = try inputs.flatMap { try FileSystem.read($0.path, byteCountMax: 1_000) }
        let session = MadeUpSession(
            label: step.label, iterationCount: step.label == "warm" ? 6 : 9,
            state: Self.start(bytes, step.seed, step.replica))
        if let resume { session.goOn(from: try FileSystem.read(resume, byteCountMax: 100)) }
        return session
    }

    func perform(_ step: RecipeStep, inputs: [RecipeInput], resources: RecipeResources) throws -> RecipeResult {
        func bytes(_ input: RecipeInput) throws -> [UInt8] { try FileSystem.read(input.path, byteCountMax: 100_000) }
        switch step.label {
        case "look":
            let item = try bytes(inputs[0])
            let outputs = try inputs.dropFirst().enumerated().map { number, input in
                let weights = UInt64(String(decoding: try bytes(input), as: UTF8.self))!
                return RecipeOutput(
                    role: "votes", name: "of-\(number)", bytes: Self.ballot(item, weights).bytes())
            }
            return RecipeResult(outputs: outputs, reportJSON: "{}")
        case "tell":
            let counts = try inputs.map { "\($0.name) \(try BitMask(bytes: try bytes($0)).voxelCount)" }
            return RecipeResult(
                outputs: [RecipeOutput(role: "word", name: "all", bytes: Array(counts.joined(separator: ", ").utf8))],
                reportJSON: "{\"items\":\(inputs.count)}")
        default: throw RecipeError.unknownStep(step.label)
        }
    }
}

private final class MadeUpSession: TrainingSession {
    private let label: String
    let iterationCount: Int
    private var state: UInt64
    private(set) var iteration = 0

    init(label: String, iterationCount: Int, state: UInt64) {
        (self.label, self.iterationCount, self.state) = (label, iterationCount, state)
    }

    func goOn(from checkpoint: [UInt8]) {
        let words = String(decoding: checkpoint, as: UTF8.self).split(separator: " ").map { UInt64($0)! }
        (iteration, state) = (Int(words[0]), words[1])
    }

    func step() throws -> TrainingStep {
        state = MadeUpRecipe.next(state, label)
        iteration += 1
        return TrainingStep(iteration: iteration, figures: [label + "th": Double(iteration)])
    }

    func checkpoint() throws -> [UInt8] { Array("\(iteration) \(state)".utf8) }
    func weights() throws -> [UInt8] { Array("\(state)".utf8) }
}

/// A coordinator and its workers carry out a plan that is in no source of theirs.
@Suite struct PlanTests {
    private static let items: [(name: String, bytes: [UInt8])] = [("anna", [3, 6, 7, 9]), ("bert", [12, 13])]

    /// What each replica ends with, computed here.
    private func deepened(_ replica: Int) -> UInt64 {
        let seed = Array("a seed".utf8)
        let warm = (0..<6).reduce(MadeUpRecipe.start(seed, 5, replica)) { state, _ in
            MadeUpRecipe.next(state, "warm")
        }
        return (0..<9).reduce(MadeUpRecipe.start(Array("\(warm)".utf8), 5, replica)) { state, _ in
            MadeUpRecipe.next(state, "deepen")
        }
    }

    private var expectedWord: String {
        Self.items.map { item in
            let ballots = (0..<3).map { MadeUpRecipe.ballot(item.bytes, deepened($0)) }
            let count = item.bytes.indices.count { x in ballots.count { $0[0, 0, x] } >= 2 }
            return "\(item.name) \(count)"
        }.joined(separator: ", ")
    }

    @Test func aPlanThatNobodyKnowsIsCarriedOut() throws {
        let folder = try TestFolder()
        let server = try RunningServer(folder: folder.file("state"))
        defer { server.stop() }
        let workers = ["a", "b"].map { name in
            WorkerDaemon(
                configuration: WorkerConfiguration(
                    host: "127.0.0.1", port: server.port, security: .plaintext, threadCount: 1,
                    cacheDirectory: folder.file("cache-\(name)"), name: name, build: "test", log: .none),
                recipes: [MadeUpRecipe.name: MadeUpRecipe()])
        }
        for worker in workers { Thread.detachNewThread { try? worker.run() } }
        defer { workers.forEach { $0.requestDrain() } }
        let client = try server.client()
        let run = try client.submit(Submission(
            plan: MadeUpRecipe.plan, recipe: MadeUpRecipe.name, parameters: "{}", seed: 5, replicaCount: 3,
            checkpointSeconds: 60, inputs: [
                try client.upload(bytes: Array("a seed".utf8), role: "seed", name: "seed"),
                try client.upload(bytes: [1, 2, 3], role: "other", name: "nobody reads it"),
            ],
            itemManifest: try client.uploadManifest(try Self.items.map {
                ItemSubmission(name: $0.name, inputs: [try client.upload(bytes: $0.bytes, role: "x", name: $0.name)])
            }), idempotencyKey: "wander"))
        #expect(try wait { try client.status(of: run).runs[0].state == "ended" })
        let status = try client.status(of: run).runs[0]
        #expect(status.kind == "wander" && status.fraction == 1 && status.refusedCount == 0)
        #expect(status.works.total == 3 + 3 + 2 * 2 + 1 && status.works.done == status.works.total)
        let outputs = try client.outputs(of: run)
        #expect(outputs.map { "\($0.step) \($0.name)" }.sorted() == [
            "deepen replica-0", "deepen replica-1", "deepen replica-2", "tell tell", "warm replica-0",
            "warm replica-1", "warm replica-2",
        ])
        for replica in 0..<3 {
            let output = try #require(outputs.first { $0.step == "deepen" && $0.name == "replica-\(replica)" })
            let weights = try #require(output.outputs.first { $0.role == "replica" })
            #expect(String(decoding: try client.download(weights), as: UTF8.self) == "\(deepened(replica))")
            let figures = try client.figures(of: run, step: "deepen", replica: replica)
            #expect(figures.map { $0.values["deepenth"] } == (1...9).map { Double($0) })
            #expect(try client.figures(of: run, step: "warm", replica: replica).count == 6)
        }
        let word = try #require(outputs.first { $0.step == "tell" })
        #expect(String(decoding: try client.download(word.outputs[0]), as: UTF8.self) == expectedWord)
    }

    /// Each item as soon as it is there; the run waits for more until it is told that none come.
    @Test func itemsComeWhileTheRunGoesOn() throws {
        let folder = try TestFolder(), port = try lastingPort()
        var server = try RunningServer(folder: folder.file("state"), port: port)
        let worker = WorkerDaemon(
            configuration: WorkerConfiguration(
                host: "127.0.0.1", port: port, security: .plaintext, threadCount: 1,
                cacheDirectory: folder.file("cache"), name: "w", build: "test", log: .none),
            recipes: [MadeUpRecipe.name: MadeUpRecipe()])
        Thread.detachNewThread { try? worker.run() }
        defer { worker.requestDrain() }
        let client = try server.client()
        func item(_ number: Int) throws -> ItemSubmission {
            let item = Self.items[number]
            return ItemSubmission(
                name: item.name, inputs: [try client.upload(bytes: item.bytes, role: "x", name: item.name)])
        }
        let run = try client.submit(Submission(
            plan: MadeUpRecipe.plan, recipe: MadeUpRecipe.name, parameters: "{}", seed: 5, replicaCount: 3,
            checkpointSeconds: 60, inputs: [try client.upload(bytes: Array("a seed".utf8), role: "seed", name: "s")],
            itemManifest: nil, idempotencyKey: "stream", isOpen: true))
        try client.append([try item(0)], to: run, first: 0)
        // All that there is is done, and the run goes on.
        #expect(try wait { try client.status(of: run).runs[0].works.done == 3 + 3 + 2 })
        #expect(try client.status(of: run).runs[0].state == "running")
        server.crash()
        server = try RunningServer(folder: folder.file("state"), port: port)
        defer { server.stop() }
        try client.append([try item(0)], to: run, first: 0)  // said again: nothing new
        #expect(throws: ClientError.self) { try client.append([try item(1)], to: run, first: 7) }
        #expect(throws: ClientError.self) { try client.append([try item(1)], to: run, first: 0) }
        try client.append([try item(0), try item(1)].suffix(1), to: run, first: 1)
        #expect(try client.status(of: run).runs[0].volumeCount == 2)
        try client.closeItems(of: run)
        #expect(throws: ClientError.self) { try client.append([try item(0)], to: run, first: 2) }
        #expect(try wait { try client.status(of: run).runs[0].state == "ended" })
        let word = try #require(try client.outputs(of: run).first { $0.step == "tell" })
        #expect(String(decoding: try client.download(word.outputs[0]), as: UTF8.self) == expectedWord)
    }

    /// With what a coordinator answers to plans that cannot be carried out.
    @Test func aPlanThatMakesNoSenseIsRefusedByName() throws {
        func step(
            _ label: String, _ kind: StepKind, _ fan: StepFan, _ inputs: [StepInput] = [], iterations: UInt32 = 0,
            affinity: Int? = nil
        ) -> Step {
            Step(label: label, kind: kind, fan: fan, inputs: inputs, affinity: affinity, iterationCount: iterations)
        }
        let ballots = step("ballots", .task, .item, [StepInput(.item)])
        let cases: [(String, [Step])] = [
            ("0 steps", []), ("same label", [ballots, ballots]),
            ("0 iterations", [step("s", .session, .replica)]),
            ("9 iterations", [step("t", .task, .once, iterations: 9)]),
            ("not done for each", [step("t", .task, .once, [StepInput(.item)])]),
            ("not before it", [step("t", .task, .item, [StepInput(.step(0))])]),
            ("not before it", [step("t", .task, .item, [StepInput(.step(7))])]),
            ("something else than a task's ballots", [step("v", .vote, .item, [StepInput(.item)])]),
            ("2 kinds", [ballots, step("v", .vote, .item, [StepInput(.step(0)), StepInput(.step(0))])]),
            ("done as often", [ballots, step("t", .task, .once, affinity: 0)]),
            // The store writes them with spaces between.
            ("'my ct'; a role is one word", [step("t", .task, .item, [StepInput(.item, role: "my ct")])]),
        ]
        for (words, steps) in cases {
            let problem = Plan(name: "p", steps: steps).problem
            #expect(problem?.contains(words) == true, "\(words): \(problem ?? "nothing")")
        }
        #expect(MadeUpRecipe.plan.problem == nil && Plan.training(5).problem == nil && Plan.segmenting.problem == nil)
    }
}
