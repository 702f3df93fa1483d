import Foundation
import Imaging
import Numerics
import TestSupport
import Testing

@Suite struct GaussianFilterTests {
    struct Goldens: Decodable {
        struct Case: Decodable {
            var sigma: [Double]
            var mode: String
            var truncate: Double
            var spread: Double
            var values: [Float]
        }
        var shape: [Int]
        var places: [Int]
        var cases: [Case]
    }

    /// The field of make_gaussian.py.
    static func field(_ shape: VolumeShape) -> [Float] {
        var values = (0..<shape.voxelCount).map { index -> Float in
            var h = UInt32(index) &* 2_654_435_761
            h ^= h >> 15
            h = h &* 2_246_822_519
            h ^= h >> 13
            return Float(h >> 8) / 0x1p24
        }
        for z in 0..<20 { for y in 5..<15 { for x in 0..<12 { values[shape.index(z: z, y: y, x: x)] += 2 } } }
        return values
    }

    static func filter(
        _ values: [Float], _ shape: VolumeShape, _ sigma: [Double], _ boundary: FilterBoundary, truncate: Double = 4,
        threads: Int = 1
    ) -> [Float] {
        var values = values
        values.withUnsafeMutableBufferPointer {
            GaussianFilter.apply($0, shape: shape, sigmaVoxels: (z: sigma[0], y: sigma[1], x: sigma[2]),
                                 boundary: boundary, truncate: truncate,
                                 pool: threads > 1 ? ThreadPool(threadCount: threads) : nil)
        }
        return values
    }

    @Test func agreesWithScipyWithinAHundredthOfTheFieldsSpread() throws {
        let file = Bundle.module.url(forResource: "gaussian", withExtension: "json", subdirectory: "Goldens")
        let url = try #require(file)
        let goldens = try JSONDecoder().decode(Goldens.self, from: Data(contentsOf: url))
        let shape = VolumeShape(depth: goldens.shape[0], height: goldens.shape[1], width: goldens.shape[2])
        let field = Self.field(shape)
        #expect(goldens.cases.count == 10)
        for golden in goldens.cases {
            let ours = Self.filter(field, shape, golden.sigma, golden.mode == "reflect" ? .mirror : .zero,
                                   truncate: golden.truncate)
            let worst = largestDifference(goldens.places.map { ours[$0] }, golden.values)
            let allowed = golden.sigma.max()! < 3 ? 1e-5 : 0.01 * golden.spread + 1e-6
            #expect(worst <= allowed, "sigma \(golden.sigma) \(golden.mode): \(worst) of \(golden.spread)")
        }
    }

    @Test(arguments: [0.5, 1, 2, 2.99, 3, 4.5, 7, 12, 20])
    func anImpulseBecomesTheGaussianWithinAHundredthOfItsPeak(sigma: Double) {
        let radius = Int(4 * sigma) + 3, shape = VolumeShape(depth: 1, height: 1, width: 2 * radius + 1)
        for shift in 0..<4 {
            var field = [Float](repeating: 0, count: shape.voxelCount)
            field[radius + shift] = 1
            let ours = Self.filter(field, shape, [0, 0, sigma], .zero)
            let bells = (0..<shape.width).map { exp(-0.5 * pow(Double($0 - radius - shift) / sigma, 2)) }
            let total = (-8 * radius...8 * radius).map { exp(-0.5 * pow(Double($0) / sigma, 2)) }.reduce(0, +)
            let worst = largestDifference(ours, bells.map { $0 / total }) * total
            #expect(worst < 0.01, "\(worst) of the peak")
        }
    }

    @Test func theBytesDoNotDependOnTheNumberOfThreads() {
        let shape = VolumeShape(depth: 33, height: 47, width: 1061)
        let field = Self.field(shape)
        for sigma in [[0.7, 1.3, 2], [6, 2, 9]] {
            let one = Self.filter(field, shape, sigma, .mirror)
            for threads in [2, 3, 4] { #expect(Self.filter(field, shape, sigma, .mirror, threads: threads) == one) }
        }
    }

    @Test func aConstantFieldStaysConstantAtMirrors() {
        let shape = VolumeShape(depth: 5, height: 1, width: 40)
        let field = [Float](repeating: 3, count: shape.voxelCount)
        for sigma in [[0.6, 0.6, 0.6], [20, 20, 20], [0, 9, 1]] {
            #expect(Self.filter(field, shape, sigma, .mirror).allSatisfy { abs($0 - 3) < 1e-5 })
        }
    }

    /// Every length against every step: nothing beyond the buffers may be read, where there may be NaN.
    @Test func nothingBeyondTheFieldEntersTheResult() {
        let workspace = FilterWorkspace()
        for sigma in [3.0, 4.5, 6, 9.1] {
            for width in 1...40 {
                for slot in 0..<2 { workspace.buffer(slot, count: 4000).update(repeating: .nan) }
                var field = [Float](repeating: 1, count: width * 3)
                field.withUnsafeMutableBufferPointer {
                    GaussianFilter.apply($0, shape: VolumeShape(depth: 1, height: 3, width: width),
                                         sigmaVoxels: (z: 0, y: sigma, x: sigma), workspace: workspace)
                }
                #expect(field.allSatisfy { abs($0 - 1) < 1e-5 }, "\(width) voxels, sigma \(sigma)")
            }
        }
    }
}
