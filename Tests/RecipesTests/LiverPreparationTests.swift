import Foundation
import Imaging
import Numerics
import Recipes
import SynthData
import Testing

/// Liver slices beside numpy and OpenCV; goldens by Goldens/make_liver_slices.py.
@Suite struct LiverPreparationTests {
    static var pool: ThreadPool { ThreadPool(threadCount: 2) }

    /// The patient of make_liver_slices.py.
    static let shape = VolumeShape(depth: 9, height: 64, width: 48)
    static let geometry = Geometry(affine: [0.8, 0, 0, -20, 0, 0.7, 0, -30, 0, 0, 2.5, 100])

    static func hashed(_ index: Int) -> UInt32 {
        var h = UInt32(truncatingIfNeeded: index) &* 2_654_435_761
        h ^= h >> 15
        h = h &* 2_246_822_519
        return h ^ (h >> 13)
    }

    static let patient: (ct: Volume<Float>, liver: Mask, tumour: Mask) = {
        var ct: [Float] = [], liver: [UInt8] = [], tumour: [UInt8] = []
        for z in 0..<shape.depth { for y in 0..<shape.height { for x in 0..<shape.width {
            var value = Int(hashed(ct.count) % 160) - 20 + 3 * z
            if (x + y) % 17 == 0 { value -= 400 }
            if x * y % 23 == 1 { value += 300 }
            ct.append(Float(value))
            let (u, v) = (2 * (y - 30), 3 * (x - 26)), (p, q) = (y - 34, x - 24)
            let inside = u * u + v * v < 3000 - 300 * (z - 4) * (z - 4)
            liver.append(inside ? 1 : 0)
            tumour.append(inside && p * p + q * q < 40 && z > 3 && z < 6 ? 1 : 0)
        } } }
        return (Volume(shape: shape, geometry: geometry, voxels: ct),
                Mask(shape: shape, geometry: geometry, voxels: liver),
                Mask(shape: shape, geometry: geometry, voxels: tumour))
    }()

    static func file(
        _ volume: Volume<Float>, _ orientation: String = "RAS", name: String? = nil
    ) throws -> LoadedImage {
        let stored = volume.reoriented(from: .canonical, to: Orientation(code: orientation)!)
        return try NIfTIFile.read(bytes: NIfTIFile.encode(stored), name: name ?? "\(orientation).nii.gz")
    }

    static func floats(_ mask: Mask) -> Volume<Float> { mask.with(mask.voxels.map { Float($0) }) }

    static func prepared(_ settings: LiverSliceSettings, _ orientation: String = "RAS") throws -> PreparedLiver {
        try LiverPreparation.run(
            ct: file(patient.ct, orientation), liver: file(floats(patient.liver), orientation),
            tumour: file(floats(patient.tumour), orientation), settings: settings, pool: pool)
    }

    struct Golden: Decodable {
        struct Case: Decodable {
            var size: Int
            var lift: Bool
            var rows: [[Int]]
            var nonzero: Int
            var sum: Int
            var tumour: Int
            var tumourBySlice: [Int]
            var back: Int
        }

        var slices: [Int]
        var cases: [Case]
    }

    static func golden() throws -> Golden {
        let file = Bundle.module.url(forResource: "liver_slices", withExtension: "json", subdirectory: "Goldens")
        return try JSONDecoder().decode(Golden.self, from: Data(contentsOf: #require(file)))
    }

    private static func weighted(_ values: [UInt8]) -> Int {
        values.indices.reduce(0) { $0 + Int(values[$1]) * ($1 % 8191 + 1) }
    }

    /// Slices 1 to 7 show liver. A table that is counted from the other end of the patient would teach tumours as
    /// healthy liver.
    @Test func slicesThatAreLeftOutAreThoseOfTheFile() throws {
        let settings = LiverSliceSettings(size: 32)
        for (orientation, kept) in [("RAS", [1, 3, 4, 5, 6, 7]), ("LPI", [1, 2, 3, 4, 5, 7])] {
            let liver = try Self.prepared(settings, orientation), left = try liver.leavingOut([2])
            #expect(left.sliceIndexes == kept, "\(orientation)")
            #expect(left.slice(1).pixels == liver.slice(orientation == "RAS" ? 2 : 1).pixels)
        }
        // Slices that the file does not have, none that is left, and a file without axial slices.
        let liver = try Self.prepared(settings)
        #expect(throws: RecipeError.self) { try liver.leavingOut([9]) }
        #expect(throws: RecipeError.self) { try liver.leavingOut(Set(0..<9)) }
        #expect(throws: RecipeError.self) { try Self.prepared(settings, "SAR").leavingOut([2]) }
    }

    /// Would notice another window, rounding, mask before or after the equalisation, equalising after the resize,
    /// another interpolation, and slices that are left out or in the wrong order.
    @Test func slicesAreWhatNumpyAndOpenCVMakeOfThem() throws {
        let golden = try Self.golden()
        #expect(golden.slices == Array(1...7))
        for expected in golden.cases {
            let settings = LiverSliceSettings(size: expected.size, liftsDarkValues: expected.lift)
            let liver = try Self.prepared(settings)
            #expect(liver.sliceIndexes == golden.slices)
            let slice = liver.slice(3).pixels.map { Int($0) }
            for (number, row) in expected.rows.enumerated() {
                let own = Array(slice[number * 8 * expected.size..<(number * 8 + 1) * expected.size])
                // OpenCV's weights are no exact halves at 80 pixels: one grey value.
                #expect(zip(own, row).allSatisfy { abs($0 - $1) <= (expected.size == 32 ? 0 : 1) }, "row \(number)")
            }
            let sum = liver.pixels.voxels.reduce(0) { $0 + Int($1) }
            #expect(abs(sum - expected.sum) <= (expected.size == 32 ? 0 : 50), "\(sum), OpenCV \(expected.sum)")
            #expect(liver.liverPixelsBySlice().reduce(0, +) == expected.nonzero)
            #expect(liver.tumourPixelsBySlice() == expected.tumourBySlice)
            #expect(Self.weighted(try #require(liver.tumour).voxels) == expected.tumour)
        }
    }

    /// Would notice an answer that is shifted, turned, left on the slices' grid, or that reaches out of the liver.
    @Test func answersGoBackToTheFilesGridAsOpenCVsNearest() throws {
        for expected in try Self.golden().cases {
            let liver = try Self.prepared(LiverSliceSettings(size: expected.size))
            let count = expected.size * expected.size
            var voxels: [UInt8] = []
            for z in liver.sliceIndexes {
                for index in 0..<count { voxels.append(Self.hashed(index + z) % 3 == 0 ? 1 : 0) }
            }
            let answer = liver.back(liver.pixels.with(voxels), pool: Self.pool)
            #expect(answer.shape == Self.shape && answer.geometry == liver.source.geometry)
            let plane = Self.shape.sliceVoxelCount
            var inSlices: [UInt8] = []
            for z in liver.sliceIndexes { inSlices += answer.voxels[z * plane..<(z + 1) * plane] }
            #expect(answer.voxels.count { $0 > 0 } == inSlices.count { $0 > 0 })
            // A voxel in the middle between two pixels may take either.
            func isBetween(_ place: Int, _ count: Int) -> Bool { (2 * place + 1) * expected.size % (2 * count) == 0 }
            for index in inSlices.indices {
                let (y, x) = (index / Self.shape.width % Self.shape.height, index % Self.shape.width)
                if isBetween(y, Self.shape.height) || isBetween(x, Self.shape.width) { inSlices[index] = 0 }
            }
            #expect(Self.weighted(inSlices) == expected.back, "\(expected.size)")
        }
    }

    /// Would notice slices taken along another axis and a way back that is not the way there.
    @Test(arguments: ["LPS", "SAR", "IPL", "ASL"])
    func theSlicesAreThePatientsWhateverTheFilesOrder(orientation: String) throws {
        let settings = LiverSliceSettings(size: 32)
        let upright = try Self.prepared(settings), turned = try Self.prepared(settings, orientation)
        #expect(turned.pixels.voxels == upright.pixels.voxels && turned.sliceIndexes == upright.sliceIndexes)
        #expect(turned.tumour?.voxels == upright.tumour?.voxels)
        let truth = try #require(turned.tumour), back = turned.back(truth, pool: Self.pool)
        let file = try Self.file(Self.patient.ct, orientation)
        #expect(back.shape == file.volume.shape && back.geometry == file.source.geometry)
        let expected = upright.back(truth, pool: Self.pool).reoriented(from: .canonical, to: file.source.orientation)
        #expect(back.voxels == expected.voxels && back.voxels.contains(1))
    }

    /// Where a pixel is a voxel, nothing is lost on the way there and back.
    @Test func thereAndBackIsTheSameMaskWhereThePlaneHasAsManyVoxels() throws {
        let phantom = AbdomenPhantom.make(
            .init(seed: 4, index: 2, spacing: Spacing(zMM: 8, yMM: 6, xMM: 6), diseased: true, severity: 0.8))
        let liver = try LiverPreparation.run(
            ct: Self.file(phantom.ct, "LPS"), liver: Self.file(Self.floats(phantom.liver), "LPS"),
            tumour: Self.file(Self.floats(phantom.tumour), "LPS"), settings: LiverSliceSettings(size: 64),
            pool: Self.pool)
        let back = liver.back(try #require(liver.tumour), pool: Self.pool)
        let upright = back.reoriented(from: liver.source.orientation, to: .canonical)
        #expect(upright.voxels == phantom.tumour.voxels && upright.voxels.contains(1))
        #expect(liver.warnings.isEmpty, "\(liver.warnings)")
    }

    /// LiTS: one file, 1 liver, 2 tumour; and a file of everything, of which one label is the liver.
    @Test func labelsOfOneFileAreLiverAndTumour() throws {
        let labels = Self.patient.liver.with(
            zip(Self.patient.liver.voxels, Self.patient.tumour.voxels).map { Float($0 + $1) })
        let both = try Self.file(labels), settings = LiverSliceSettings(size: 32)
        let liver = try LiverPreparation.run(
            ct: Self.file(Self.patient.ct), liver: both, tumour: both, liverLabels: [1, 2], tumourLabels: [2],
            settings: settings, pool: Self.pool)
        let expected = try Self.prepared(settings)
        #expect(liver.pixels.voxels == expected.pixels.voxels && liver.tumour?.voxels == expected.tumour?.voxels)
        // Without the tumours the liver has a hole, and that is said.
        let holed = try LiverPreparation.run(
            ct: Self.file(Self.patient.ct), liver: both, tumour: both, liverLabels: [1], tumourLabels: [2],
            settings: settings, pool: Self.pool)
        #expect(holed.pixels.voxels != expected.pixels.voxels)
        #expect(holed.warnings.contains { $0.contains("outside of the liver mask") }, "\(holed.warnings)")
    }

    /// Would notice a half that is rounded down, NaN that traps, and values beyond the window.
    @Test func hounsfieldUnitsBecomeGreyValues() {
        let expected: [(Float, UInt8)] = [
            (-200, 0), (-2000, 0), (250, 255), (3000, 255), (25, 128), (-185, 9), (-199, 1), (.nan, 0),
            (.infinity, 255), (-.infinity, 0),
        ]
        for (hounsfield, grey) in expected { #expect(LiverPreparation.grey(hounsfield) == grey, "\(hounsfield)") }
    }

    @Test func whatIsNoLiverInHounsfieldUnitsIsRefusedOrWarnedOfByName() throws {
        func message(_ body: () throws -> PreparedLiver) -> String {
            do {
                return try body().warnings.joined()
            } catch RecipeError.inputRefused(let text) {
                return "refused: " + text
            } catch { return "\(error)" }
        }
        func run(_ change: (inout Volume<Float>, inout Volume<Float>) -> Void, size: Int = 32) -> String {
            message {
                var ct = Self.patient.ct, liver = Self.floats(Self.patient.liver)
                change(&ct, &liver)
                return try LiverPreparation.run(
                    ct: Self.file(ct, name: "scan.nii.gz"), liver: Self.file(liver, name: "organ.nii.gz"),
                    settings: LiverSliceSettings(size: size), pool: Self.pool)
            }
        }
        let empty = run { _, liver in for index in liver.voxels.indices { liver.voxels[index] = 0 } }
        #expect(empty.hasPrefix("refused: organ.nii.gz") && empty.contains("empty"), "\(empty)")
        let air = run { ct, _ in for index in ct.voxels.indices { ct.voxels[index] = -1000 } }
        #expect(air.hasPrefix("refused: scan.nii.gz") && air.contains("-200 HU"), "\(air)")
        let offset = run { ct, _ in for index in ct.voxels.indices { ct.voxels[index] += 1024 } }
        #expect(offset.contains("median") && offset.contains("Hounsfield"), "\(offset)")
        #expect(run({ _, _ in }, size: 8).hasPrefix("refused: liver slices of 8 x 8"))
    }

    @Test func aCancelledPreparationStops() throws {
        #expect(throws: RecipeError.self) {
            try LiverPreparation.run(
                ct: Self.file(Self.patient.ct), liver: Self.file(Self.floats(Self.patient.liver)),
                settings: LiverSliceSettings(size: 32), pool: Self.pool, isCancelled: { true })
        }
    }
}
