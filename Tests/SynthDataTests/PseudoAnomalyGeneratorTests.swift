import Foundation
import Imaging
import SynthData
import Testing

@Suite struct PseudoAnomalyGeneratorTests {
    /// The liver of make_anomalies.py.
    static let slice: [UInt8] = (0..<256 * 256).map { index in
        let (y, x) = (index / 256, index % 256)
        func inside(_ cy: Double, _ cx: Double, _ ry: Double, _ rx: Double) -> Bool {
            let (u, v) = ((Double(y) - cy) / ry, (Double(x) - cx) / rx)
            return u * u + v * v < 1
        }
        guard inside(120, 100, 62, 75), !inside(140, 120, 12, 9) else { return 0 }
        return UInt8(40 + (7 * x + 13 * y) % 200)
    }
    static let other: [UInt8] = slice.reversed().map { $0 > 0 ? 255 - $0 : 0 }

    static func make(
        _ iteration: Int = 0, slice: [UInt8] = slice, texture: [UInt8]? = nil,
        _ change: (inout PseudoAnomalySettings) -> Void = { _ in }
    ) -> PseudoAnomalySample {
        var settings = PseudoAnomalySettings(size: 256)
        change(&settings)
        return PseudoAnomalyGenerator(settings: settings).makeSample(
            slice: slice, texture: texture, key: LesionKey(seed: 7, replica: 1, iteration: iteration, sample: 3))
    }

    struct Statistic: Decodable {
        var mean: Double
        var error: Double
    }

    private static func measure(_ sample: PseudoAnomalySample) -> [String: Double] {
        var (count, change, brighter, liver) = (0.0, 0.0, 0.0, 0.0)
        for index in slice.indices {
            liver += slice[index] > 0 ? 1 : 0
            guard sample.mask[index] == 1 else { continue }
            count += 1
            change += abs(Double(sample.image[index]) - Double(slice[index]))
            brighter += sample.image[index] > slice[index] ? 1 : 0
        }
        let mask = Mask(shape: VolumeShape(depth: 1, height: 256, width: 256),
                        geometry: Geometry(spacing: Spacing(zMM: 1, yMM: 1, xMM: 1)), voxels: sample.mask)
        return [
            "share": count / liver, "components": Double(ConnectedComponents.label(mask, neighbourhood: .faces).count),
            "change": count > 0 ? change / count : 0, "brighter": brighter > 0 ? 1 : 0,
            "missed": sample.hasAnomaly ? 0 : 1,
        ]
    }

    /// Would notice another sigma, threshold, kernel, order of opening and closing, range of shifts, a byte image that
    /// is not rounded on its way, and Perlin noise of other scales.
    @Test(arguments: ["gaussian", "uniform-integers", "draem"])
    func samplesHaveTheStatisticsOfNumpysAndOpenCVsWithinSamplingError(kind: String) throws {
        let file = Bundle.module.url(forResource: "anomalies", withExtension: "json", subdirectory: "Goldens")
        let goldens = try JSONDecoder().decode(
            [String: [String: Statistic]].self, from: Data(contentsOf: #require(file)))
        var settings = kind == "draem" ? PseudoAnomalySettings.draem() : PseudoAnomalySettings()
        settings.cleanShare = 0
        settings.noise = PseudoAnomalySettings.Noise(rawValue: kind) ?? .gaussian
        var rows: [String: [Double]] = [:], sample = PseudoAnomalySample()
        let generator = PseudoAnomalyGenerator(settings: settings), workspace = PseudoAnomalyWorkspace(), count = 300
        settings.drawCountMax = 1
        let once = PseudoAnomalyGenerator(settings: settings)
        Self.slice.withUnsafeBufferPointer { slice in
            for index in 0..<count {
                let key = LesionKey(seed: 2, iteration: index)
                generator.makeSample(slice: slice, key: key, into: &sample, workspace: workspace)
                for (name, value) in Self.measure(sample) { rows[name, default: []].append(value) }
                once.makeSample(slice: slice, key: key, into: &sample, workspace: workspace)
                rows["missed"]![index] = sample.hasAnomaly ? 0 : 1
            }
        }
        for (name, golden) in try #require(goldens[kind]) {
            let values = try #require(rows[name]), mean = values.reduce(0, +) / Double(count)
            let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count - 1)
            let error = (golden.error * golden.error + variance / Double(count)).squareRoot()
            #expect(abs(mean - golden.mean) < 3.5 * error, "\(name): \(mean), numpy \(golden.mean) +- \(error)")
        }
    }

    /// Would notice state that is kept between samples, and a slot of memory that two steps share.
    @Test func aSampleDependsOnItsKeyAloneNotOnWhatWasMadeBefore() {
        let generator = PseudoAnomalyGenerator(settings: PseudoAnomalySettings()), workspace = PseudoAnomalyWorkspace()
        var sample = PseudoAnomalySample()
        for iteration in [3, 0, 1, 0] {
            Self.slice.withUnsafeBufferPointer {
                generator.makeSample(slice: $0, key: LesionKey(seed: 7, replica: 1, iteration: iteration, sample: 3),
                                     into: &sample, workspace: workspace)
            }
            #expect(sample == Self.make(iteration))
        }
        #expect(Self.make(0) != Self.make(1))
    }

    /// Would notice a shift drawn for each pixel, one below 60 or above 100, rounding, and a mask beyond the liver.
    @Test func insideTheMaskOneShiftIsAddedAndCutToBytesOutsideNothingChanges() {
        var signs: Set<Bool> = []
        for iteration in 0..<24 {
            let sample = Self.make(iteration)
            #expect(sample.hasAnomaly && sample.mask.contains(1))
            // The shift is bounded by every pixel that was not cut off at 0 or 255.
            var low = -300.0, high = 300.0, strays = 0
            for index in Self.slice.indices {
                let (before, after) = (Double(Self.slice[index]), Double(sample.image[index]))
                strays += sample.mask[index] == 1 ? (before > 0 ? 0 : 1) : (before == after ? 0 : 1)
                guard sample.mask[index] == 1 else { continue }
                if after > 0 && after < 255 {
                    low = max(low, after - before)
                    high = min(high, after - before + 1)
                }
            }
            #expect(strays == 0, "\(strays) pixels changed outside of the mask, or masked outside of the liver")
            #expect(low < high, "no one shift explains all pixels: \(low) to \(high)")
            #expect(min(abs(low), abs(high)) >= 59 && max(abs(low), abs(high)) <= 101, "\(low) to \(high)")
            signs.insert(low > 0)
        }
        #expect(signs.count == 2)
    }

    /// Would notice a cutout that is only mostly darker, and one that moves other numbers.
    @Test func theCutoutIsTheSameMaskAndNeverBrighter() {
        for iteration in 0..<12 {
            let sample = Self.make(iteration) { $0.isAlwaysDarker = true }
            #expect(sample.mask == Self.make(iteration).mask)
            #expect(zip(sample.image, Self.slice).allSatisfy { $0 <= $1 } && sample.image != Self.slice)
        }
    }

    /// Would notice a texture that is not the mask's own noise: it is brightest where the mask began.
    @Test func theTextureIsTheNoiseScaledToTheLiversMeanInHalfOfTheSamples() {
        let liver = Self.slice.filter { $0 > 0 }.map { Double($0) }, mean = liver.reduce(0, +) / Double(liver.count)
        var textured = 0
        for iteration in 0..<40 {
            let sample = Self.make(iteration) { $0.filling = .shiftOrTexture }
            guard sample.image != Self.make(iteration).image else { continue }
            textured += 1
            // Above a threshold of 200 of 255 before opening and closing, which move a border by a few pixels.
            let values = Self.slice.indices.filter { sample.mask[$0] == 1 }.map { Double(sample.image[$0]) }
            #expect(values.allSatisfy { $0 <= mean && $0 > mean * 150 / 255 }, "\(values.min() ?? 0) of \(mean)")
            #expect(values.filter { $0 >= (mean * 200 / 255).rounded(.down) }.count > values.count * 9 / 10)
        }
        #expect(textured > 10 && textured < 30, "\(textured) of 40")
    }

    @Test func theConstantFillingIsOneGreyValue() {
        var greys: Set<UInt8> = []
        for iteration in 0..<8 {
            let sample = Self.make(iteration) { $0.filling = .constant }
            let values = Set(Self.slice.indices.filter { sample.mask[$0] == 1 }.map { sample.image[$0] })
            #expect(values.count == 1)
            greys.formUnion(values)
        }
        #expect(greys.count > 5)
    }

    /// Would notice masks that replace each other, and a second one drawn from the first one's numbers.
    @Test func joinedMasksHoldTheFirstAndMore() {
        var larger = 0
        for iteration in 0..<6 {
            let one = Self.make(iteration).mask, three = Self.make(iteration) { $0.maskCount = 3 }.mask
            #expect(zip(one, three).allSatisfy { $0 <= $1 })
            larger += one != three ? 1 : 0
        }
        #expect(larger == 6)
    }

    /// Would notice a loop without an end, and a sample that is called an anomaly without one.
    @Test func whereNoMaskTouchesTheLiverTheSampleSaysSo() {
        var speck = [UInt8](repeating: 0, count: 256 * 256)
        speck[0] = 200
        let none = Self.make(slice: speck) { $0.drawCountMax = 2 }
        #expect(!none.hasAnomaly && none.image == speck && none.mask.allSatisfy { $0 == 0 })
        let empty = Self.make(slice: [UInt8](repeating: 0, count: 256 * 256)) { $0.drawCountMax = 3 }
        #expect(!empty.hasAnomaly && empty.image.allSatisfy { $0 == 0 })
    }

    /// Would notice lengths that stay those of 256 pixels: the masked share of a liver hangs on its shape, not on its
    /// size.
    @Test func smallerSlicesHaveMasksOfTheSameShare() {
        func share(size: Int) -> Double {
            let step = 256 / size
            let small = (0..<size * size).map { Self.slice[$0 / size * step * 256 + $0 % size * step] }
            let generator = PseudoAnomalyGenerator(settings: PseudoAnomalySettings(size: size))
            var (masked, all) = (0, 0)
            for iteration in 0..<150 {
                let sample = generator.makeSample(slice: small, key: LesionKey(seed: 1, iteration: iteration))
                masked += sample.mask.reduce(0) { $0 + Int($1) }
                all += small.reduce(0) { $0 + ($1 > 0 ? 1 : 0) }
            }
            return Double(masked) / Double(all)
        }
        let whole = share(size: 256)
        for size in [64, 128] { #expect(abs(share(size: size) / whole - 1) < 0.35, "\(size)") }
    }

    /// Would notice a blend that leaves [slice, texture], a mask beyond the liver, and texture that is not the other
    /// slice's.
    @Test func draemBlendsTheOtherSlicesLiverOrNoiseAndLeavesHalfClean() {
        var (anomalies, outside) = (0, 0)
        for iteration in 0..<60 {
            let sample = Self.make(iteration, texture: Self.other) { $0 = .draem() }
            anomalies += sample.hasAnomaly ? 1 : 0
            for index in Self.slice.indices where sample.mask[index] == 1 {
                outside += Self.slice[index] == 0 ? 1 : 0
            }
            if !sample.hasAnomaly { #expect(sample.image == Self.slice) }
        }
        // Half are meant to be clean, and some masks miss the liver.
        #expect(anomalies > 12 && anomalies < 36 && outside == 0, "\(anomalies)")
        let flat = Self.other.map { $0 > 0 ? UInt8(90) : 0 }
        let blended = Self.make(texture: flat) { $0 = .draem(); $0.cleanShare = 0 }
        let noise = Self.make { $0 = .draem(); $0.cleanShare = 0 }
        #expect(blended.mask == noise.mask && blended.image != noise.image)
        // Between the slice and the texture (90, or 0 in the corners of its box), cut to whole numbers.
        #expect(Self.slice.indices.allSatisfy {
            blended.mask[$0] == 0 || blended.image[$0] <= max(Self.slice[$0], 90)
        })
    }

    /// Would notice a number that gets by, from a file or a command line.
    @Test func settingsOutOfRangeAreNamed() {
        let faults: [(inout PseudoAnomalySettings) -> Void] = [
            { $0.size = 8 }, { $0.blurSigma = .nan }, { $0.threshold = 255 }, { $0.ellipse = 0 }, { $0.maskCount = 0 },
            { $0.drawCountMax = 0 }, { $0.leastShift = 120 }, { $0.colourRange = 300 }, { $0.cleanShare = 1.5 },
        ]
        #expect(PseudoAnomalySettings().problem == nil && PseudoAnomalySettings.draem(size: 64).problem == nil)
        for fault in faults {
            var settings = PseudoAnomalySettings()
            fault(&settings)
            #expect(settings.problem != nil)
        }
    }
}
