import Coordinator
import Testing

/// One worker at a tenth of the speed of the others.
@Suite struct StragglerTests {
    private func makespan(_ request: RunRequest, seed: UInt64, slowBox: Int?) throws -> (Int64, backups: Int) {
        let simulation = try Simulation(Story(request: request, workerCount: 8, slowBox: slowBox), seed: seed)
        simulation.tell()
        // Among them: no work is done twice, no bytes are other bytes, at most two leases, and two only with a backup.
        #expect(simulation.promises.violations == [], "seed \(seed)")
        let ended = try #require(simulation.endedAt, "seed \(seed): it never ended")
        return (ended, simulation.coverage.workEvents["backup: granted"] ?? 0)
    }

    private func expectBarelySlower(_ request: RunRequest) throws {
        var backupCount = 0
        for seed in UInt64(0)..<10 {
            let (usual, needless) = try makespan(request, seed: seed, slowBox: nil)
            let (withSlow, backups) = try makespan(request, seed: seed, slowBox: Int(seed % 8))
            let ratio = Double(withSlow) / Double(usual)
            #expect(ratio <= 1.3, "seed \(seed): \(usual) ms, and \(withSlow) ms with a slow worker")
            #expect(needless <= 4, "seed \(seed): \(needless) backups where nobody is slow")
            backupCount += backups
        }
        #expect(backupCount >= 5)
    }

    @Test func aSlowWorkerHoldsUpNoArchive() throws {
        try expectBarelySlower(Story.segment(voters: 3, names: (0..<64).map { "volume-\($0)" }))
    }

    @Test func aSlowWorkersReplicaMovesToAFasterOne() throws {
        try expectBarelySlower(
            Story.train(seed: 3, replicaCount: 5, iterationCount: 500, checkpointSeconds: 20))
    }
}
