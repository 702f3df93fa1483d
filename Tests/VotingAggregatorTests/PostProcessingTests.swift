import Imaging
import Numerics
import Testing
import VotingAggregator

@Suite struct PostProcessingTests {
    struct Case {
        var healthy: Mask, lung: Mask, intensity: Volume<Float>
        /// Answers for boxes of 5 and 3, then of 9 and 7.
        var cores: [[UInt8]], grown: [[UInt8]]

        init() throws {
            var golden = try GoldenReader("post_processing.bin")
            let shape = VolumeShape(depth: golden.int(), height: golden.int(), width: golden.int())
            let levels = golden.array(shape.voxelCount, of: UInt16.self)
            let packed = golden.array(shape.voxelCount, of: UInt8.self)
            func bit(_ index: UInt8) -> [UInt8] { packed.map { $0 >> index & 1 } }
            lung = Mask(
                shape: shape, geometry: Geometry(spacing: Spacing(zMM: 2, yMM: 1.6, xMM: 1.6)), voxels: bit(1))
            healthy = lung.with(bit(0))
            intensity = lung.with(levels.map { Float($0) / 65535 })
            cores = [bit(2), bit(4)]
            grown = [bit(3), bit(5)]
            #expect(golden.isAtEnd)
        }
    }

    static let spacings = [Spacing(zMM: 2, yMM: 1.6, xMM: 1.6), Spacing(zMM: 1, yMM: 0.8, xMM: 0.8)]

    @Test(arguments: [1, 2, 5]) func theAnswerIsTheScipyReferencesForAnyNumberOfThreads(threads: Int) throws {
        let golden = try Case()
        let pool = ThreadPool(threadCount: threads)
        for (index, spacing) in Self.spacings.enumerated() {
            let answer = try PostProcessing.run(
                healthy: golden.healthy, intensity: golden.intensity, lung: golden.lung,
                settings: PostProcessingSettings(spacing: spacing), pool: pool)
            #expect(answer.core.voxels() == golden.cores[index])
            #expect(answer.grown.voxels() == golden.grown[index])
            let ofBits = try PostProcessing.run(
                healthy: BitMask(golden.healthy), intensity: golden.intensity, lung: BitMask(golden.lung),
                settings: PostProcessingSettings(spacing: spacing), pool: pool)
            #expect(ofBits.core == answer.core && ofBits.grown == answer.grown)
        }
    }

    @Test func boxesKeepTheirPhysicalSize() {
        func boxes(_ z: Double, _ y: Double, _ x: Double) -> [BoxSize] {
            let settings = PostProcessingSettings(spacing: Spacing(zMM: z, yMM: y, xMM: x))
            return [settings.brightBox, settings.fullBox]
        }
        func cube(_ size: Int) -> BoxSize { BoxSize(z: size, y: size, x: size) }
        #expect(boxes(1, 0.8, 0.8) == [cube(9), cube(7)])
        #expect(boxes(2, 1.6, 1.6) == [cube(5), cube(3)])
        #expect(boxes(8, 8, 8) == [cube(3), cube(3)])
        #expect(boxes(5, 0.8, 0.4) == [BoxSize(z: 3, y: 9, x: 19), BoxSize(z: 3, y: 7, x: 15)])
    }

    /// A bright seed at one end of a dim rod, on voxels of one size: without a limit the whole rod is the answer.
    /// - Returns: where the core and the answer end.
    private func reach(voxelMM: Double, growthLimitMM: Double?) throws -> [Int] {
        let shape = VolumeShape(depth: 9, height: 9, width: 80)
        let geometry = Geometry(spacing: Spacing(zMM: voxelMM, yMM: voxelMM, xMM: voxelMM))
        let lung = Mask(repeating: 1, shape: shape, geometry: geometry)
        var intensity = Volume<Float>(repeating: 0, shape: shape, geometry: geometry)
        for z in 0..<9 { for y in 0..<9 { for x in 0..<80 { intensity[z, y, x] = x < 9 ? 1 : 0.3 } } }
        // The boxes of 1 mm for every size, so that the rod is the same.
        var settings = PostProcessingSettings(spacing: Spacing(zMM: 1, yMM: 1, xMM: 1))
        settings.growthLimitMM = growthLimitMM
        let answer = try PostProcessing.run(
            healthy: lung.with(Array(repeating: 0, count: shape.voxelCount)), intensity: intensity, lung: lung,
            settings: settings)
        #expect(answer.grown.intersection(answer.core) == answer.core)
        return [answer.core, answer.grown].map { $0.boundingBox()!.x.upperBound }
    }

    @Test func growthStopsAtItsLimit() throws {
        let unlimited = try reach(voxelMM: 1, growthLimitMM: nil)
        #expect(unlimited[0] < 15 && unlimited[1] > 75)
        #expect(try reach(voxelMM: 1, growthLimitMM: 10) == [unlimited[0], unlimited[0] + 10])
    }

    /// A file may claim voxels of a thousandth of a millimetre, on which a limit of a metre is a million voxels.
    @Test func howFarGrowthMayGoCostsNothingHoweverSmallTheVoxels() throws {
        let unlimited = try reach(voxelMM: 1, growthLimitMM: nil)
        #expect(try reach(voxelMM: 0.001, growthLimitMM: 0.01) == [unlimited[0], unlimited[0] + 10])
        #expect(try reach(voxelMM: 0.001, growthLimitMM: 1000) == unlimited)
    }

    @Test func nothingIsFoundWithoutALungOrWhereAllIsHealthy() throws {
        let golden = try Case()
        let settings = PostProcessingSettings(spacing: Self.spacings[0])
        let none = golden.lung.with([UInt8](repeating: 0, count: golden.lung.voxels.count))
        for (healthy, lung) in [(golden.healthy, none), (golden.lung, golden.lung)] {
            let answer = try PostProcessing.run(
                healthy: healthy, intensity: golden.intensity, lung: lung, settings: settings)
            #expect(answer.core.voxelCount == 0 && answer.grown.voxelCount == 0)
        }
        #expect(throws: VotingError.self) {
            try PostProcessing.run(
                healthy: BitMask(shape: VolumeShape(depth: 1, height: 1, width: 1)), intensity: golden.intensity,
                lung: BitMask(golden.lung), settings: settings)
        }
    }
}
