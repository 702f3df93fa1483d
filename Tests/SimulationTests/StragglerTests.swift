import Coordinator
import Testing

/// One of eight workers at a tenth of the speed of the others, and nothing else goes wrong. Times are simulated: the
/// same on every machine.
@Suite struct StragglerTests {
    private func makespan(
        _ request: RunRequest, seed: UInt64, slowBox: Int?, hangingBox: Int? = nil, fullBox: Int? = nil,
        hasBackups: Bool = true
    ) throws -> (milliseconds: Double, backupCount: Int) {
        var story = Story(request: request, workerCount: 8, slowBox: slowBox)
        story.hasBackups = hasBackups
        story.hangingBox = hangingBox
        story.fullBox = fullBox
        let simulation = try Simulation(story, seed: seed)
        simulation.tell()
        // Among them: no work is done twice, no bytes are other bytes, at most two leases, and two only with a backup.
        #expect(simulation.promises.violations == [], "seed \(seed)")
        return (Double(try #require(simulation.endedAt)), simulation.coverage.workEvents["backup: granted"] ?? 0)
    }

    private func expectBarelySlower(
        _ request: RunRequest, seedCount: UInt64 = 10, atMost ratioMax: Double
    ) throws {
        var ratios: [Double] = [], ratiosWithout: [Double] = []
        for seed in 0..<seedCount {
            let slowBox = Int(seed % 8)
            let usual = try makespan(request, seed: seed, slowBox: nil)
            let slow = try makespan(request, seed: seed, slowBox: slowBox)
            let without = try makespan(request, seed: seed, slowBox: slowBox, hasBackups: false)
            ratios.append(slow.milliseconds / usual.milliseconds)
            ratiosWithout.append(without.milliseconds / usual.milliseconds)
            #expect(usual.backupCount <= 4, "seed \(seed): backups where nobody is slow")
            #expect(without.backupCount == 0, "seed \(seed)")
        }
        print("with a slow worker \(request.plan.name) takes \(ratios.min()!) to \(ratios.max()!) times as long, "
            + "without backups \(ratiosWithout.min()!) to \(ratiosWithout.max()!)")
        #expect(ratios.max()! <= ratioMax)
        #expect(ratiosWithout.max()! > 1.3)
    }

    /// It has a replica, is alive and never makes a step: it has no pace to compare.
    @Test func aWorkerThatNeverBeginsHoldsUpNoTraining() throws {
        let request = Story.train(seed: 3, replicaCount: 5, iterationCount: 500, checkpointSeconds: 20)
        var ratios: [Double] = [], ratiosWithout: [Double] = []
        for seed in UInt64(0)..<8 {
            let box = Int(seed)
            let usual = try makespan(request, seed: seed, slowBox: nil).milliseconds
            ratios.append(try makespan(request, seed: seed, slowBox: nil, hangingBox: box).milliseconds / usual)
            ratiosWithout.append(
                try makespan(request, seed: seed, slowBox: nil, hangingBox: box, hasBackups: false).milliseconds
                    / usual)
        }
        print("with a worker that never begins train takes \(ratios.max()!) times as long, without backups "
            + "\(ratiosWithout.max()!)")
        #expect(ratios.max()! <= 1.2)
        #expect(ratiosWithout.max()! > 1.4)
    }

    /// It hands its replica back after half a minute and asks for nothing before there is room; the replica begins
    /// anew where a worker is idle.
    @Test func aWorkerWithAFullCacheHoldsUpNoTraining() throws {
        let request = Story.train(seed: 3, replicaCount: 5, iterationCount: 500, checkpointSeconds: 20)
        for seed in UInt64(0)..<8 {
            let usual = try makespan(request, seed: seed, slowBox: nil).milliseconds
            let full = try makespan(
                request, seed: seed, slowBox: nil, fullBox: Int(seed), hasBackups: false).milliseconds
            #expect(full - usual < 45_000, "seed \(seed): \(full) instead of \(usual) ms")
        }
    }

    @Test func aSlowWorkerHoldsUpNoArchive() throws {
        // A story of so many volumes takes seconds.
        try expectBarelySlower(
            Story.segment(voters: 3, names: (0..<64).map { "volume-\($0)" }), seedCount: 4, atMost: 1.2)
    }

    @Test func aSlowWorkersReplicaMovesToAFasterOne() throws {
        try expectBarelySlower(
            Story.train(seed: 3, replicaCount: 5, iterationCount: 500, checkpointSeconds: 20), atMost: 1.3)
    }
}
