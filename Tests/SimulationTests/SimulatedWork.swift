import Coordinator
import Protocol
import TestSupport

/// What the simulated recipe computes: pure functions of bytes, so that a wrong input gives a wrong output.
enum SimulatedWork {
    static let recipe = "simulated"
    /// One step of any work, at full speed.
    static let stepMilliseconds: Int64 = 1_000

    /// A replica's state after so many iterations.
    static func state(seed: UInt64, replica: Int, iteration: UInt32) -> UInt64 {
        (0..<iteration).reduce(mixed(seed &+ UInt64(replica))) { stepped($0, iteration: $1 + 1) }
    }

    static func stepped(_ state: UInt64, iteration: UInt32) -> UInt64 { mixed(state ^ UInt64(iteration) << 20) }

    static func checkpoint(state: UInt64, iteration: UInt32) -> [UInt8] {
        bytes([UInt64(iteration), state], count: 1_500)
    }

    static func resume(_ checkpoint: [UInt8]) -> (state: UInt64, iteration: UInt32) {
        (word(checkpoint, 1), UInt32(truncatingIfNeeded: word(checkpoint, 0)))
    }

    static func weights(state: UInt64) -> [UInt8] { bytes([state, 77], count: 800) }

    /// Any output that is made of all its inputs.
    static func answer(_ label: String, part: Int, of inputs: [ContentDigest]) -> [UInt8] {
        let start = label.utf8.reduce(UInt64(part)) { $0 << 7 ^ UInt64($1) }
        return bytes([inputs.reduce(start) { mixed($0 ^ word($1.bytes, 0)) }], count: 300)
    }

    static func voted(_ votes: [ContentDigest]) -> [UInt8] { answer("vote", part: 99, of: votes) }

    private static func bytes(_ words: [UInt64], count: Int) -> [UInt8] {
        var bytes = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
        bytes += [UInt8](repeating: 7, count: count - bytes.count)
        return bytes
    }

    private static func word(_ bytes: [UInt8], _ index: Int) -> UInt64 {
        (0..<8).reduce(0) { $0 | UInt64(bytes[8 * index + $1]) << (8 * UInt64($1)) }
    }

    /// More than twice as long as others: whoever is idle gets a backup on it.
    static let hopelessStepCount = 70

    /// Steps of 1 s that a piece of work takes on a fast worker; training: its iterations.
    static func stepCount(_ description: WorkDescription, iterationCount: UInt32) -> Int {
        switch description.step {
        case "train": return Int(iterationCount)
        case "calibrate": return 6
        // Some volumes take longer than a lease.
        case "predict" where [Story.failingName, Story.deadlyName].contains(description.inputs.last!.name):
            return hopelessStepCount
        case "predict": return 5 + Int(word(description.inputs.last!.digest.bytes, 0) % 35)
        default: return 3
        }
    }

    /// The outputs of everything but training.
    static func outputs(_ description: WorkDescription, voterCount: Int) -> [(role: String, bytes: [UInt8])] {
        let digests = description.inputs.map(\.digest)
        switch description.step {
        case "predict": return (0..<voterCount).map { ("votes", answer("predict", part: $0, of: digests)) }
        case "calibrate": return []
        case "finish": return [("mask", answer("finish", part: 0, of: digests))]
        default: preconditionFailure("\(description.step) is no task")
        }
    }
}

extension RunRequest {
    var isTraining: Bool { plan.name == "train" }
    var iterationCount: UInt32 { plan.steps[0].iterationCount }
}

extension WorkRecord {
    /// Of the two plans that the stories have.
    var label: String {
        switch (kind, step) {
        case (.session, _): "train"
        case (.vote, _): "vote"
        case (.task, 0): "predict"
        case (.task, 1): "calibrate"
        default: "finish"
        }
    }
}
