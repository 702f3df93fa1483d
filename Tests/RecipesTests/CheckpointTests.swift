import Numerics
import Recipes
import Testing

/// A replica goes on from its own checkpoint and from nobody else's.
@Suite struct CheckpointTests {
    private func session(
        _ data: TrainingData, seed: UInt64 = 11, replica: Int = 0, resume: RecipeInput? = nil
    ) throws -> any TrainingSession {
        try LungNormNet().makeTrainingSession(
            parameters: data.configuration.json(), seed: seed, replica: replica, inputs: data.inputs,
            resume: resume?.path,
            resources: RecipeResources(pool: ThreadPool(threadCount: 2), cacheDirectory: data.folder))
    }

    @Test func aCheckpointOfAnotherRunOrReplicaIsRefused() throws {
        let data = try TrainingData(iterations: 2)
        let checkpoint = try data.replica(session(data).checkpoint(), 0)
        _ = try session(data, resume: checkpoint)
        for (seed, replica) in [(12, 0), (11, 1)] as [(UInt64, Int)] {
            do {
                _ = try session(data, seed: seed, replica: replica, resume: checkpoint)
                Issue.record("replica \(replica) of seed \(seed) went on with another's checkpoint")
            } catch RecipeError.inputRefused(let message) {
                #expect(message.contains("another run or replica"), "\(message)")
            }
        }
    }
}
