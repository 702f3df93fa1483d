import Foundation
import Imaging
import Recipes
import SynthData

/// A small data set on disk, from a made-up chest, and a run's configuration to train on it.
final class TrainingData {
    let folder = NSTemporaryDirectory() + "quintet-recipes-" + UUID().uuidString
    let inputs: [RecipeInput]
    /// A diseased CT and its lung mask, as `predict` takes them.
    let patient: [RecipeInput]
    let configuration: LungRunConfiguration

    init(iterations: Int) throws {
        var preset = Preset.demo
        preset.spacing = Spacing(zMM: 6, yMM: 5, xMM: 5)
        (preset.planeHeight, preset.planeWidth) = (40, 64)
        (preset.slabDepth, preset.iterations, preset.learningRate) = (8, iterations, 3e-3)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let folder = folder
        func write(_ bytes: [UInt8], _ name: String, role: String) throws -> RecipeInput {
            let path = "\(folder)/\(name)"
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            return RecipeInput(role: role, name: name, path: path)
        }
        func phantom(_ index: Int, diseased: Bool) -> ChestPhantom {
            ChestPhantom.make(.init(
                seed: 5, index: index, spacing: Spacing(zMM: 5, yMM: 4, xMM: 4), diseased: diseased, severity: 0.6))
        }
        func files(_ phantom: ChestPhantom) -> (ct: [UInt8], lung: [UInt8]) {
            (NIfTIFile.encode(phantom.ct), NIfTIFile.encode(PreparationTests.floats(phantom.lung)))
        }
        let healthy = files(phantom(1, diseased: false)), ill = files(phantom(2, diseased: true))
        let volume = try Preparation.run(
            ct: NIfTIFile.read(bytes: healthy.ct, name: "healthy.nii.gz"),
            lung: NIfTIFile.read(bytes: healthy.lung, name: "lung.nii.gz"), preset: preset,
            planeHeight: preset.planeHeight, planeWidth: preset.planeWidth, forTraining: true,
            pool: PreparationTests.pool)
        let (image, lung) = volume.encoded(), shape = volume.lung.shape
        let manifest = DataSetManifest(preset: preset, planeHeight: shape.height, planeWidth: shape.width, volumes: [
            .init(
                name: "healthy", sourceName: "healthy.nii.gz", imageDigest: "", lungDigest: "", imageByteCount: 0,
                lungByteCount: 0, depth: shape.depth, lungVoxelsBySlice: volume.lungVoxelsBySlice(),
                excludedSlices: [], edgeVoxelsRemoved: volume.edgeVoxelsRemoved, lungML: volume.lungML,
                brightShare: volume.brightShare(tau: preset.tau))
        ])
        inputs = [
            try write(Array(JSONText.encode(manifest).utf8), DataSetManifest.fileName, role: "dataset"),
            try write(image, "healthy.image.nii.gz", role: "image"),
            try write(lung, "healthy.lung.nii.gz", role: "lung"),
        ]
        patient = [
            try write(ill.ct, "ill.nii.gz", role: "ct"), try write(ill.lung, "ill.lung.nii.gz", role: "lung"),
        ]
        configuration = LungRunConfiguration(
            preset: preset, planeHeight: shape.height, planeWidth: shape.width, iterations: iterations,
            healthyThreshold: 0.3)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// The file of a replica, as `predict` takes it.
    func replica(_ bytes: [UInt8], _ number: Int) throws -> RecipeInput {
        let path = "\(folder)/replica-\(number)-\(UUID().uuidString).safetensors"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return RecipeInput(role: "replica", name: "replica-\(number)", path: path)
    }
}
