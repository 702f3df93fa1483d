import Foundation
import Imaging
import Numerics
import Recipes
import Synchronization
import Testing
import VotingAggregator

/// A volume is prepared for its votes and needed again for its finish, with the votes on the next one in between.
@Suite struct PreparedCacheTests {
    private final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        func note(_ line: String) { lines.withLock { $0.append(line) } }
        var preparedCount: Int { lines.withLock { $0.count { $0.contains(": prepared in ") } } }
    }

    private let data: TrainingData
    private let replica: RecipeInput
    /// The same CT twice, as two patients.
    private let patients: [[RecipeInput]]
    private let pool = ThreadPool(threadCount: 2)

    init() throws {
        data = try TrainingData(iterations: 1)
        let session = try LungNormNet().makeTrainingSession(
            parameters: data.configuration.json(), seed: 3, replica: 0, inputs: data.inputs, resume: nil,
            resources: RecipeResources(pool: pool, cacheDirectory: data.folder))
        replica = try data.replica(try session.weights(), 0)
        var other = data.patient
        other[0].path = "\(data.folder)/other.nii.gz"
        try FileManager.default.copyItem(atPath: data.patient[0].path, toPath: other[0].path)
        patients = [data.patient, other]
    }

    private func resources(_ lines: Lines) -> RecipeResources {
        RecipeResources(pool: pool, cacheDirectory: data.folder, log: { lines.note($0) })
    }

    private func predict(_ recipe: LungNormNet, _ patient: Int, _ lines: Lines) throws -> [UInt8] {
        try recipe.predict(
            parameters: data.configuration.json(), inputs: patients[patient] + [replica], resources: resources(lines)
        ).outputs[0].bytes
    }

    private func finish(_ recipe: LungNormNet, _ patient: Int, _ votes: [UInt8], _ lines: Lines) throws -> [[UInt8]] {
        let path = "\(data.folder)/votes-\(UUID().uuidString)"
        try Data(votes).write(to: URL(fileURLWithPath: path))
        return try recipe.finish(
            parameters: data.configuration.json(),
            inputs: patients[patient] + [RecipeInput(role: "voted", name: "voted", path: path)],
            resources: resources(lines)
        ).outputs.map(\.bytes)
    }

    @Test(arguments: [512 << 20, 0]) func aVolumeIsPreparedOnceWhereThereIsRoomAndGivesTheSameBytes(
        byteCountMax: Int
    ) throws {
        let recipe = LungNormNet(preparedByteCountMax: byteCountMax), lines = Lines()
        let votes = try (0..<2).map { try predict(recipe, $0, lines) }
        #expect(votes[0] == votes[1])
        #expect(lines.preparedCount == 2)
        let answers = try (0..<2).map { try finish(recipe, $0, votes[$0], lines) }
        #expect(lines.preparedCount == (byteCountMax > 0 ? 2 : 4))
        let fresh = Lines()
        #expect(try finish(LungNormNet(), 0, votes[0], fresh) == answers[0])
        #expect(fresh.preparedCount == 1)
        #expect(answers[0] == answers[1])
        // Nobody finishes it again soon.
        _ = try finish(recipe, 0, votes[0], lines)
        #expect(lines.preparedCount == (byteCountMax > 0 ? 3 : 5))
    }

    private func prepareAhead(
        _ recipe: LungNormNet, _ patient: Int, memoryByteCount: UInt64 = 0, _ lines: Lines
    ) throws {
        let step = RecipeStep(label: "predict", parameters: data.configuration.json(), seed: 0, replica: 0)
        try recipe.prepareAhead(
            step, inputs: patients[patient], memoryByteCount: memoryByteCount,
            resources: RecipeResources(
                pool: ThreadPool(threadCount: 1), cacheDirectory: data.folder, log: { lines.note($0) }))
    }

    /// A preparation that is thrown away and made again, another CT's under its name, or two in too little memory.
    @Test func whatWasPreparedAheadIsUsedAndGivesTheSameVotes() throws {
        let recipe = LungNormNet(), lines = Lines(), plain = try predict(LungNormNet(), 0, Lines())
        try prepareAhead(recipe, 0, lines)
        #expect(lines.preparedCount == 1)
        #expect(try predict(recipe, 0, lines) == plain)
        #expect(lines.preparedCount == 1)
        // A volume is taken to need 128 MiB and more: two are not had in 200.
        try prepareAhead(recipe, 1, memoryByteCount: 200 << 20, lines)
        #expect(lines.preparedCount == 1)
        try prepareAhead(recipe, 1, memoryByteCount: 2 << 30, lines)
        #expect(lines.preparedCount == 2)
    }

    /// Whoever comes first makes it, the other one waits or leaves it alone.
    @Test func twoThreadsPrepareAVolumeOnce() throws {
        let plain = try predict(LungNormNet(), 0, Lines())
        for _ in 0..<5 {
            let recipe = LungNormNet(), lines = Lines(), ended = DispatchSemaphore(value: 0)
            // Nothing of it changes.
            nonisolated(unsafe) let bench = self
            Thread.detachNewThread {
                try? bench.prepareAhead(recipe, 0, lines)
                ended.signal()
            }
            #expect(try predict(recipe, 0, lines) == plain)
            ended.wait()
            #expect(lines.preparedCount == 1)
        }
    }

    @Test func whatIsPackedIsTheSameToTheBitInAFractionOfTheMemory() throws {
        let volume = try Preparation.run(
            ct: ImageFile.read(single: data.patient[0].path, name: "ill"),
            lung: ImageFile.read(single: data.patient[1].path, name: "lung"), preset: data.configuration.preset,
            planeHeight: data.configuration.planeHeight, planeWidth: data.configuration.planeWidth,
            forTraining: false, pool: pool)
        let packed = try #require(PackedVolume(volume, pool: pool)), again = packed.unpacked(pool: pool)
        #expect(again.intensity.voxels.map(\.bitPattern) == volume.intensity.voxels.map(\.bitPattern))
        #expect(again.lung.voxels == volume.lung.voxels)
        #expect(again.sourceLung.voxels == volume.sourceLung.voxels)
        #expect(again.sourceLung.geometry == volume.sourceLung.geometry)
        #expect(again.intensity.geometry == volume.intensity.geometry)
        #expect(again.source == volume.source)
        #expect(again.warnings == volume.warnings)
        let byteCount = 5 * volume.intensity.voxels.count + volume.sourceLung.voxels.count
        #expect(3 * packed.byteCount < byteCount)
        var strange = volume
        let outside = try #require(strange.lung.voxels.firstIndex(of: 0))
        strange.intensity.voxels[outside] = 0.5
        #expect(PackedVolume(strange, pool: pool) == nil)
    }
}
