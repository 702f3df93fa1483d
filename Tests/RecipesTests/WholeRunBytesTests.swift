import ModelCore
import Numerics
import Recipes
import Synchronization
import TestSupport
import Testing
import VotingAggregator

/// A run is a pure function of its description: not a byte depends on the processor or on the number of threads. Here
/// from the data set's files to the checkpoint and from a patient's CT to the votes, with everything in between.
@Suite struct WholeRunBytesTests {
    /// Every instruction set of this machine, and with one of them every number of threads.
    private static let machines: [(kernels: KernelVariant, threads: Int)] = {
        let sets = KernelVariant.allCases.filter {
            $0 != .naive && isHere($0.isAvailable, "the kernels \($0) on this processor")
        }
        return sets.map { ($0, 2) } + [1, 3, 4].map { (sets.last!, $0) }
    }()

    private func train(
        _ data: TrainingData, replica: Int, threads: Int
    ) throws -> (checkpoint: [UInt8], file: [UInt8]) {
        let session = try LungNormNet().makeTrainingSession(
            parameters: data.configuration.json(), seed: 11, replica: replica, inputs: data.inputs, resume: nil,
            resources: RecipeResources(pool: ThreadPool(threadCount: threads), cacheDirectory: data.folder))
        while session.iteration < session.iterationCount { _ = try session.step() }
        return (try session.checkpoint(), try session.weights())
    }

    @Test func aTrainingEndsWithTheSameCheckpointOnEveryInstructionSetAndThreadCount() throws {
        let data = try TrainingData(iterations: 10)
        let reference = try train(data, replica: 0, threads: 1)
        #expect(try train(data, replica: 1, threads: 1).checkpoint != reference.checkpoint)
        for (kernels, threads) in Self.machines {
            let own = try kernels.force { try train(data, replica: 0, threads: threads) }
            #expect(own.checkpoint == reference.checkpoint, "\(kernels), \(threads) threads")
            #expect(own.file == reference.file, "\(kernels), \(threads) threads")
        }
        // The comparison sees a difference where there is one: other kernels have other bytes.
        let direct = try KernelVariant.withoutWinograd { try train(data, replica: 0, threads: 2) }
        #expect(direct.checkpoint != reference.checkpoint)
    }

    @Test func aVolumeGetsTheSameVotesOnEveryInstructionSetAndThreadCount() throws {
        let data = try TrainingData(iterations: 6)
        let replicas = try (0..<3).map { try data.replica(try train(data, replica: $0, threads: 2).file, $0) }
        func votes(threads: Int) throws -> [[UInt8]] {
            try LungNormNet().predict(
                parameters: data.configuration.json(), inputs: data.patient + replicas,
                resources: RecipeResources(pool: ThreadPool(threadCount: threads), cacheDirectory: data.folder)
            ).outputs.map(\.bytes)
        }
        let reference = try votes(threads: 1)
        // A worker goes from volume to volume with one recipe and one pool, whose memory the second one finds used.
        let recipe = LungNormNet(), pool = ThreadPool(threadCount: 2)
        for _ in 0..<2 {
            let again = try recipe.predict(
                parameters: data.configuration.json(), inputs: data.patient + replicas,
                resources: RecipeResources(pool: pool, cacheDirectory: data.folder))
            #expect(again.outputs.map(\.bytes) == reference)
        }
        for bytes in reference {
            let mask = try BitMask(bytes: bytes)
            #expect((1..<mask.shape.voxelCount).contains(mask.voxelCount), "a vote that says nothing compares nothing")
        }
        for (kernels, threads) in Self.machines {
            #expect(try kernels.force { try votes(threads: threads) } == reference, "\(kernels), \(threads) threads")
        }
    }

    /// What a step leaves behind beside weights and optimiser would be in the next one: gradients say. A session that
    /// is made for one step alone has nothing of the kind.
    @Test func stepsOfOneSessionAreThoseOfAFreshSessionEach() throws {
        let data = try TrainingData(iterations: 4)
        func session(_ resume: String?) throws -> any TrainingSession {
            try LungNormNet().makeTrainingSession(
                parameters: data.configuration.json(), seed: 11, replica: 0, inputs: data.inputs, resume: resume,
                resources: RecipeResources(pool: ThreadPool(threadCount: 2), cacheDirectory: data.folder))
        }
        let whole = try session(nil)
        var before: String?
        for iteration in 1...4 {
            let fresh = try session(before), (one, other) = (try whole.step(), try fresh.step())
            #expect(one.iteration == iteration && one.loss == other.loss && one.dice == other.dice)
            let checkpoint = try fresh.checkpoint()
            #expect(try whole.checkpoint() == checkpoint, "after \(iteration) iterations")
            before = try data.replica(checkpoint, iteration).path
        }
    }

    /// A leaving worker has ten seconds, and a batch of the paper's setting may take longer.
    @Test func aStepThatIsInterruptedBetweenSamplesChangesNothingAndGoesOnLater() throws {
        let data = try TrainingData(iterations: 4), questions = Mutex(0)
        // Says yes at every third question: within a batch of two, and at the beginning of one.
        let resources = RecipeResources(
            pool: ThreadPool(threadCount: 2), cacheDirectory: data.folder,
            isCancelled: {
                questions.withLock {
                    $0 += 1
                    return $0 % 3 == 0
                }
            })
        let session = try LungNormNet().makeTrainingSession(
            parameters: data.configuration.json(), seed: 11, replica: 0, inputs: data.inputs, resume: nil,
            resources: resources)
        var interruptions = 0, atLastStep = try session.checkpoint()
        while session.iteration < session.iterationCount {
            do {
                _ = try session.step()
                atLastStep = try session.checkpoint()
            } catch RecipeError.interrupted {
                interruptions += 1
                #expect(try session.checkpoint() == atLastStep)
            }
        }
        #expect(interruptions >= 3)
        #expect(atLastStep == (try train(data, replica: 0, threads: 2).checkpoint))
    }

    @Test func aStepSaysHowLongItWaitedForItsSamples() throws {
        let data = try TrainingData(iterations: 2), ticks = Mutex(UInt64(0))
        // A clock that goes on by a second whenever it is read: twice for each of the two samples.
        let resources = RecipeResources(
            pool: ThreadPool(threadCount: 1), cacheDirectory: data.folder,
            nowNanoseconds: {
                ticks.withLock {
                    $0 += 1_000_000_000
                    return $0
                }
            })
        let session = try LungNormNet().makeTrainingSession(
            parameters: data.configuration.json(), seed: 11, replica: 0, inputs: data.inputs, resume: nil,
            resources: resources)
        #expect(try session.step().waitingSeconds == 2)
    }
}
