import Foundation
import Imaging
import Numerics
import Recipes
import SynthData
import TestSupport
import Testing
import VotingAggregator

@Suite struct PreparationTests {
    // One for each use: tests run side by side, and a pool has one caller at a time.
    static var pool: ThreadPool { ThreadPool(threadCount: 2) }
    static let preset: Preset = {
        var preset = Preset.demo
        preset.spacing = Spacing(zMM: 8, yMM: 7, xMM: 7)
        (preset.planeHeight, preset.planeWidth) = (24, 32)
        return preset
    }()
    static let phantom = ChestPhantom.make(
        .init(seed: 3, index: 1, spacing: Spacing(zMM: 8, yMM: 5, xMM: 5), diseased: true, severity: 0.8))

    /// A volume as a file of another orientation would hold it.
    static func loaded(_ volume: Volume<Float>, orientation: String) throws -> LoadedImage {
        let stored = volume.reoriented(from: .canonical, to: Orientation(code: orientation)!)
        return try NIfTIFile.read(bytes: NIfTIFile.encode(stored), name: "\(orientation).nii.gz")
    }

    static func floats(_ mask: Mask) -> Volume<Float> { mask.with(mask.voxels.map { Float($0) }) }

    /// A volume in RAS order as a file of another order holds it: voxels and affine written down from the letters, so
    /// that no word of the program about orientations is taken for the truth.
    private static func byHand<Value>(_ volume: Volume<Value>, _ code: String) -> Volume<Value> {
        let axes = code.map { letter in
            (axis: ["RL", "AP", "SI"].firstIndex { $0.contains(letter) }!, isBackwards: "LPI".contains(letter))
        }
        let from = volume.geometry.affine, sizes = [volume.shape.width, volume.shape.height, volume.shape.depth]
        let shape = VolumeShape(
            depth: sizes[axes[2].axis], height: sizes[axes[1].axis], width: sizes[axes[0].axis])
        var voxels: [Value] = []
        for k in 0..<shape.depth { for j in 0..<shape.height { for i in 0..<shape.width {
            var place = [0, 0, 0]
            for (index, (axis, isBackwards)) in zip([i, j, k], axes) {
                place[axis] = isBackwards ? sizes[axis] - 1 - index : index
            }
            voxels.append(volume[place[2], place[1], place[0]])
        } } }
        var affine = [0, 0, 0, from[3], 0, 0, 0, from[7], 0, 0, 0, from[11]]
        for (column, (axis, isBackwards)) in axes.enumerated() {
            let step = from[5 * axis]
            affine[4 * axis + column] = isBackwards ? -step : step
            if isBackwards { affine[4 * axis + 3] += step * Double(sizes[axis] - 1) }
        }
        return Volume(shape: shape, geometry: Geometry(affine: affine), voxels: voxels)
    }

    private static func file(_ volume: Volume<Float>, _ code: String) throws -> LoadedImage {
        try NIfTIFile.read(bytes: NIfTIFile.encode(byHand(volume, code)), name: "\(code).nii.gz")
    }

    @Test(arguments: ["RAS", "LPS", "SAR", "IPL"])
    func theAnswerLiesOnTheFilesOwnGridWhateverItsOrientation(orientation: String) throws {
        func prepared(_ code: String) throws -> PreparedVolume {
            try Preparation.run(
                ct: Self.file(Self.phantom.ct, code), lung: Self.file(Self.floats(Self.phantom.lung), code),
                preset: Self.preset, planeHeight: Self.preset.planeHeight, planeWidth: Self.preset.planeWidth,
                forTraining: false, pool: Self.pool)
        }
        let ct = try Self.file(Self.phantom.ct, orientation)
        let volume = try prepared(orientation), reference = try prepared("RAS")
        // The method sees the same patient.
        #expect(volume.intensity.voxels == reference.intensity.voxels && volume.lung.voxels == reference.lung.voxels)
        let answer = try ReferenceAnswers.none(volume, preset: Self.preset, pool: Self.pool)
        #expect(answer.grown.shape == ct.volume.shape)
        #expect(answer.grown.geometry == ct.source.geometry)
        let bytes = NIfTIFile.encode(answer.grown, like: ct.source)
        let written = try NIfTIFile.read(bytes: bytes, name: "answer.nii.gz")
        #expect(written.source.geometry == ct.source.geometry && written.source.orientation == ct.source.orientation)
        // And the file holds the same answer, in its own order.
        let expected = try ReferenceAnswers.none(reference, preset: Self.preset, pool: Self.pool).grown
        #expect(expected.voxels.contains(1) && expected.shape == Self.phantom.ct.shape)
        #expect(try written.mask().voxels == Self.byHand(expected, orientation).voxels)
    }

    /// Twice as fine as the grid that is computed on: a prepared voxel is the mean of two in each direction, its mask
    /// the second of them. The window has more rows than the grid and fewer columns.
    @Test(arguments: ["RAS", "LPS", "SAR", "IPL"])
    func whatIsPreparedIsWhatIsWrittenOfIt(orientation: String) throws {
        let shape = VolumeShape(depth: 6, height: 12, width: 20)
        let geometry = Geometry(spacing: Spacing(zMM: 4, yMM: 3.5, xMM: 3.5))
        var ct = Volume<Float>(repeating: 40, shape: shape, geometry: geometry)
        var lung = Volume<Float>(repeating: 0, shape: shape, geometry: geometry)
        for z in 1..<6 { for y in 2..<9 { for x in 3..<17 {
            // Some beyond -800 HU, and none that another place has as well.
            ct[z, y, x] = -950 + Float((151 * z + 37 * y + 11 * x) % 307)
            lung[z, y, x] = 1
        } } }
        let volume = try Preparation.run(
            ct: Self.file(ct, orientation), lung: Self.file(lung, orientation), preset: Self.preset, planeHeight: 12,
            planeWidth: 6, forTraining: false, pool: Self.pool)
        // The lung's box is [1, 4) by [1, 8) of 6 by 10: a window of 12 by 8 begins at -4 and 0.
        #expect(volume.lung.shape == VolumeShape(depth: 3, height: 12, width: 8))
        for z in 0..<3 { for row in 0..<12 { for x in 0..<8 {
            let y = row - 4, isLung = (1..<4).contains(y) && (1..<8).contains(x)
            var expected: Float = 0
            if isLung {
                var sum: Float = 0
                for index in 0..<8 { sum += ct[2 * z + index / 4, 2 * y + index / 2 % 2, 2 * x + index % 2] }
                expected = (min(max(sum / 8, -800), 100) + 800) / 900
            }
            #expect(volume.lung[z, row, x] == (isLung ? 1 : 0), "\(z) \(row) \(x)")
            #expect(abs(volume.intensity[z, row, x] - expected) < 1e-5, "\(z) \(row) \(x)")
        } } }
    }

    @Test func thePlaneGrowsUntilTheLungsFitSoThatNoVoxelGoesWithoutAnAnswer() throws {
        let volume = try Preparation.run(
            ct: Self.loaded(Self.phantom.ct, orientation: "LPS"),
            lung: Self.loaded(Self.floats(Self.phantom.lung), orientation: "LPS"), preset: Self.preset,
            planeHeight: 8, planeWidth: 8, forTraining: false, pool: Self.pool)
        #expect(volume.lung.shape.height > 8 && volume.lung.shape.height % Self.preset.strideProduct == 0)
        let wide = try Preparation.run(
            ct: Self.loaded(Self.phantom.ct, orientation: "LPS"),
            lung: Self.loaded(Self.floats(Self.phantom.lung), orientation: "LPS"), preset: Self.preset,
            planeHeight: 64, planeWidth: 64, forTraining: false, pool: Self.pool)
        #expect(volume.lungML == wide.lungML)
    }

    @Test func brightRimsAreTakenOutForTrainingAndNeverOutOfATestVolume() throws {
        // A lung mask that reaches into the chest wall: the wall is bright and lies on the rim.
        let wide = Morphology.dilated(
            Self.phantom.lung, by: StructuringElement(ballRadiusMM: 9, spacing: Spacing(zMM: 8, yMM: 5, xMM: 5)))
        func prepare(forTraining: Bool) throws -> PreparedVolume {
            try Preparation.run(
                ct: Self.loaded(Self.phantom.ct, orientation: "RAS"),
                lung: Self.loaded(Self.floats(wide), orientation: "RAS"), preset: Self.preset, planeHeight: 24,
                planeWidth: 32, forTraining: forTraining, pool: Self.pool)
        }
        let training = try prepare(forTraining: true), test = try prepare(forTraining: false)
        #expect(test.edgeVoxelsRemoved == 0)
        #expect(training.edgeVoxelsRemoved > 0)
        let removed = zip(test.lung.voxels, training.lung.voxels).filter { $0 == 1 && $1 == 0 }.count
        #expect(removed == training.edgeVoxelsRemoved)
        #expect(zip(training.lung.voxels, training.intensity.voxels).allSatisfy { $0 == 1 || $1 == 0 })
    }

    @Test func aMaskOnAnotherGridAndAnEmptyOneAreRefusedByName() throws {
        let ct = try Self.loaded(Self.phantom.ct, orientation: "RAS")
        let empty = try Self.loaded(
            Self.phantom.ct.with([Float](repeating: 0, count: Self.phantom.ct.shape.voxelCount)), orientation: "RAS")
        let other = try Self.loaded(
            Volume(repeating: 1, shape: VolumeShape(depth: 4, height: 4, width: 4), geometry: ct.volume.geometry),
            orientation: "LPS")
        for (mask, name) in [(empty, "RAS.nii.gz"), (other, "LPS.nii.gz")] {
            #expect {
                try Preparation.run(
                    ct: ct, lung: mask, preset: Self.preset, planeHeight: 24, planeWidth: 32, forTraining: false,
                    pool: Self.pool)
            } throws: { error in
                guard case RecipeError.inputRefused(let message) = error else { return false }
                return message.contains(name)
            }
        }
    }

    /// A hundred slices a metre apart, four voxels a metre wide: small files, and no volume to compute with.
    @Test(arguments: [
        (VolumeShape(depth: 100, height: 4, width: 4), Spacing(zMM: 1000, yMM: 1, xMM: 1)),
        (VolumeShape(depth: 340, height: 4, width: 4), Spacing(zMM: 100, yMM: 1, xMM: 1)),
        (VolumeShape(depth: 20, height: 4, width: 4), Spacing(zMM: 1000, yMM: 1, xMM: 1)),
        (VolumeShape(depth: 4, height: 4, width: 4), Spacing(zMM: 1, yMM: 1, xMM: 1000)),
        (VolumeShape(depth: 4, height: 4, width: 4), Spacing(zMM: 1, yMM: 1000, xMM: 1)),
    ]) func whatWouldBeTooLargeOnThePresetsGridIsRefusedByName(shape: VolumeShape, spacing: Spacing) throws {
        let ct = Volume<Float>(repeating: -850, shape: shape, geometry: Geometry(spacing: spacing))
        for isTraining in [false, true] {
            #expect {
                try Preparation.run(
                    ct: Self.loaded(ct, orientation: "LPS"),
                    lung: Self.loaded(ct.with([Float](repeating: 1, count: shape.voxelCount)), orientation: "LPS"),
                    preset: .paper, planeHeight: 512, planeWidth: 512, forTraining: isTraining, pool: Self.pool)
            } throws: { error in
                guard case RecipeError.inputRefused(let message) = error else { return false }
                return message.hasPrefix("LPS.nii.gz: ") && message.contains("crop it")
            }
        }
    }

    @Test func aDataSetsFilesHoldWhatWasPrepared() throws {
        let volume = try Preparation.run(
            ct: Self.loaded(Self.phantom.ct, orientation: "LPS"),
            lung: Self.loaded(Self.floats(Self.phantom.lung), orientation: "LPS"), preset: Self.preset,
            planeHeight: 24, planeWidth: 32, forTraining: true, pool: Self.pool)
        let (image, lung) = volume.encoded()
        let readImage = try NIfTIFile.read(bytes: image, name: "image"), readLung = try NIfTIFile.read(
            bytes: lung, name: "lung")
        #expect(try readLung.mask().voxels == volume.lung.voxels)
        #expect(largestDifference(readImage.volume.voxels, volume.intensity.voxels) < 1.0 / 60_000)
    }

    /// --tau is what the generator's target, the edges and the post-processing call bright.
    @Test func tauReachesEverythingThatAsksWhatIsBright() throws {
        var preset = Self.preset
        preset.tau = 0.5
        #expect(preset.lesionSettings.tau == 0.5 && preset.postProcessingSettings.brightIntensity == 0.5)
        // HU -400 is 0.44: bright by 0.33 and not by 0.5.
        let shape = VolumeShape(depth: 12, height: 26, width: 26), geometry = Geometry(spacing: preset.spacing)
        var ct = Volume<Float>(repeating: 40, shape: shape, geometry: geometry)
        var lung = Volume<Float>(repeating: 0, shape: shape, geometry: geometry)
        for z in 1..<11 { for y in 1..<25 { for x in 1..<25 { (ct[z, y, x], lung[z, y, x]) = (-850, 1) } } }
        for z in 4..<8 { for y in 8..<14 { for x in 8..<14 { ct[z, y, x] = -400 } } }
        var counts: [Int] = []
        for tau in [0.33, 0.5] {
            preset.tau = tau
            let volume = try Preparation.run(
                ct: Self.loaded(ct, orientation: "RAS"), lung: Self.loaded(lung, orientation: "RAS"), preset: preset,
                planeHeight: 24, planeWidth: 32, forTraining: false, pool: Self.pool)
            counts.append(try ReferenceAnswers.none(volume, preset: preset, pool: Self.pool)
                .withoutGrowing.voxels.count { $0 == 1 })
        }
        #expect(counts[0] > 100 && counts[1] == 0, "\(counts)")
    }

    /// Three bright pieces in a lung of 10x24x24 voxels, by hand: with one of two voxels on the rim it stays (not more
    /// than half), with two of three it goes, and one that no rim touches stays.
    @Test func aPieceOfWhichJustHalfLiesOnTheRimStays() throws {
        let shape = VolumeShape(depth: 12, height: 26, width: 26), geometry = Geometry(spacing: Self.preset.spacing)
        var ct = Volume<Float>(repeating: 40, shape: shape, geometry: geometry)
        var lung = Volume<Float>(repeating: 0, shape: shape, geometry: geometry)
        for z in 1..<11 { for y in 1..<25 { for x in 1..<25 { (ct[z, y, x], lung[z, y, x]) = (-850, 1) } } }
        for (z, y, x) in [(5, 1, 8), (5, 2, 8), (5, 1, 16), (5, 1, 17), (5, 2, 17), (5, 12, 12), (5, 12, 13)] {
            ct[z, y, x] = 0
        }
        let volume = try Preparation.run(
            ct: Self.loaded(ct, orientation: "RAS"), lung: Self.loaded(lung, orientation: "RAS"), preset: Self.preset,
            planeHeight: 24, planeWidth: 32, forTraining: true, pool: Self.pool)
        #expect(volume.edgeVoxelsRemoved == 3)
        let bright = volume.intensity.voxels.count { $0 > 0.33 }
        #expect(bright == 4 && volume.lung.voxels.count { $0 == 1 } == 10 * 24 * 24 - 3)
    }
}
