import Foundation
import Imaging
import ModelCore
import Numerics
import Recipes
import TestSupport
import Testing
import VotingAggregator

/// From a prepared volume to masks on the CT's own grid and figures, as the judge says: slabs, blending, votes,
/// majority, post-processing, the way back, millilitres.
@Suite struct AnswerStationTests {
    private static var configuration: LungRunConfiguration {
        var configuration = LungRunConfiguration(
            preset: JudgeGoldens.preset, planeHeight: 32, planeWidth: 48, iterations: 1, healthyThreshold: 0.5)
        configuration.memberAnswers = true
        return configuration
    }

    @Test(arguments: ["oblique", "thin"]) func probabilitiesAreThoseOfMONAIBlendedAsTheJudgeDoes(
        _ name: String
    ) throws {
        let golden = JudgeGoldens(name), volume = try golden.prepared(forTraining: false), shape = volume.lung.shape
        let inference = EnsembleInference(
            slab: TensorShape3D(depth: 8, height: shape.height, width: shape.width), pool: JudgeGoldens.pool)
        for replica in 0..<3 {
            let probability = try inference.healthyProbability(
                model: JudgeGoldens.replica(replica), intensity: volume.intensity, lung: volume.lung,
                resources: JudgeGoldens.resources)
            let inside = zip(probability, volume.lung.voxels).map { $1 == 1 ? $0 : 0 }
            let judged = try golden.image("probability-\(replica).nii.gz").volume.voxels.map { $0 / 65_535 }
            #expect(judged.contains { $0 > 0.8 } && judged.contains { $0 > 0 && $0 < 0.2 })
            let far = differences(inside, judged, beyond: 2e-5)
            #expect(far.count == 0, "replica \(replica): \(far)")
        }
    }

    /// Through the recipe, as a worker computes it: what each replica votes, what the vote is, both answers, figures.
    @Test(arguments: JudgeGoldens.cases) func theAnswersOfAVolumeAreTheJudges(_ name: String) throws {
        let golden = JudgeGoldens(name), judged = try golden.json(JudgedCase.self, "case.json")
        let inputs = [
            RecipeInput(role: "ct", name: name, path: try golden.path(beginning: "ct.")),
            RecipeInput(role: "lung", name: "lung", path: try golden.path(beginning: "lung.")),
        ]
        let parameters = Self.configuration.json(), resources = JudgeGoldens.resources, recipe = LungNormNet()
        let votes = try recipe.predict(
            parameters: parameters, inputs: inputs + JudgeGoldens.replicaInputs, resources: resources)
        let ballots = try votes.outputs.map { try BitMask(bytes: $0.bytes) }
        let voted = try MajorityVote.vote(ballots)
        let lung = BitMask(try golden.prepared(forTraining: false).lung)
        #expect((ballots + [voted]).map { $0.voxelCount(sharedWith: lung) } == judged.healthyVoxelsInLung)
        #expect(voted.intersection(lung).voxels() == (try golden.mask("voted.nii.gz")))

        let folder = NSTemporaryDirectory() + "quintet-judge-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func file(_ mask: BitMask, _ role: String, _ name: String) throws -> RecipeInput {
            try Data(mask.bytes()).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
            return RecipeInput(role: role, name: name, path: "\(folder)/\(name)")
        }
        let cast = try ballots.enumerated().map { try file($1, "votes", "replica-\($0)") }
        let answer = try recipe.finish(
            parameters: parameters, inputs: inputs + cast + [file(voted, "voted", "voted")], resources: resources)
        for (role, expected) in [("mask", "lesions"), ("core", "without-growing")] {
            let output = try #require(answer.outputs.first { $0.role == role && $0.name == "vote" })
            let written = try NIfTIFile.read(bytes: output.bytes, name: expected)
            #expect(written.volume.voxels == (try golden.image("\(expected).nii.gz").volume.voxels))
            #expect(written.source.geometry == (try golden.image(beginning: "ct.").source.geometry))
        }
        let figures = try JSONText.decode(
            [String: LungAnswer.Figures].self, answer.reportJSON, what: "the report of finish")
        for (kind, expected) in judged.answers where !["none", "oracle"].contains(kind) {
            try Self.expect(#require(figures[kind]), toBe: expected.figures, kind)
        }
        #expect(figures.count == 4)
    }

    private static func expect(_ found: LungAnswer.Figures, toBe judged: JudgedCase.Figures, _ what: String) {
        #expect(abs(found.lesionML - judged.lesion_ml) < 1e-4, "\(what)")
        #expect(abs(found.lungML - judged.lung_ml) < 1e-3, "\(what)")
        #expect(abs(found.lesionPercent - judged.lesion_percent) < 1e-6, "\(what)")
        #expect(abs(found.lesionWithoutGrowingML - judged.lesion_without_growing_ml) < 1e-4, "\(what)")
    }

    @Test(arguments: JudgeGoldens.cases) func theRowsNoneAndOracleAreTheJudges(_ name: String) throws {
        let golden = JudgeGoldens(name), judged = try golden.json(JudgedCase.self, "case.json")
        let volume = try golden.prepared(forTraining: false), pool = JudgeGoldens.pool
        let truth = try golden.image("truth.nii.gz").mask(on: volume.source)
        let rows = [
            ("none", try ReferenceAnswers.none(volume, preset: JudgeGoldens.preset, pool: pool)),
            ("oracle", try ReferenceAnswers.oracle(volume, truth: truth, preset: JudgeGoldens.preset, pool: pool)),
        ]
        for (row, answer) in rows {
            #expect(answer.grown.voxels == (try golden.mask("\(row)-lesions.nii.gz")), "\(row)")
            #expect(answer.withoutGrowing.voxels == (try golden.mask("\(row)-without-growing.nii.gz")), "\(row)")
            Self.expect(answer.figures, toBe: try #require(judged.answers[row]).figures, row)
        }
    }

    private struct PostProcessed: Decodable {
        var number: Int
        var spacing: [Double]
        var growthLimit: Double?
        var lesionVoxels: Int
        var withoutGrowingVoxels: Int
        var coreOutsideOfAnswer: Int
    }

    @Test func postProcessingIsTheJudgesOnAnyGridAndWithALimit() throws {
        let golden = JudgeGoldens("postprocessing")
        let all = try golden.json([PostProcessed].self, "postprocessing.json")
        #expect(all.count == 5)
        for judged in all {
            let number = judged.number
            let spacing = Spacing(zMM: judged.spacing[0], yMM: judged.spacing[1], xMM: judged.spacing[2])
            let shape = try golden.image("\(number).lung.nii.gz").volume.shape, geometry = Geometry(spacing: spacing)
            func mask(_ name: String) throws -> Mask {
                Mask(shape: shape, geometry: geometry, voxels: try golden.mask("\(number).\(name).nii.gz"))
            }
            let answer = try PostProcessing.run(
                healthy: mask("healthy"), intensity: Volume(
                    shape: shape, geometry: geometry, voxels: golden.intensity("\(number).image.nii.gz")),
                lung: mask("lung"),
                settings: PostProcessingSettings(spacing: spacing, growthLimitMM: judged.growthLimit))
            let expected = (try mask("lesions").voxels, try mask("without-growing").voxels)
            #expect(answer.grown.voxels() == expected.0, "\(number)")
            #expect(answer.core.voxels() == expected.1, "\(number)")
            #expect(answer.core.subtracting(answer.grown).voxelCount == judged.coreOutsideOfAnswer)
        }
    }

    private struct Calibration: Decodable {
        struct Candidate: Decodable {
            var threshold: Double
            var dice: Double
        }
        var candidates: [Candidate]
        var threshold: Double
    }

    @Test func theThresholdIsTheOneThatTheJudgeFindsOnTheSameLesions() throws {
        let judged = try JudgeGoldens().json(Calibration.self, "thresholds.json")
        let golden = JudgeGoldens("calibration"), grid = Geometry(spacing: JudgeGoldens.preset.spacing)
        let shape = try golden.image("0.lung.nii.gz").volume.shape
        let configuration = LungRunConfiguration(
            preset: JudgeGoldens.preset, planeHeight: shape.height, planeWidth: shape.width, iterations: 1,
            healthyThreshold: nil)
        var calibration = try ThresholdCalibration(
            replicas: JudgeGoldens.replicaInputs, configuration: configuration, resources: JudgeGoldens.resources)
        for number in 0..<3 {
            func mask(_ name: String) throws -> Mask {
                Mask(shape: shape, geometry: grid, voxels: try golden.mask("\(number).\(name).nii.gz"))
            }
            try calibration.add(.init(
                image: Volume(
                    shape: shape, geometry: grid, voxels: golden.intensity("\(number).image.nii.gz")),
                lung: mask("lung"), target: mask("lung"), lesion: mask("lesion")))
        }
        let report = calibration.report
        #expect(report.healthyThreshold == judged.threshold)
        #expect(report.diceByThreshold.count == judged.candidates.count)
        for candidate in judged.candidates {
            let dice = try #require(report.diceByThreshold["\(candidate.threshold)"])
            // Ten voxels lie within 1e-5 of a candidate: they may fall to either side.
            #expect(abs(dice - candidate.dice) < 2e-3, "\(candidate.threshold): \(dice), judge \(candidate.dice)")
        }
    }
}
