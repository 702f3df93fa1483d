import Foundation
import Imaging
import Numerics
import Testing

@Suite struct LungSegmenterTests {
    private let pool = ThreadPool(threadCount: 2)

    @Test func aDrawnChestGivesItsLungsWithoutTracheaAndTable() throws {
        let chest = DrawnChest()
        let found = try LungSegmenter().segment(chest.volume, pool: pool)
        #expect(dice(found, chest.lung) > 0.98)
        let inTrachea = zip(found.voxels, chest.trachea.voxels).count { $0 & $1 != 0 }
        #expect(inTrachea * 10 < chest.trachea.voxels.count { $0 != 0 })
        let alone = try LungSegmenter().segment(chest.volume, pool: ThreadPool(threadCount: 1))
        #expect(alone.voxels == found.voxels)
        // The consolidation at the back, as dense as tissue, is lung: measured 87%, for it reaches the rim.
        let dense = zip(chest.lung.voxels, chest.volume.voxels).map { $0 == 1 && $1 > -300 }
        let taken = zip(found.voxels, dense).count { $0 == 1 && $1 }
        #expect(dense.count { $0 } > 500 && taken * 10 > 8 * dense.count { $0 }, "\(taken) of \(dense.count { $0 })")
    }

    /// Where the lungs nearly touch in front of the heart there are 8 mm of tissue between them: closing takes in gaps
    /// of 20 mm within a lung, and none between the two.
    @Test func theThinSheetBetweenTheLungsIsNoLung() throws {
        var stream = RandomKey(seed: 13, purpose: .phantomNoise).stream()
        let shape = VolumeShape(depth: 50, height: 80, width: 110)
        var chest = Volume<Float>(
            repeating: -1000, shape: shape, geometry: Geometry(spacing: Spacing(zMM: 3, yMM: 2, xMM: 2)))
        var lung = Mask(repeating: 0, shape: shape, geometry: chest.geometry), sheet = lung
        for z in 0..<50 { for y in 0..<80 { for x in 0..<110 {
            let isBody = (5..<75).contains(y) && (5..<105).contains(x)
            let isHigh = (6..<44).contains(z) && (15..<65).contains(y)
            if isHigh && ((12..<53).contains(x) || (57..<98).contains(x)) { lung[z, y, x] = 1 }
            if isHigh && (53..<57).contains(x) { sheet[z, y, x] = 1 }
            chest[z, y, x] = (lung[z, y, x] == 1 ? -850 : isBody ? 30 : -1000) + 20 * stream.normal()
        } } }
        let found = try LungSegmenter().segment(chest, pool: pool)
        #expect(dice(found, lung) > 0.97)
        let taken = zip(found.voxels, sheet.voxels).count { $0 & $1 != 0 }
        #expect(taken * 20 < sheet.voxels.count { $0 == 1 }, "\(taken)")
    }

    @Test func aVolumeCroppedToTheLungsGivesTheSame() throws {
        let chest = DrawnChest()
        let box = chest.lung.boundingBox()!
        let shape = VolumeShape(depth: box.z.count, height: box.y.count, width: box.x.count)
        func cut<Value>(_ volume: Volume<Value>) -> Volume<Value> {
            let voxels = box.z.flatMap { z in box.y.flatMap { y in box.x.map { x in volume[z, y, x] } } }
            return Volume(shape: shape, geometry: volume.geometry, voxels: voxels)
        }
        let found = try LungSegmenter().segment(cut(chest.volume), pool: pool)
        #expect(dice(found, cut(chest.lung)) > 0.98)
    }

    @Test func aVolumeWithoutLungIsRefusedWithARemedy() throws {
        var chest = DrawnChest()
        for index in chest.lung.voxels.indices where chest.lung.voxels[index] == 1 { chest.volume.voxels[index] = 40 }
        let error = #expect(throws: LungSegmentationError.self) {
            try LungSegmenter().segment(chest.volume, pool: pool)
        }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains("no lung found") && text.contains("--masks"))
        for value: Float in [-1000, 0, .nan] {
            let flat = chest.volume.with([Float](repeating: value, count: chest.volume.voxels.count))
            #expect(throws: LungSegmentationError.self) { try LungSegmenter().segment(flat, pool: pool) }
        }
    }

    /// Balls of millimetres are balls of thousands of voxels there.
    @Test func aVolumeTooSmallForALungIsRefusedAtOnce() {
        let shape = VolumeShape(depth: 90, height: 80, width: 70)
        let geometry = Geometry(spacing: Spacing(zMM: 0.001, yMM: 0.001, xMM: 0.001))
        let layers = (0..<shape.voxelCount).map { Float($0 / shape.sliceVoxelCount % 8 < 4 ? -850 : 40) }
        let began = ProcessInfo.processInfo.systemUptime
        let error = #expect(throws: LungSegmentationError.self) {
            try LungSegmenter().segment(Volume(shape: shape, geometry: geometry, voxels: layers), pool: pool)
        }
        #expect(error.map { "\($0)" }?.contains("voxel size") ?? false)
        #expect(ProcessInfo.processInfo.systemUptime - began < 20)
    }

    @Test func aGridFarFinerThanACTsTakesTheTimeOfItsVoxels() {
        let shape = VolumeShape(depth: 2000, height: 2000, width: 5)
        let geometry = Geometry(spacing: Spacing(zMM: 0.01, yMM: 0.01, xMM: 1000))
        let layers = (0..<shape.voxelCount).map { Float($0 / shape.sliceVoxelCount % 800 < 400 ? -850 : 40) }
        let began = ProcessInfo.processInfo.systemUptime
        _ = try? LungSegmenter().segment(Volume(shape: shape, geometry: geometry, voxels: layers), pool: pool)
        #expect(ProcessInfo.processInfo.systemUptime - began < 60)
    }

    @Test func aChestOnAVeryFineGridGivesTheLungsOfACoarserOne() throws {
        let chest = DrawnChest(), factor = 32
        let shape = VolumeShape(depth: 30 * factor, height: 80, width: 95)
        let geometry = Geometry(spacing: Spacing(zMM: 9.0 / Double(factor), yMM: 4, xMM: 4))
        func stretched<Value>(_ volume: Volume<Value>) -> Volume<Value> {
            let voxels = (0..<shape.depth).flatMap { z in
                (0..<shape.height).flatMap { y in
                    (0..<shape.width).map { x in volume[z / factor * 3 + 1, 2 * y, 2 * x] }
                }
            }
            return Volume(shape: shape, geometry: geometry, voxels: voxels)
        }
        let fine = stretched(chest.volume)
        var segmenter = LungSegmenter()
        let asItIs = try segmenter.segment(fine, pool: pool)
        segmenter.finestSpacingMM = 2
        let averaged = try segmenter.segment(fine, pool: pool)
        #expect(averaged.shape == shape && averaged.geometry == geometry)
        #expect(dice(averaged, stretched(chest.lung)) > 0.95 && dice(averaged, asItIs) > 0.97)
    }

    @Test func volumesOfAnyShapeAreHandled() {
        var stream = RandomKey(seed: 12, purpose: .phantomNoise).stream()
        for (depth, height, width) in [(1, 1, 1), (1, 60, 70), (40, 1, 1), (3, 64, 64), (30, 20, 130)] {
            let shape = VolumeShape(depth: depth, height: height, width: width)
            for spacing in [Spacing(zMM: 1, yMM: 1, xMM: 1), Spacing(zMM: 10, yMM: 0.5, xMM: 3)] {
                let noise = (0..<shape.voxelCount).map { _ in stream.uniform(-1100, 200) }
                let volume = Volume(shape: shape, geometry: Geometry(spacing: spacing), voxels: noise)
                let found = try? LungSegmenter().segment(volume, pool: pool)
                #expect(found.map { $0.shape == shape } ?? true)
            }
        }
    }

    @Test(
        .enabled(if: ImageSamples.hasRealData(), "no real CT in ../shared/data"),
        arguments: [
            ("P002_ct.nii.gz", "P002_lung_auto.nii.gz"), ("normal001_ct.nii.gz", "normal001_lung_auto.nii.gz"),
            ("3DCT_lung.mha", "3DCT_lung_baseline_mask.mha"),
        ]
    ) func onRealCTTheLungsAgreeWithTheMasksAtHand(file: String, maskFile: String) throws {
        let volume = try ImageFile.read(path: "\(ImageSamples.realFolder)/\(file)").volume.canonical()
        let known = try ImageFile.read(path: "\(ImageSamples.realFolder)/\(maskFile)").mask().canonical()
        // Measured: 0.990, 0.989 and 0.985.
        #expect(dice(try LungSegmenter().segment(volume, pool: pool), known) > 0.97)
    }

    @Test(.enabled(if: ImageSamples.hasRealData(), "no real CT in ../shared/data"))
    func abdomenAndCropsWithoutLungAreRefused() throws {
        for name in ["ircad17_ct", "radpath_crop_ct"] {
            let volume = try ImageFile.read(path: "\(ImageSamples.realFolder)/\(name).nii.gz").volume.canonical()
            #expect(throws: LungSegmentationError.self) { try LungSegmenter().segment(volume, pool: pool) }
        }
    }
}
