import Imaging
import Recipes
import TestSupport
import Testing

/// From the file to the prepared volume, as the judge says (docs/VOXEL.md): orientation, resampling, window, scale,
/// erroneous edges, slices to leave out.
@Suite struct PreparedVolumeTests {
    @Test(arguments: JudgeGoldens.cases) func aVolumeToSegmentIsTheJudgesVoxelForVoxel(_ name: String) throws {
        let golden = JudgeGoldens(name), judged = try golden.json(JudgedCase.self, "case.json").answering
        let volume = try golden.prepared(forTraining: false)
        #expect([volume.lung.shape.depth, volume.lung.shape.height, volume.lung.shape.width] == judged.shape)
        #expect([volume.plan.window?.startY, volume.plan.window?.startX] == judged.windowStart)
        #expect(volume.lung.voxels == (try golden.mask("answering.lung.nii.gz")))
        #expect(volume.lung.voxels.count { $0 == 1 } == judged.lungVoxels)
        // A step of the stored file is 0.015 HU; floats of two orders of summing lie closer.
        let far = differences(
            volume.intensity.voxels, try golden.intensity("answering.image.nii.gz"), beyond: 1.01 / 60_000)
        #expect(far.count == 0, "\(far)")
    }

    /// Exactly -503 HU is bright: `judged.voxelsOfExactlyTau` of them lie in every case.
    @Test(arguments: JudgeGoldens.cases) func brightIsWhatTheJudgeCallsBright(_ name: String) throws {
        let golden = JudgeGoldens(name), judged = try golden.json(JudgedCase.self, "case.json")
        let volume = try golden.prepared(forTraining: false), share = volume.brightShare(tau: 0.33)
        #expect(Int((share * Double(judged.answering.lungVoxels)).rounded()) == judged.answering.brightVoxels)
        let training = try golden.prepared(forTraining: true)
        #expect(abs(training.brightShare(tau: 0.33) - judged.training.brightShare) < 1e-9)
    }

    @Test(arguments: JudgeGoldens.cases) func trainingLosesTheErroneousEdgesThatTheJudgeFinds(_ name: String) throws {
        let golden = JudgeGoldens(name), judged = try golden.json(JudgedCase.self, "case.json").training
        let volume = try golden.prepared(forTraining: true)
        #expect(judged.edgeVoxelsRemoved > 0 && volume.edgeVoxelsRemoved == judged.edgeVoxelsRemoved)
        #expect(volume.lungVoxelsBySlice() == judged.lungVoxelsBySlice)
        #expect(abs(volume.lungML - judged.lungML) < 1e-6)
        guard ["flipped", "leave-out"].contains(name) else { return }
        #expect(volume.lung.voxels == (try golden.mask("training.lung.nii.gz")))
        let far = differences(
            volume.intensity.voxels, try golden.intensity("training.image.nii.gz"), beyond: 1.01 / 60_000)
        #expect(far.count == 0, "\(far)")
    }

    @Test func slicesWithFindingsAreLeftOutWhereverTheyReach() throws {
        let golden = JudgeGoldens("leave-out"), judged = try golden.json(JudgedCase.self, "case.json").training
        let table = String(decoding: try golden.bytes("leave-out.csv"), as: UTF8.self)
        let slices = Set(table.split(whereSeparator: \.isNewline).compactMap { Int($0) })
        #expect(!slices.isEmpty && !judged.excludedSlices.isEmpty)
        let volume = try golden.prepared(forTraining: true)
        #expect(volume.preparedSlices(holding: slices).sorted() == judged.excludedSlices)
    }

    /// What `prepare` writes and training reads: H in steps of 1 / 60000, rounded and not cut.
    @Test(arguments: ["flipped", "leave-out"]) func storedIntensitiesAreTheJudgesNumbers(_ name: String) throws {
        let golden = JudgeGoldens(name)
        let files = try golden.prepared(forTraining: true).encoded()
        let steps = try NIfTIFile.read(bytes: files.image, name: "image.nii.gz").volume.voxels.map { 60_000 * $0 }
        let far = differences(steps, try golden.image("training.image.nii.gz").volume.voxels, beyond: 0.6)
        // Numbers that lie halfway between two steps may fall to either: they are few, where cut ones were half of all.
        let inside = try golden.mask("training.lung.nii.gz").count { $0 == 1 }
        #expect(50 * far.count < inside && far.largest < 1.1, "\(far) of \(inside)")
        #expect(try NIfTIFile.read(bytes: files.lung, name: "lung.nii.gz").mask().voxels
            == golden.mask("training.lung.nii.gz"))
    }
}
