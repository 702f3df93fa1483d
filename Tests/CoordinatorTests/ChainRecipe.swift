import Foundation
import Imaging
import Numerics
import Platform
import Recipes
import VotingAggregator

/// Training that is a chain of hashes: a lost or doubled iteration changes the result. Its votes are bits of the CT.
/// With parameters that are not "{}" it waits in its last but one step for the gate of that name, so that a run does
/// not end while the test's own thread stands still.
struct ChainRecipe: Recipe {
    static let name = "chain"
    static let iterationCount = 200
    static let openGates = Guarded<Set<String>>([])

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

    func proveArithmetic(pool: ThreadPool) -> [UInt8] { Array("chain arithmetic".utf8) }

    func makeSession(
        _ step: RecipeStep, inputs: [RecipeInput], resume: String?, resources: RecipeResources
    ) throws -> any TrainingSession {
        try ChainSession(seed: step.seed, replica: step.replica, resume: resume) {
            while step.parameters != "{}", !Self.openGates.withLock({ $0.contains(step.parameters) }) {
                if resources.isCancelled() { throw RecipeError.interrupted }
                MonotonicClock.sleep(milliseconds: 1)
            }
        }
    }

    func perform(_ step: RecipeStep, inputs: [RecipeInput], resources: RecipeResources) throws -> RecipeResult {
        let replicaCount = inputs.count { $0.role == "replica" }
        switch step.label {
        case "calibrate": return RecipeResult(outputs: [], reportJSON: "{\"replicas\":\(replicaCount)}")
        case "predict":
            let ct = inputs.first { $0.role == "ct" }!
            let bytes = try FileSystem.read(ct.path, byteCountMax: 1000)
            guard !bytes.isEmpty else { throw RecipeError.inputRefused("\(ct.name) is empty") }
            return RecipeResult(
                outputs: (0..<replicaCount).map { voter in
                    var mask = BitMask(shape: VolumeShape(depth: 1, height: 1, width: bytes.count))
                    for (x, byte) in bytes.enumerated() { mask[0, 0, x] = Int(byte) % (voter + 2) == 0 }
                    return RecipeOutput(role: "votes", name: "votes-\(voter)", bytes: mask.bytes())
                }, reportJSON: "{}")
        case "finish":
            let voted = inputs.first { $0.role == "voted" }!
            let bytes = try FileSystem.read(voted.path, byteCountMax: 10_000)
            return RecipeResult(outputs: [RecipeOutput(role: "mask", name: "mask", bytes: bytes)], reportJSON: "{}")
        default: throw RecipeError.unknownStep(step.label)
        }
    }
}

private final class ChainSession: TrainingSession {
    let seed: UInt64
    let replica: Int
    let waitAtTheGate: () throws -> Void
    var state: UInt64 = 0
    var iteration = 0
    let iterationCount = ChainRecipe.iterationCount

    init(seed: UInt64, replica: Int, resume: String?, waitAtTheGate: @escaping () throws -> Void) throws {
        self.seed = seed
        self.replica = replica
        self.waitAtTheGate = waitAtTheGate
        guard let resume else { return }
        let text = String(decoding: try FileSystem.read(resume, byteCountMax: 100), as: UTF8.self)
        let parts = text.split(separator: " ").map { UInt64($0)! }
        (iteration, state) = (Int(parts[0]), parts[1])
    }

    func step() throws -> TrainingStep {
        Thread.sleep(forTimeInterval: 0.01)
        if iteration == iterationCount - 2 { try waitAtTheGate() }
        state = ChainRecipe.next(state, seed: seed, replica: replica, iteration: iteration)
        iteration += 1
        return TrainingStep(iteration: iteration, figures: ["loss": 1 / Double(iteration), "dice": 0.5])
    }

    func checkpoint() throws -> [UInt8] { Array("\(iteration) \(state)".utf8) }
    func weights() throws -> [UInt8] { Array("\(state)".utf8) }
}
