import Coordinator
import Foundation
import Testing

@Suite struct SimulationTests {
    /// `QUINTET_SIMULATION_SEEDS=10000` for the long version.
    @Test func noFaultLosesAnythingOrCountsItTwice() throws {
        let text = ProcessInfo.processInfo.environment["QUINTET_SIMULATION_SEEDS"] ?? "100"
        var faultCounts: [String: Int] = [:]
        for seed in 0..<(UInt64(text) ?? 100) {
            var simulation = try SchedulerSimulation(seed: seed, workerCount: 1 + Int(seed % 5))
            try simulation.tell(faultySteps: 150)
            #expect(simulation.violations.isEmpty, "seed \(seed): \(simulation.violations.prefix(3))")
            faultCounts.merge(simulation.faultCounts, uniquingKeysWith: +)
        }
        // A story in which nothing went wrong proves nothing.
        #expect(faultCounts.count == 14, "\(faultCounts)")
        #expect(faultCounts.values.allSatisfy { $0 >= 10 }, "\(faultCounts)")
    }

    @Test func theSameSeedTellsTheSameStory() throws {
        func story(_ seed: UInt64) throws -> [String] {
            var simulation = try SchedulerSimulation(seed: seed, workerCount: 3)
            try simulation.tell(faultySteps: 100)
            let events = try simulation.store.events(of: nil, countMax: 100_000)
            return events.map { "\($0.wallMilliseconds) \($0.message)" }
        }
        let first = try story(5)
        #expect(first.count > 100)
        #expect(try story(5) == first)
        #expect(try story(6) != first)
    }
}
