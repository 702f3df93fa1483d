import Foundation
import Imaging
import ModelCore
import Numerics
import Recipes
import SynthData
import TestSupport
import Testing
import VotingAggregator

/// Two stages of one replica on a made-up liver, small.
private struct LiverCase {
    let folder: String
    let configuration: LiverRunConfiguration
    let inputs: [RecipeInput]
    let phantom: AbdomenPhantom

    init(together: Bool = false) throws {
        folder = NSTemporaryDirectory() + "quintet-liver-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var preset = LiverPreset.demo
        preset.slices.size = 32
        preset.anomalies = PseudoAnomalySettings(size: 32)
        (preset.widths, preset.baseChannels, preset.batch) = ([4, 8], 2, 3)
        preset.trainsTogether = together
        if together { preset.restorerKind = .autoencoder }
        configuration = LiverRunConfiguration(preset: preset, restoreIterations: 4, segmentIterations: 4)
        phantom = AbdomenPhantom.make(
            .init(seed: 1, index: 0, spacing: Spacing(zMM: 12, yMM: 12, xMM: 12), diseased: false))
        let (ct, mask) = ("\(folder)/ct.nii.gz", "\(folder)/liver.nii.gz")
        try Data(NIfTIFile.encode(phantom.ct)).write(to: URL(fileURLWithPath: ct))
        try Data(NIfTIFile.encode(phantom.liver)).write(to: URL(fileURLWithPath: mask))
        let liver = try LiverPreparation.run(
            ct: ImageFile.read(single: ct, name: "ct"), liver: ImageFile.read(single: mask, name: "liver"),
            settings: preset.slices, pool: ThreadPool(threadCount: 2))
        let (image, _) = liver.encoded()
        let manifest = LiverDataSetManifest(
            presetName: "demo", settings: preset.slices,
            patients: [.init(name: "a", liver: liver, imageDigest: "", imageByteCount: image.count)])
        try Data(image).write(to: URL(fileURLWithPath: "\(folder)/a.liver.nii.gz"))
        try Data(JSONText.encode(manifest).utf8).write(to: URL(fileURLWithPath: "\(folder)/dataset.json"))
        inputs = [
            RecipeInput(role: "dataset", name: "dataset.json", path: "\(folder)/dataset.json"),
            RecipeInput(role: "image", name: "a.liver.nii.gz", path: "\(folder)/a.liver.nii.gz"),
        ]
    }

    func remove() { try? FileManager.default.removeItem(atPath: folder) }

    func write(_ bytes: [UInt8], _ name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        return "\(folder)/\(name)"
    }

    func resources(threads: Int) -> RecipeResources {
        RecipeResources(pool: ThreadPool(threadCount: threads), cacheDirectory: folder)
    }

    func session(
        _ stage: String, _ inputs: [RecipeInput], resume: String? = nil, threads: Int = 2
    ) throws -> any TrainingSession {
        try LiverRestoreSegment().makeSession(
            RecipeStep(label: stage, parameters: configuration.json(), seed: 5, replica: 1), inputs: inputs,
            resume: resume, resources: resources(threads: threads))
    }

    func trained(_ session: any TrainingSession, to iteration: Int) throws -> any TrainingSession {
        while session.iteration < iteration { #expect(try session.step().figures["loss"]!.isFinite) }
        return session
    }
}

@Suite struct LiverSessionTests {
    /// A checkpoint that forgets a moment, a running statistic or which samples come next ends with other bytes.
    @Test func aStageThatIsKilledGoesOnInItWithTheSameBytes() throws {
        let one = try LiverCase()
        defer { one.remove() }
        var inputs = one.inputs
        for stage in ["restore", "segment"] {
            let whole = try one.trained(one.session(stage, inputs), to: 4).weights()
            let half = try one.write(one.trained(one.session(stage, inputs), to: 2).checkpoint(), "\(stage).half")
            let resumed = try one.session(stage, inputs, resume: half, threads: 1)
            #expect(resumed.iteration == 2)
            #expect(try one.trained(resumed, to: 4).weights() == whole)
            inputs.append(RecipeInput(role: "replica", name: "replica-1", path: try one.write(whole, "\(stage).whole")))
        }
    }

    /// The ablation without stages: what comes of it is a pair like any other, and a half of it is not the whole.
    @Test func networksThatWereTrainedTogetherAreAPair() throws {
        let one = try LiverCase(together: true)
        defer { one.remove() }
        let whole = try one.trained(one.session("together", one.inputs), to: 4).weights()
        let half = try one.write(one.trained(one.session("together", one.inputs), to: 2).checkpoint(), "half")
        #expect(try one.trained(one.session("together", one.inputs, resume: half), to: 4).weights() == whole)
        let both = RecipeInput(role: "replica", name: "replica-1", path: try one.write(whole, "whole"))
        func part(_ label: String) throws -> SafeTensors {
            let result = try LiverRestoreSegment().perform(
                RecipeStep(label: label, parameters: one.configuration.json(), seed: 5, replica: 1), inputs: [both],
                resources: one.resources(threads: 1))
            #expect(result.outputs.map(\.role) == ["replica"])
            return try SafeTensors(bytes: result.outputs[0].bytes, name: label)
        }
        let file = try SafeTensors(bytes: whole, name: "whole")
        let (restorer, segmenter) = (try part("restore"), try part("segment"))
        #expect(restorer.tensors.count + segmenter.tensors.count == file.tensors.count)
        // The autoencoder of the ablation, under its own names.
        #expect(restorer.tensors["encoder.block1.0.weight"] == file.tensors["restorer.encoder.block1.0.weight"])
        #expect(segmenter.tensors["decoder_segment.fin_out.0.bias"]
            == file.tensors["segmenter.decoder_segment.fin_out.0.bias"])
        let inputs = [
            RecipeInput(role: "ct", name: "ct", path: "\(one.folder)/ct.nii.gz"),
            RecipeInput(role: "liver", name: "liver", path: "\(one.folder)/liver.nii.gz"),
            RecipeInput(
                role: "restorer", name: "restorer-1", path: try one.write(restorer.serialised(), "restorer")),
            RecipeInput(
                role: "replica", name: "replica-1", path: try one.write(segmenter.serialised(), "segmenter")),
        ]
        let votes = try LiverRestoreSegment().perform(
            RecipeStep(label: "predict", parameters: one.configuration.json(), seed: 5, replica: 0), inputs: inputs,
            resources: one.resources(threads: 2))
        #expect(votes.outputs.map(\.role) == ["votes"])
        // What was never trained together is not taken apart.
        let first = [RecipeInput(role: "replica", name: "x", path: inputs[2].path)]
        #expect(throws: RecipeError.self) {
            try LiverRestoreSegment().perform(
                RecipeStep(label: "segment", parameters: one.configuration.json(), seed: 5, replica: 1),
                inputs: first, resources: one.resources(threads: 1))
        }
    }

    /// A worker that has mixed up its stages would continue a restorer as a segmenter.
    @Test func theCheckpointOfOneStageIsRefusedByTheOther() throws {
        let one = try LiverCase()
        defer { one.remove() }
        let first = try one.trained(one.session("restore", one.inputs), to: 1)
        let path = try one.write(first.checkpoint(), "first"), weights = try one.write(first.weights(), "weights")
        let inputs = one.inputs + [RecipeInput(role: "replica", name: "replica-1", path: weights)]
        #expect(throws: RecipeError.self) { try one.session("segment", inputs, resume: path) }
        #expect(throws: RecipeError.self) { try one.session("segment", one.inputs) }
    }

    /// A segmenter on what another replica restores gives plausible masks that nobody trained.
    @Test func networksOfTwoReplicasAreNoPair() throws {
        let one = try LiverCase()
        defer { one.remove() }
        let restorer = try one.write(one.trained(one.session("restore", one.inputs), to: 1).weights(), "restorer")
        let given = RecipeInput(role: "replica", name: "restorer-1", path: restorer)
        func step(_ label: String, replica: Int) -> RecipeStep {
            RecipeStep(label: label, parameters: one.configuration.json(), seed: 5, replica: replica)
        }
        #expect(throws: RecipeError.self) {
            try LiverRestoreSegment().makeSession(
                step("segment", replica: 0), inputs: one.inputs + [given], resume: nil,
                resources: one.resources(threads: 2))
        }
        let other = try LiverRestoreSegment().makeSession(
            step("restore", replica: 0), inputs: one.inputs, resume: nil, resources: one.resources(threads: 2))
        let first = try one.write(one.trained(other, to: 1).weights(), "other")
        let segmenter = try one.write(
            one.trained(one.session("segment", one.inputs + [given]), to: 1).weights(), "segmenter")
        #expect(throws: RecipeError.self) {
            try LiverRestoreSegment().perform(
                step("predict", replica: 0),
                inputs: [
                    RecipeInput(role: "ct", name: "ct", path: "\(one.folder)/ct.nii.gz"),
                    RecipeInput(role: "liver", name: "liver", path: "\(one.folder)/liver.nii.gz"),
                    RecipeInput(role: "restorer", name: "restorer-0", path: first),
                    RecipeInput(role: "replica", name: "replica-0", path: segmenter),
                ], resources: one.resources(threads: 2))
        }
    }

    /// A votes' stack that is put back upside down, or beside the liver.
    @Test func answersLieInTheLiverOnTheGridOfTheCT() throws {
        let one = try LiverCase()
        defer { one.remove() }
        let recipe = LiverRestoreSegment(), resources = one.resources(threads: 2)
        let restorer = try one.write(one.trained(one.session("restore", one.inputs), to: 1).weights(), "restorer")
        let first = one.inputs + [RecipeInput(role: "replica", name: "replica-1", path: restorer)]
        let segmenter = try one.write(one.trained(one.session("segment", first), to: 1).weights(), "segmenter")
        var configuration = one.configuration
        // Everything that the network does not rule out altogether.
        configuration.preset.threshold = 0
        func perform(_ label: String, _ inputs: [RecipeInput]) throws -> RecipeResult {
            try recipe.perform(
                RecipeStep(label: label, parameters: configuration.json(), seed: 5, replica: 0),
                inputs: [
                    RecipeInput(role: "ct", name: "ct", path: "\(one.folder)/ct.nii.gz"),
                    RecipeInput(role: "liver", name: "liver", path: "\(one.folder)/liver.nii.gz"),
                ] + inputs, resources: resources)
        }
        let votes = try perform("predict", [
            RecipeInput(role: "restorer", name: "restorer-0", path: restorer),
            RecipeInput(role: "replica", name: "replica-0", path: segmenter),
        ]).outputs
        #expect(votes.map(\.role) == ["votes"])
        let voted = try one.write(votes[0].bytes, "voted")
        let answer = try perform("finish", [RecipeInput(role: "voted", name: "voted", path: voted)])
        let mask = try #require(answer.outputs.first { $0.role == "mask" })
        let image = try ImageFile.read(single: one.write(mask.bytes, "mask.nii.gz"), name: "mask")
        #expect(image.volume.shape == one.phantom.liver.shape)
        let found = image.volume.voxels, liver = one.phantom.liver.voxels
        #expect(zip(found, liver).allSatisfy { $0 == 0 || $1 == 1 })
        // At threshold 0 that is nearly the whole liver: its darkest voxels are 0 on the networks' grid.
        #expect(10 * found.count { $0 > 0 } > 8 * liver.count { $0 > 0 })
    }

    /// The probability of the other class, or the two images in the other order.
    @Test func votesAreWhatTheTwoNetworksSayOneBehindTheOther() throws {
        let one = try LiverCase(), pool = ThreadPool(threadCount: 2)
        defer { one.remove() }
        let first = try one.trained(one.session("restore", one.inputs), to: 4).weights()
        let restorer = try one.write(first, "restorer")
        let second = try one.trained(
            one.session("segment", one.inputs + [RecipeInput(role: "replica", name: "r", path: restorer)]), to: 4
        ).weights()
        let liver = try LiverPreparation.run(
            ct: ImageFile.read(single: "\(one.folder)/ct.nii.gz", name: "ct"),
            liver: ImageFile.read(single: "\(one.folder)/liver.nii.gz", name: "liver"),
            settings: one.configuration.preset.slices, pool: pool)
        // Each slice by itself, by hand.
        let count = liver.pixels.shape.sliceVoxelCount, side = one.configuration.preset.slices.size
        let shape = TensorShape3D(depth: 1, height: side, width: side)
        let restoring = try Predictor(
            model: Model<RestoringNetwork>(file: SafeTensors(bytes: first, name: "restorer")), shape: shape, pool: pool)
        let segmenting = try Predictor(
            model: Model<DiscriminativeUNetConfiguration>(file: SafeTensors(bytes: second, name: "segmenter")),
            shape: shape, pool: pool)
        var probabilities: [Float] = []
        for slice in 0..<liver.sliceCount {
            let given = liver.pixels.voxels[slice * count..<(slice + 1) * count].map { Float($0) / 255 }
            let restored = given.withUnsafeBufferPointer { restoring.logits(input: $0) }
            let logits = (restored + given).withUnsafeBufferPointer { segmenting.logits(input: $0) }
            probabilities += (0..<count).map { 1 / (1 + exp(logits[$0] - logits[count + $0])) }
        }
        let inside = probabilities.indices.filter { liver.pixels.voxels[$0] > 0 }
        let median = inside.map { probabilities[$0] }.sorted()[inside.count / 2]
        var configuration = one.configuration
        configuration.preset.threshold = Double(median)
        // The replica's files say which preset they were trained with.
        func file(_ bytes: [UInt8], _ name: String) throws -> RecipeInput {
            let role = name == "restorer" ? "restorer" : "replica"
            return RecipeInput(role: role, name: name, path: try one.write(bytes, name))
        }
        let votes = try LiverRestoreSegment().perform(
            RecipeStep(label: "predict", parameters: configuration.json(), seed: 5, replica: 0),
            inputs: [
                RecipeInput(role: "ct", name: "ct", path: "\(one.folder)/ct.nii.gz"),
                RecipeInput(role: "liver", name: "liver", path: "\(one.folder)/liver.nii.gz"),
                file(first, "restorer"), file(second, "segmenter"),
            ], resources: one.resources(threads: 2))
        let bits = try BitMask(bytes: votes.outputs[0].bytes).mask(geometry: liver.pixels.geometry)
        var (right, close) = (0, 0)
        for index in inside {
            // Rounding decides at the threshold itself.
            if abs(probabilities[index] - median) < 1e-5 { close += 1 } else {
                right += (bits.voxels[index] == 1) == (probabilities[index] > median) ? 1 : 0
            }
        }
        #expect(right + close == inside.count && close < inside.count / 10, "\(right), \(close) of \(inside.count)")
    }

    /// The proof of arithmetic is the same with any number of threads and on every instruction set.
    @Test func theProofIsTheSameEverywhere() throws {
        var all: Set<[UInt8]> = []
        for variant in KernelVariant.allCases where variant != .naive && variant.isAvailable {
            for threads in [1, 3] {
                let proof = try variant.force {
                    try LiverRestoreSegment().proveArithmetic(pool: ThreadPool(threadCount: threads))
                }
                all.insert(proof)
            }
        }
        #expect(all.count == 1)
    }
}
