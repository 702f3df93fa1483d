import CKernels
import Foundation
import Imaging
import ModelCore
import Numerics
import Recipes
import SynthData
import TestSupport
import Testing

/// What training sees, as the judge says: slabs, lambda, samples, loss.
@Suite struct TrainingStationTests {
    private struct DataSet: Decodable {
        struct Volume: Decodable {
            var name: String
            var edgeVoxelsRemoved: Int
            var excludedSlices: [Int]
            var lungVoxelsBySlice: [Int]
        }
        struct Slab: Decodable {
            var volume: Int
            var firstSlice: Int
            var lambda: Float
        }
        var windowSize: [Int]
        var volumes: [Volume]
        var slabs: [Slab]
        var calibrationSlabs: [Int]
    }

    /// The judge's two volumes as a data set on disk.
    private final class Files {
        let folder = NSTemporaryDirectory() + "quintet-judge-" + UUID().uuidString
        let judged: DataSet
        let manifest: DataSetManifest
        let inputs: [RecipeInput]
        let configuration: LungRunConfiguration

        init() throws {
            let goldens = JudgeGoldens("data-set")
            judged = try goldens.json(DataSet.self, "dataset.json")
            let size = judged.windowSize
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let folder = folder
            func write(_ bytes: [UInt8], _ name: String, _ role: String) throws -> RecipeInput {
                try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
                return RecipeInput(role: role, name: name, path: "\(folder)/\(name)")
            }
            var files: [RecipeInput] = []
            var entries: [DataSetManifest.Entry] = []
            for volume in judged.volumes {
                let prepared = try JudgeGoldens(volume.name).prepared(
                    forTraining: true, planeHeight: size[0], planeWidth: size[1])
                let bytes = prepared.encoded(), name = volume.name
                #expect(prepared.lung.voxels == (try goldens.mask("\(name).lung.nii.gz")))
                files += [
                    try write(bytes.image, "\(name).image.nii.gz", "image"),
                    try write(bytes.lung, "\(name).lung.nii.gz", "lung"),
                ]
                entries.append(.init(
                    name: name, sourceName: name, imageDigest: "", lungDigest: "", imageByteCount: 0,
                    lungByteCount: 0, depth: prepared.lung.shape.depth,
                    lungVoxelsBySlice: prepared.lungVoxelsBySlice(), excludedSlices: volume.excludedSlices,
                    edgeVoxelsRemoved: prepared.edgeVoxelsRemoved, lungML: prepared.lungML,
                    brightShare: prepared.brightShare(tau: 0.33)))
            }
            manifest = DataSetManifest(
                preset: JudgeGoldens.preset, planeHeight: size[0], planeWidth: size[1], volumes: entries)
            inputs = files + [
                try write(Array(JSONText.encode(manifest).utf8), DataSetManifest.fileName, "dataset")
            ]
            configuration = LungRunConfiguration(
                preset: JudgeGoldens.preset, planeHeight: size[0], planeWidth: size[1], iterations: 1,
                healthyThreshold: nil)
        }

        deinit { try? FileManager.default.removeItem(atPath: folder) }

        /// H of each of the judge's slabs.
        func intensities() throws -> [[Float]] {
            let plane = judged.windowSize[0] * judged.windowSize[1]
            let volumes = try judged.volumes.map { try JudgeGoldens("data-set").intensity("\($0.name).image.nii.gz") }
            return judged.slabs.map { slab in
                Array(volumes[slab.volume][(slab.firstSlice * plane)..<((slab.firstSlice + 8) * plane)])
            }
        }
    }

    @Test func slabsAndTheirLungAreTheJudges() throws {
        let files = try Files(), judged = files.judged
        #expect(files.manifest.volumes.map(\.lungVoxelsBySlice) == judged.volumes.map(\.lungVoxelsBySlice))
        #expect(files.manifest.volumes.map(\.edgeVoxelsRemoved) == judged.volumes.map(\.edgeVoxelsRemoved))
        let slabs = try SlabIndex(manifest: files.manifest, slabDepth: 8).slabs
        #expect(slabs.map(\.volume) == judged.slabs.map(\.volume))
        #expect(slabs.map(\.firstSlice) == judged.slabs.map(\.firstSlice))
        #expect(zip(slabs, judged.slabs).allSatisfy { abs($0.lungShare - $1.lambda) < 1e-6 })
        let calibration = try CalibrationSlabs(inputs: files.inputs, configuration: files.configuration, seed: 1)
        #expect(calibration.chosen == judged.calibrationSlabs.map { slabs[$0] })
    }

    /// Given its lesions, a sample is the judge's: a slab of the list, untouched outside of the lesions and no darker
    /// in them; the target is what is bright in the judge's H and no lesion.
    @Test func samplesAreTheJudgesSlabsWithLesionsInThem() throws {
        let files = try Files(), slabs = try files.intensities(), tau: Float = 0.33
        var drawn: [[Int]] = []
        for replica in 0..<3 {
            let samples = try LungSamples(
                inputs: files.inputs, configuration: files.configuration, seed: 7, replica: replica)
            var numbers: [Int] = []
            for iteration in 0..<12 {
                let sample = try samples.lesionSample(iteration: iteration, sample: iteration % 2)
                let fits = slabs.indices.filter { number in
                    slabs[number].indices.allSatisfy {
                        sample.lesion[$0] == 1 || abs(sample.image[$0] - slabs[number][$0]) < 1.5 / 60_000
                    }
                }
                #expect(fits.count == 1, "replica \(replica), iteration \(iteration): slabs \(fits)")
                guard let number = fits.first else { continue }
                numbers.append(number)
                let slab = slabs[number]
                #expect(sample.lesion.contains(1))
                #expect(slab.indices.allSatisfy { sample.image[$0] >= slab[$0] - 1.5 / 60_000 })
                #expect(slab.indices.allSatisfy {
                    sample.target[$0] == (slab[$0] >= tau && sample.lesion[$0] == 0 ? 1 : 0)
                })
            }
            drawn.append(numbers)
        }
        #expect(Set(drawn).count == 3, "replicas draw the same slabs: \(drawn)")
        #expect(drawn.allSatisfy { Set($0).count > 4 }, "\(drawn)")
    }

    @Test func aSampleWithGivenLesionsIsTheJudges() throws {
        let golden = JudgeGoldens("samples")
        let slab = try golden.intensity("image.nii.gz"), lung = try golden.mask("lung.nii.gz")
        let lesion = try golden.mask("lesion.nii.gz"), texture = try golden.image("texture.nii.gz").volume.voxels
        var image = slab, target = lung
        quintet_lesion_begin(slab, lung, 0.33, &image, &target, slab.count)
        for index in slab.indices where lesion[index] > 0 && lung[index] > 0 {
            image.withUnsafeMutableBufferPointer {
                quintet_lesion_blend([texture[index]], 1, $0.baseAddress! + index, 1)
            }
            target[index] = 0
        }
        #expect(differences(image, try golden.image("expected-image.nii.gz").volume.voxels, beyond: 1e-6).count == 0)
        #expect(target == (try golden.mask("expected-target.nii.gz")))
        #expect(target.contains(1) && lesion.contains(1))
    }

    private struct Losses: Decodable {
        struct Case: Decodable {
            var name: String
            var lastBiasShift: [Float]
            var targets: [String]
            var loss: Double
            var hardDice: Double?
            var gradients: [String: [Float]]
            var gradientNorms: [String: Double]
        }
        var lastBias: String
        var cases: [Case]
    }

    /// Also where next to nothing is healthy, or is called healthy: there the 1e-5 of the Dice decides.
    @Test func lossAndGradientsAreThoseOfMONAIWhereverDiceIsNearlyEmpty() throws {
        let golden = JudgeGoldens("samples"), losses = try JudgeGoldens().json(Losses.self, "loss.json")
        let input = try golden.image("expected-image.nii.gz").volume
        #expect(losses.cases.count >= 3)
        for judged in losses.cases {
            let model = try Self.shifted(losses.lastBias, by: judged.lastBiasShift)
            let trainer = try UNetTrainer(
                model: model, shape: TensorShape3D(
                    depth: input.shape.depth, height: input.shape.height, width: input.shape.width),
                learningRate: 1e-3, pool: JudgeGoldens.pool)
            trainer.zeroGradients()
            var loss = 0.0, figures = SampleFigures(loss: 0, intersection: 0, predicted: 0, truth: 0)
            for name in judged.targets {
                let target = name == "all 0" ? [UInt8](repeating: 0, count: input.voxels.count)
                    : try golden.mask(name.replacingOccurrences(of: "samples/", with: "") + ".nii.gz")
                let one = input.voxels.withUnsafeBufferPointer { input in
                    target.withUnsafeBufferPointer {
                        trainer.accumulate(input: input, target: $0, batchCount: judged.targets.count)
                    }
                }
                loss += one.loss / Double(judged.targets.count)
                figures.intersection += one.intersection
                figures.predicted += one.predicted
                figures.truth += one.truth
            }
            #expect(abs(loss - judged.loss) < 2e-5 * judged.loss, "\(judged.name): \(loss), MONAI \(judged.loss)")
            if let dice = judged.hardDice { #expect(abs(figures.dice - dice) < 1e-9, "\(judged.name)") }
            for (name, norm) in judged.gradientNorms where norm > 1e-9 {
                let gradient = trainer.gradient(name)
                let found = gradient.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
                #expect(abs(found - norm) < 1e-3 * norm, "\(judged.name), \(name): \(found), MONAI \(norm)")
                for (value, expected) in zip(gradient, judged.gradients[name] ?? []) {
                    #expect(abs(Double(value - expected)) < 1e-3 * norm, "\(judged.name), \(name)")
                }
            }
        }
    }

    private static func shifted(_ bias: String, by shift: [Float]) throws -> UNetModel {
        let name = "replica-0.safetensors"
        var file = try SafeTensors(bytes: JudgeGoldens().bytes(name), name: name)
        let tensor = try #require(file.tensors[bias]), values = try #require(tensor.floats())
        file.tensors[bias] = SafeTensors.Tensor(shape: tensor.shape, floats: zip(values, shift).map { $0 + $1 })
        return try UNetModel(file: file)
    }
}
