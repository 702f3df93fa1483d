import Coordinator
import Testing

/// One of four machines computes something else than the others, every time in the same way, and everything that can
/// be checked is: it is found, nobody else is blamed, and the run ends with the right bytes.
@Suite struct LyingMachineTests {
    @Test(arguments: ["train", "segment"]) func aLyingMachineIsFoundAndItsWorkIsMadeAgain(_ plan: String) throws {
        var foundCount = 0
        for seed in UInt64(0)..<10 {
            var request = plan == "train"
                ? Story.train(seed: seed, replicaCount: 3, iterationCount: 40, checkpointSeconds: 8)
                : Story.segment(voters: 3, names: (0..<6).map { "volume-\($0)" })
            request.verifyShare = 1
            var story = Story(request: request, workerCount: 4, slowBox: nil)
            story.lyingBox = Int(seed % 4)
            let simulation = try Simulation(story, seed: seed)
            simulation.tell()
            // Among them: what is kept at the end has the bytes that an honest machine gives.
            #expect(simulation.promises.violations == [], "seed \(seed)")
            #expect(simulation.endedAt != nil, "seed \(seed) does not end")
            foundCount += simulation.promises.setAsideCount
        }
        // It may have had nothing to do once.
        #expect(foundCount >= 8, "found \(foundCount) times in 10")
    }

    /// Without checks nobody notices: the promises would.
    @Test func withoutChecksALyingMachineSpoilsTheRun() throws {
        var story = Story(
            request: Story.segment(voters: 3, names: (0..<6).map { "volume-\($0)" }), workerCount: 4, slowBox: nil)
        story.lyingBox = 1
        let simulation = try Simulation(story, seed: 1)
        simulation.tell()
        #expect(simulation.promises.violations.contains { $0.contains("holds other outputs") })
    }
}
