import Foundation
import Imaging
import ModelCore
import Numerics
import Recipes
import Testing
import VotingAggregator

/// What is written beside the masks where it is asked for, against the replicas' whole probabilities.
@Suite struct LungExtraTests {
    private let data: TrainingData
    private let replicas: [RecipeInput]
    private let pool = ThreadPool(threadCount: 2)
    private let resources: RecipeResources
    private var configuration: LungRunConfiguration

    init() throws {
        data = try TrainingData(iterations: 1)
        let resources = RecipeResources(pool: pool, cacheDirectory: data.folder), data = data
        self.resources = resources
        replicas = try (0..<2).map { number in
            let session = try LungNormNet().makeTrainingSession(
                parameters: data.configuration.json(), seed: 3, replica: number, inputs: data.inputs, resume: nil,
                resources: resources)
            return try data.replica(try session.weights(), number)
        }
        configuration = data.configuration
        configuration.healthyThreshold = 0.5
        configuration.extras = LungExtra.allCases
    }

    private func file(_ output: RecipeOutput, as role: String) throws -> RecipeInput {
        let path = "\(data.folder)/\(UUID().uuidString)"
        try Data(output.bytes).write(to: URL(fileURLWithPath: path))
        return RecipeInput(role: role, name: output.name, path: path)
    }

    /// p in place of 1 - p, the deviation of a sample, one replica twice, another order of voxels on the way back, dark
    /// voxels counted.
    @Test func agreementAndProbabilitiesAreThoseOfTheReplicas() throws {
        let recipe = LungNormNet(), parameters = configuration.json()
        let made = try recipe.predict(parameters: parameters, inputs: data.patient + replicas, resources: resources)
        #expect(made.outputs.map(\.role) == ["votes", "votes", "probability", "spread"])
        let inputs = try data.patient + [file(made.outputs[0], as: "voted")]
            + made.outputs.map { try file($0, as: $0.role) }
        let answer = try recipe.finish(parameters: parameters, inputs: inputs, resources: resources)
        func found(_ role: String) throws -> [Float] {
            let output = try #require(answer.outputs.first { $0.role == role })
            return try NIfTIFile.read(bytes: output.bytes, name: role + ".nii.gz").volume.voxels
        }

        let volume = try Preparation.run(
            ct: ImageFile.read(single: data.patient[0].path, name: "ill.nii.gz"),
            lung: ImageFile.read(single: data.patient[1].path, name: "lung.nii.gz"), preset: configuration.preset,
            planeHeight: configuration.planeHeight, planeWidth: configuration.planeWidth, forTraining: false,
            pool: pool)
        let shape = volume.lung.shape
        let inference = EnsembleInference(
            slab: TensorShape3D(depth: 8, height: shape.height, width: shape.width), pool: pool)
        let healthy = try replicas.map { input in
            let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: input.path)))
            return try inference.healthyProbability(
                model: UNetModel(file: SafeTensors(bytes: bytes, name: input.name)), intensity: volume.intensity,
                lung: volume.lung, resources: resources)
        }
        func onTheFilesGrid(_ value: (Int) -> UInt8) -> [UInt8] {
            let lung = volume.lung
            let prepared = lung.with(lung.voxels.indices.map { lung.voxels[$0] > 0 ? value($0) : 0 })
            return zip(volume.plan.back(prepared, pool: pool).voxels, volume.sourceLung.voxels).map { $1 > 0 ? $0 : 0 }
        }
        let agreement = onTheFilesGrid { index in
            guard volume.intensity.voxels[index] >= Float(configuration.preset.tau) else { return 0 }
            return healthy.reduce(0) { $0 + ($1[index] > 0.5 ? 0 : 1) }
        }
        #expect(try found("agreement") == agreement.map { Float($0) })
        #expect(agreement.contains { $0 > 0 })
        // Of two values the deviation is half of their distance.
        let probability = try found("probability"), spread = try found("spread")
        for (index, steps) in onTheFilesGrid({ UInt8((125 * (2 - healthy[0][$0] - healthy[1][$0])).rounded()) })
            .enumerated()
        {
            guard abs(probability[index] - Float(steps) / 250) < 0.0045 else {
                Issue.record("voxel \(index): \(probability[index]) and not \(Float(steps) / 250)")
                break
            }
        }
        for (index, steps) in onTheFilesGrid({ UInt8((125 * abs(healthy[0][$0] - healthy[1][$0])).rounded()) })
            .enumerated()
        {
            guard abs(spread[index] - Float(steps) / 250) < 0.0045 else {
                Issue.record("voxel \(index): spread \(spread[index]) and not \(Float(steps) / 250)")
                break
            }
        }
        #expect(spread.contains { $0 > 0 })
        // The lesions of the table are those of the mask.
        let numbers = try found("numbered"), mask = try found("mask")
        #expect(zip(numbers, mask).allSatisfy { ($0 > 0) == ($1 > 0) })
        let report = try JSONText.decode([String: LungAnswer.Figures].self, answer.reportJSON, what: "the report")
        let figures = try #require(report["vote"]), lesions = try #require(figures.lesions)
        #expect(lesions.count == min(figures.lesionCount, NumberedLesions.listedMax))
        #expect(Float(lesions.count) == min(numbers.max() ?? 0, 200))
        if lesions.count < 200 {
            #expect(abs(lesions.reduce(0) { $0 + $1.lesionML } - figures.lesionML) < 0.001 * Double(lesions.count + 1))
        }
    }

    /// A run without them computes, says and writes what it always did.
    @Test func nothingIsMadeThatNobodyAskedFor() throws {
        var plain = configuration
        plain.extras = nil
        #expect(!plain.json().contains("extras") && plain.answerExtras.isEmpty)
        let made = try LungNormNet().predict(
            parameters: plain.json(), inputs: data.patient + replicas, resources: resources)
        #expect(made.outputs.map(\.role) == ["votes", "votes"])
        #expect(plain.answerPlan != configuration.answerPlan)
        #expect(configuration.answerExtras == ["--agreement", "--probabilities", "--numbered"])
    }
}
