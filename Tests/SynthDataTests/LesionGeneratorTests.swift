import Foundation
import Imaging
import Numerics
import SynthData
import Testing

@Suite struct LesionGeneratorTests {
    /// The slab of make_lesions.py: a hash of the index inside two elliptic cylinders.
    static func slab(_ shape: VolumeShape, unit: Double) -> (slab: [Float], lung: [UInt8]) {
        var slab = [Float](repeating: 0, count: shape.voxelCount), lung = [UInt8](repeating: 0, count: slab.count)
        for index in slab.indices {
            let x = Double(index % shape.width) * unit, y = Double(index / shape.width % shape.height) * unit
            func inside(_ centre: Double) -> Bool {
                let (u, v) = ((y - 256) / 150, (x - centre) / 85)
                return u * u + v * v < 1
            }
            guard inside(160) || inside(352) else { continue }
            var h = UInt32(index) &* 2_654_435_761
            h ^= h >> 15
            h = h &* 2_246_822_519
            h ^= h >> 13
            slab[index] = Float(Double(h >> 8) / 0x1p24 * 0.6)
            lung[index] = 1
        }
        return (slab, lung)
    }

    static let halfShape = VolumeShape(depth: 16, height: 256, width: 256)
    static let halfSpacing = Spacing(zMM: 2, yMM: 1.6, xMM: 1.6)
    static let half = slab(halfShape, unit: 2)

    static func make(
        _ change: (inout LesionSettings) -> Void = { _ in }, lambda: Float = 0.9, sample: Int = 0
    ) -> LesionSample {
        var settings = LesionSettings(spacing: halfSpacing)
        change(&settings)
        return LesionGenerator(settings: settings).makeSample(
            slab: half.slab, lung: half.lung, shape: halfShape, lambda: lambda,
            key: LesionKey(seed: 5, replica: 2, iteration: 40, sample: sample))
    }

    /// What make_lesions.py measures of a sample.
    static func measure(_ sample: LesionSample, lung: [UInt8], shape: VolumeShape) -> [String: Double] {
        let voxels = Double(lung.reduce(0) { $0 + Int($1) }), geometry = Geometry(spacing: halfSpacing)
        let inside = zip(sample.image, sample.lesion).filter { $0.1 == 1 }.map { Double($0.0) }
        let count = Double(inside.count), mean = inside.reduce(0, +) / count
        let variance = inside.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
        let mask = Volume(shape: shape, geometry: geometry, voxels: sample.lesion)
        return [
            "share": count / voxels, "mean": mean, "spread": variance.squareRoot(),
            "components": Double(ConnectedComponents.label(mask, neighbourhood: .faces).count),
            "bright": Double(inside.filter { $0 >= 0.33 }.count) / count,
            "target": Double(sample.target.reduce(0) { $0 + Int($1) }) / voxels,
        ]
    }

    struct Statistic: Decodable {
        var mean: Double
        var error: Double
    }

    /// Mean and standard error of every statistic over samples 0 ..< count.
    static func statistics(
        _ generator: LesionGenerator, _ slab: (slab: [Float], lung: [UInt8]), _ shape: VolumeShape, count: Int
    ) -> [String: Statistic] {
        let workspace = LesionWorkspace()
        var sample = LesionSample(), rows: [String: [Double]] = [:]
        for index in 0..<count {
            slab.slab.withUnsafeBufferPointer { h in
                slab.lung.withUnsafeBufferPointer { m in
                    generator.makeSample(slab: h, lung: m, shape: shape, lambda: 0.9,
                                         key: LesionKey(seed: 1, iteration: index), into: &sample,
                                         workspace: workspace)
                }
            }
            for (name, value) in measure(sample, lung: slab.lung, shape: shape) {
                rows[name, default: []].append(value)
            }
        }
        return rows.mapValues { values in
            let mean = values.reduce(0, +) / Double(count)
            let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count - 1)
            return Statistic(mean: mean, error: (variance / Double(count)).squareRoot())
        }
    }

    @Test func twoHundredSamplesHaveTheStatisticsOfScipysWithinSamplingError() throws {
        let file = Bundle.module.url(forResource: "lesions", withExtension: "json", subdirectory: "Goldens")
        let goldens = try JSONDecoder().decode([String: Statistic].self, from: Data(contentsOf: #require(file)))
        let generator = LesionGenerator(settings: LesionSettings(spacing: Self.halfSpacing))
        let ours = Self.statistics(generator, Self.half, Self.halfShape, count: 200)
        #expect(goldens.count == ours.count)
        for (name, golden) in goldens {
            let own = try #require(ours[name])
            let error = (golden.error * golden.error + own.error * own.error).squareRoot()
            #expect(abs(own.mean - golden.mean) < 3 * error, "\(name): \(own.mean), scipy \(golden.mean) +- \(error)")
        }
    }

    @Test func aSampleDependsOnItsKeyAloneNotOnWhatWasMadeBefore() {
        let generator = LesionGenerator(settings: LesionSettings(spacing: Self.halfSpacing))
        let workspace = LesionWorkspace(), pool = ThreadPool(threadCount: 3)
        func key(_ index: Int) -> LesionKey { LesionKey(seed: 5, replica: 2, iteration: 40, sample: index) }
        var sample = LesionSample()
        for index in [3, 1, 0, 2, 0] {
            Self.half.slab.withUnsafeBufferPointer { slab in
                Self.half.lung.withUnsafeBufferPointer { lung in
                    generator.makeSample(slab: slab, lung: lung, shape: Self.halfShape, lambda: 0.9, key: key(index),
                                         into: &sample, workspace: workspace, pool: index % 2 == 0 ? pool : nil)
                }
            }
            let fresh = Self.make(sample: index)
            #expect(sample.image == fresh.image && sample.target == fresh.target && sample.lesion == fresh.lesion)
        }
        #expect(Self.make(sample: 0).image != Self.make(sample: 1).image)
    }

    @Test func theTargetIsTheBrightVoxelsOfTheSlabOutsideTheLesions() {
        let sample = Self.make(), (slab, lung) = Self.half
        for index in slab.indices {
            let healthy = lung[index] == 1 && slab[index] >= 0.33 && sample.lesion[index] == 0
            guard sample.target[index] == (healthy ? 1 : 0) else {
                Issue.record("voxel \(index)")
                return
            }
        }
    }

    @Test func lesionsOnlyBrightenAndStayInTheLung() {
        let sample = Self.make(), (slab, lung) = Self.half
        #expect(sample.image.allSatisfy { $0 >= 0 && $0 <= 1 })
        #expect(zip(sample.image, lung).allSatisfy { $0.1 == 1 || $0.0 == 0 })
        #expect(zip(sample.lesion, lung).allSatisfy { $0.0 <= $0.1 })
        #expect(slab.indices.allSatisfy { sample.image[$0] >= slab[$0] })
        #expect(slab.indices.allSatisfy { sample.lesion[$0] == 1 || sample.image[$0] == slab[$0] })
        #expect(sample.lesion.contains(1))
    }

    @Test func lambdaSetsTheNumberOfLesions() {
        #expect(!Self.make(lambda: 0).lesion.contains(1))
        func lesionVoxels(_ lambda: Float) -> Int {
            (0..<8).map { Self.make(lambda: lambda, sample: $0).lesion.reduce(0) { $0 + Int($1) } }.reduce(0, +)
        }
        #expect(Double(lesionVoxels(0.3)) < 0.6 * Double(lesionVoxels(1)))
    }

    @Test func anEmptyLungGivesNoLesion() {
        let shape = VolumeShape(depth: 4, height: 8, width: 9)
        let sample = LesionGenerator(settings: LesionSettings(spacing: Self.halfSpacing)).makeSample(
            slab: Array(repeating: 0.5, count: 288), lung: Array(repeating: 0, count: 288), shape: shape, lambda: 1,
            key: LesionKey(seed: 1))
        #expect(!sample.lesion.contains(1) && !sample.target.contains(1) && sample.image.allSatisfy { $0 == 0 })
    }

    /// Without maps and salt noise a lesion is white noise of density 0.2, blurred by sigma 2, its mean above 0.2
    /// brought to 0.6. numpy and scipy make a mean of 0.548 of that (of a tenth of the density 0.222).
    @Test func withoutProbabilityMapsAFifthOfTheVoxelsIsSalt() {
        var settings = LesionSettings(spacing: Self.halfSpacing)
        (settings.shapes, settings.probabilityMaps, settings.saltNoise) = (false, false, false)
        let count = Self.halfShape.voxelCount
        let sample = LesionGenerator(settings: settings).makeSample(
            slab: [Float](repeating: 0, count: count), lung: [UInt8](repeating: 1, count: count),
            shape: Self.halfShape, lambda: 1, key: LesionKey(seed: 5))
        let inside = zip(sample.image, sample.lesion).filter { $0.1 == 1 }.map { Double($0.0) }
        let mean = inside.reduce(0, +) / Double(inside.count)
        #expect(inside.count > 1_000 && abs(mean - 0.548) < 0.03, "\(mean)")
    }

    @Test func theAblationsOfThePaperAreSwitches() {
        let plain = Self.make()
        let balls = Self.make { $0.shapes = false }
        let mask = Volume(shape: Self.halfShape, geometry: Geometry(spacing: Self.halfSpacing), voxels: balls.lesion)
        let components = ConnectedComponents.label(mask, neighbourhood: .faces)
        // Of this key five, and none touches another: a ball of radius 12 paper voxels is 13 voxels wide here, or cut.
        #expect(components.count == 5)
        #expect(components.boundingBoxes.allSatisfy { max($0.z.count, $0.y.count, $0.x.count) <= 13 })
        let flat = Self.make { $0.probabilityMaps = false }
        #expect(flat.lesion == plain.lesion && flat.image != plain.image)
        let calm = Self.make { $0.saltNoise = false }
        #expect(calm.lesion == plain.lesion && calm.image != plain.image)
        var settings = LesionSettings(spacing: Self.halfSpacing)
        settings.tau = 0.5
        #expect(Self.make { $0.tau = 0.5 }.target.reduce(0) { $0 + Int($1) } < plain.target.reduce(0) { $0 + Int($1) })
    }

    @Test func wholeVolumesGetLesionsInProportionToTheirLength() {
        let shape = VolumeShape(depth: 40, height: 128, width: 128), count = shape.voxelCount
        let geometry = Geometry(spacing: Self.halfSpacing)
        let volume = Volume<Float>(repeating: 0.1, shape: shape, geometry: geometry)
        let lung = Mask(repeating: 1, shape: shape, geometry: geometry)
        let generator = LesionGenerator(settings: LesionSettings(spacing: Self.halfSpacing))
        func voxels(_ factor: Float) -> Int {
            generator.insertLesions(volume, lung: lung, lambda: 0.7, countFactor: factor, key: LesionKey(seed: 9))
                .lesion.reduce(0) { $0 + Int($1) }
        }
        let (few, many) = (voxels(0.25), voxels(2))
        #expect(few > 0 && few < many && many < count)
    }

    /// The paper's grid against make_lesions.py full, with the time of a sample; where the environment asks for it.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["QUINTET_BENCH"] != nil))
    func fullSize() {
        let shape = VolumeShape(depth: 32, height: 512, width: 512), slab = Self.slab(shape, unit: 1)
        let generator = LesionGenerator(settings: LesionSettings(spacing: Spacing(zMM: 1, yMM: 0.8, xMM: 0.8)))
        let workspace = LesionWorkspace()
        var sample = LesionSample(), times: [Double] = []
        for index in 0..<30 {
            let start = ContinuousClock.now
            slab.slab.withUnsafeBufferPointer { h in
                slab.lung.withUnsafeBufferPointer { m in
                    generator.makeSample(slab: h, lung: m, shape: shape, lambda: 0.9,
                                         key: LesionKey(seed: 1, iteration: index), into: &sample,
                                         workspace: workspace)
                }
            }
            times.append(Double(start.duration(to: .now) / .milliseconds(1)))
        }
        print("ms a sample: median", times.sorted()[15], "mean", times.reduce(0, +) / 30, times.map { Int($0) })
        for (name, value) in Self.statistics(generator, slab, shape, count: 120) {
            print(name, value.mean, "+-", value.error)
        }
    }
}

@Suite struct RandomNumbersInBulkTests {
    @Test func filledAtOnceTheyAreTheSameAsOneByOne() {
        let key = RandomKey(seed: 0x0123_4567_89AB_CDEF, replica: 3, iteration: 77, sample: 5, purpose: .lesionTexture)
        for (skipped, count) in [(0, 1000), (1, 333), (2, 64), (3, 95), (4 * 0x1_0000_0000 - 100, 300)] {
            let stream = key.stream(9).skipping(skipped)
            var bulk = stream, single = stream
            let values = [Float](unsafeUninitializedCapacity: count) {
                bulk.fill(UnsafeMutableBufferPointer(rebasing: $0[0..<count]))
                $1 = count
            }
            #expect(values == (0..<count).map { _ in single.uniform() })
            #expect(bulk.uniform() == single.uniform())
        }
    }
}
