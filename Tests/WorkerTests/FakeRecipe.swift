import Foundation
import Numerics
import Recipes

/// A recipe that computes something quickly checked: every training step mixes (seed, replica, iteration, input bytes)
/// into its state, on the pool. Its parameters are words: "iterations=50 stepMilliseconds=2 refuse". "gate=X" holds a
/// training in its last but one step, or in that after "gateAt=N" iterations, until the test opens the gate X: so that
/// it does not end while the test's own thread stands still.
struct FakeRecipe: Recipe {
    static var name: String { "fake" }

    func proveArithmetic(pool: ThreadPool) -> [UInt8] { Array("fake arithmetic".utf8) }

    func makeSession(
        _ step: RecipeStep, inputs: [RecipeInput], resume: String?, resources: RecipeResources
    ) throws -> any TrainingSession {
        try FakeSession(
            FakeParameters(step.parameters), seed: step.seed &+ UInt64(step.replica) &* 1_000_003 &+ fold(read(inputs)),
            resume: resume, resources: resources)
    }

    func perform(_ step: RecipeStep, inputs: [RecipeInput], resources: RecipeResources) throws -> RecipeResult {
        switch step.label {
        case "calibrate": return RecipeResult(outputs: [], reportJSON: "{\"threshold\":\(step.seed)}")
        case "predict": return try predict(FakeParameters(step.parameters), inputs: inputs, resources: resources)
        case "finish":
            let mask = RecipeOutput(role: "mask", name: inputs[0].name, bytes: try read(inputs))
            return RecipeResult(outputs: [mask], reportJSON: "{}")
        default: throw RecipeError.unknownStep(step.label)
        }
    }

    private func predict(_ parameters: FakeParameters, inputs: [RecipeInput], resources: RecipeResources) throws
        -> RecipeResult
    {
        if parameters.has("refuse") { throw RecipeError.inputRefused("\(inputs[0].name) has no lungs: give a mask") }
        if parameters.has("fail") { throw FakeError.broken }
        if parameters.has("confused") { throw RecipeError.interrupted }
        for step in 0..<parameters["iterations", 1] {
            try pause(parameters["stepMilliseconds", 0], resources)
            resources.reportProgress(Double(step + 1) / Double(parameters["iterations", 1]))
        }
        let bytes = try read(inputs)
        let votes = (0..<parameters["outputs", 2]).map { index in
            RecipeOutput(role: "votes", name: "votes-\(index)", bytes: bytes.map { $0 &+ UInt8(index & 255) })
        }
        return RecipeResult(outputs: votes, reportJSON: "{}")
    }

    private func read(_ inputs: [RecipeInput]) throws -> [UInt8] {
        try inputs.flatMap { Array(try Data(contentsOf: URL(fileURLWithPath: $0.path))) }
    }
}

enum FakeError: Error { case broken }

enum Gates {
    private static let opened = Guarded<Set<String>>([])

    static func open(_ name: String) { opened.withLock { _ = $0.insert(name) } }
    static func isOpen(_ name: String) -> Bool { opened.withLock { $0.contains(name) } }
}

struct FakeParameters {
    private let words: [Substring]

    init(_ text: String) { words = text.split(separator: " ") }

    func has(_ word: String) -> Bool { words.contains { $0 == word } }

    subscript(_ name: String, _ otherwise: Int) -> Int { self[name].flatMap { Int($0) } ?? otherwise }

    subscript(_ name: String) -> String? {
        words.first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
    }
}

func fold(_ bytes: some Sequence<UInt8>) -> UInt64 {
    bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
}

/// Sleeps, a millisecond at a time, as long as nobody interrupts.
private func pause(_ milliseconds: Int, _ resources: RecipeResources) throws {
    for _ in 0..<milliseconds {
        if resources.isCancelled() { throw RecipeError.interrupted }
        usleep(1_000)
    }
}

final class FakeSession: TrainingSession {
    private let parameters: FakeParameters
    private let seed: UInt64
    private let resources: RecipeResources
    private var state: [UInt8]
    private(set) var iteration: Int
    var iterationCount: Int { parameters["iterations", 10] }

    /// - Parameter resume: the file holds the iteration (8 bytes) and then the state.
    init(_ parameters: FakeParameters, seed: UInt64, resume: String?, resources: RecipeResources) throws {
        self.parameters = parameters
        self.seed = seed
        self.resources = resources
        try pause(parameters["prepareMilliseconds", 0], resources)
        if let resume {
            let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: resume)))
            iteration = Int(bytes.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) })
            state = Array(bytes.dropFirst(8))
        } else {
            iteration = 0
            state = Array(repeating: UInt8(truncatingIfNeeded: seed), count: parameters["stateBytes", 64])
        }
    }

    func step() throws -> TrainingStep {
        try pause(parameters["stepMilliseconds", 0], resources)
        if let gate = parameters["gate"], iteration == parameters["gateAt", iterationCount - 2] {
            while !Gates.isOpen(gate) { try pause(1, resources) }
        }
        let key = seed &+ UInt64(iteration)
        let taskCount = 4
        state.withUnsafeMutableBufferPointer { state in
            nonisolated(unsafe) let state = state
            resources.pool.run(taskCount: taskCount) { task in
                for index in stride(from: task, to: state.count, by: taskCount) {
                    state[index] = UInt8(truncatingIfNeeded: (UInt64(state[index]) &+ key) &* 0x9E37_79B1 >> 8)
                }
            }
        }
        iteration += 1
        return TrainingStep(
            iteration: iteration, figures: ["loss": 1 / Double(iteration), "dice": 0.5],
            waitingSeconds: Double(parameters["waitingMilliseconds", 0]) / 1000)
    }

    func checkpoint() throws -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: iteration >> (8 * $0)) } + state
    }

    func weights() throws -> [UInt8] { state }
}
