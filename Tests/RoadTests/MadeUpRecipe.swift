import Foundation
import Imaging
import Numerics
import Recipes
import VotingAggregator

/// A recipe that no program knows, to see that adding one takes nothing but this: bones lie above a level that two
/// stages of training find. `measure` takes the mean HU of the CTs' given masks, `raise` goes on from there by so many
/// HU an iteration, and `average` takes the mean of all replicas. A voxel of the mask above a replica's level has its
/// vote.
struct MadeUpPlugIn: RecipePlugIn {
    var name: String { "made-up-bones" }
    func makeRecipe() -> any Recipe { MadeUpRecipe() }

    private static let stride = Option("--stride", "N", "every N-th voxel is measured; default 1")

    var preparationGuide: PreparationGuide {
        PreparationGuide(
            summary: "Measure CTs for bones.",
            masks: MaskGuide(help: "body masks named like the CTs", noun: "the body masks", isNeeded: true),
            options: [Self.stride], leaveOutHelp: nil, details: "Writes a mean for every CT.")
    }

    func preparation(_ values: OptionValues) throws -> any DataSetPreparation {
        MadeUpPreparation(stride: try values.integer("--stride", 1...1000) ?? 1)
    }

    func dataSet(json: String, file: String) throws -> any RecipeDataSet {
        try JSONText.decode(MadeUpDataSet.self, json, what: file)
    }

    var trainingGuide: TrainingGuide {
        TrainingGuide(
            options: [Option("--rise", "HU", "how far each iteration raises the level; default 10")],
            figures: [TrainingFigure(name: "level", title: "Level in HU", shortTitle: "level", digits: 1)],
            weights: [
                WeightsFile(step: "measure", stem: "measured", role: "measured"),
                WeightsFile(step: "raise", stem: "replica", role: "replica"),
            ])
    }

    func settings(json: String) throws -> any RunSettings {
        try JSONText.decode(MadeUpSettings.self, json, what: "the run's settings")
    }

    var answerGuide: AnswerGuide {
        AnswerGuide(
            summary: "Find bones in CTs.",
            options: [Option("--above", "HU", "another level for all replicas")], details: "  DIR/NAME.nii.gz  bones",
            masks: [AnswerMask(role: "bones", folder: "", isOfAnswer: true)],
            figures: [AnswerFigure(name: "boneVoxels", column: "bone_voxels")], maskColumn: "body_mask",
            maskName: "bodyMask", givenMaskRole: "body", step: "finish", truthNoun: "bone masks",
            referenceNames: ["body"], referenceDetails: "", rankedBy: "boneVoxels",
            window: -200...800)
    }

    func problem(inFigures figures: [String: Double]) -> String? {
        figures["boneVoxels"].flatMap { $0 >= 0 ? nil : "\($0) voxels" }
    }
}

struct MadeUpDataSet: RecipeDataSet, Codable {
    var recipe = "made-up-bones"
    var stride: Int
    var names: [String]
    var digests: [String]

    var volumeNames: [String] { names }
    var volumeWarnings: [(volume: String, warning: String)] { [] }
    var files: [DataSetFile] {
        zip(names, digests).map { DataSetFile(role: "mean", name: $0 + ".mean", digest: $1) }
    }

    func settings(_ values: OptionValues, folder: String) throws -> any RunSettings {
        MadeUpSettings(rise: try values.number("--rise", 0...1000) ?? 10)
    }
}

final class MadeUpPreparation: DataSetPreparation {
    private let stride: Int
    private var data: MadeUpDataSet

    init(stride: Int) {
        self.stride = stride
        data = MadeUpDataSet(stride: stride, names: [], digests: [])
    }

    var settingsText: String { "stride \(stride)" }
    var closingText: String { "every \(stride) voxels" }
    func fileNames(of name: String) -> [String] { [name + ".mean"] }

    func prepare(
        _ item: PreparationItem, digest: ([UInt8]) -> String, pool: ThreadPool, isCancelled: () -> Bool
    ) throws -> PreparationOutcome {
        guard let given = item.mask else { throw RecipeError.inputRefused("\(item.name) has no mask") }
        let mask = try given.mask(on: item.ct.source).voxels, values = item.ct.volume.voxels
        let inside = Swift.stride(from: 0, to: values.count, by: stride).filter { mask[$0] == 1 }
        let mean = inside.reduce(0) { $0 + Double(values[$1]) } / Double(inside.count)
        let bytes = Array("\(mean)".utf8)
        data.names.append(item.name)
        data.digests.append(digest(bytes))
        return .prepared(files: [(item.name + ".mean", bytes)], warnings: [])
    }

    func finish() throws -> any RecipeDataSet { data }
}

struct MadeUpSettings: RunSettings, Codable {
    var rise: Double
    var level: Double?

    func json() -> String { JSONText.encode(self) }

    var trainingPlan: RecipePlan {
        RecipePlan(name: "train", steps: [
            .init("measure", .session(iterationCount: 3), .eachReplica, reads: [.run]),
            .init("raise", .session(iterationCount: 4), .eachReplica, reads: [.step("measure", role: "replica")]),
            .init("average", .task, .once, reads: [.step("raise", role: "replica")]),
        ])
    }

    func memoryByteCount() throws -> Int { 1 << 20 }
    var stepText: String { "one level" }
    var iterationCount: Int { 4 }
    var asked: any RunSettings { MadeUpSettings(rise: rise) }
    var missing: String? { level == nil ? "no level" : nil }

    func extended(to iterationCount: Int, run: String) throws -> any RunSettings {
        throw RecipeError.inputRefused("\(run) cannot go on: its levels have been found")
    }

    func concluded(_ reports: [String: String], run: String) throws -> TrainingOutcome {
        let report = try JSONText.decode([String: Double].self, reports["average"] ?? "", what: "the average of \(run)")
        return TrainingOutcome(
            settings: MadeUpSettings(rise: rise, level: report["level"]), calibration: report, text: "bones are bright")
    }

    func reportText(seed: UInt64, volumeCount: Int) -> String { "levels of \(volumeCount) bodies." }
    func reportSections(calibration: [String: Double]) -> [ReportSection] { [ReportSection(heading: "What bones are")] }

    func answering(
        _ values: OptionValues, memberAnswers: Bool, reading: ReadingOptions?
    ) throws -> any RunSettings {
        MadeUpSettings(rise: rise, level: try values.number("--above", -2000...5000) ?? level)
    }

    var answerPlan: RecipePlan {
        RecipePlan(name: "segment", steps: [
            .init("predict", .task, .eachItem, reads: [.run, .item], isTransient: true),
            .init("vote", .vote, .eachItem, reads: [.step("predict", role: "votes")], isTransient: true),
            .init("finish", .task, .eachItem, reads: [.item, .step("vote")], near: "predict"),
        ])
    }

    var answerIdentity: any RunSettings { self }

    func references(
        ct: LoadedImage, mask: LoadedImage?, reading: ReadingOptions?, truth: Mask, pool: ThreadPool
    ) throws -> [ReferenceAnswer] {
        [ReferenceAnswer(name: "body", isFirst: true, masks: ["bones": truth.with(truth.voxels.map { _ in 1 })])]
    }
}

struct MadeUpRecipe: Recipe {
    func proveArithmetic(pool: ThreadPool) -> [UInt8] { Array("whole numbers".utf8) }

    func makeSession(
        _ step: RecipeStep, inputs: [RecipeInput], resume: String?, resources: RecipeResources
    ) throws -> any TrainingSession {
        switch step.label {
        case "measure":
            let means = try inputs.filter { $0.role == "mean" }.map(Self.number)
            let mean = means.reduce(0, +) / Double(means.count)
            // Replicas differ, or a vote would be none.
            return MadeUpSession(start: mean + Double(step.replica), rise: 0, iterationCount: 3)
        case "raise":
            let settings = try JSONText.decode(MadeUpSettings.self, step.parameters, what: "settings")
            precondition(inputs.count == 1, "one replica goes on from its own first stage")
            return MadeUpSession(start: try Self.number(inputs[0]), rise: settings.rise, iterationCount: 4)
        default: throw RecipeError.unknownStep(step.label)
        }
    }

    func perform(_ step: RecipeStep, inputs: [RecipeInput], resources: RecipeResources) throws -> RecipeResult {
        switch step.label {
        case "average":
            let levels = try inputs.map(Self.number)
            return RecipeResult(
                outputs: [], reportJSON: "{\"level\":\(levels.reduce(0, +) / Double(levels.count))}")
        case "predict": return try predict(inputs)
        case "finish":
            let (ct, _) = try Self.volume(inputs), voted = inputs.first { $0.role == "voted" }
            let bits = try BitMask(bytes: Array(Data(contentsOf: URL(fileURLWithPath: voted?.path ?? ""))))
            let mask = bits.mask(geometry: ct.volume.geometry, pool: resources.pool)
            return RecipeResult(
                outputs: [RecipeOutput(role: "bones", name: "vote", bytes: NIfTIFile.encode(mask, like: ct.source))],
                reportJSON: "{\"vote\":{\"boneVoxels\":\(bits.voxelCount)}}")
        default: throw RecipeError.unknownStep(step.label)
        }
    }

    private func predict(_ inputs: [RecipeInput]) throws -> RecipeResult {
        let (ct, body) = try Self.volume(inputs)
        guard inputs.filter({ $0.role == "measured" }).count == inputs.filter({ $0.role == "replica" }).count else {
            throw RecipeError.inputRefused("the first stage's weights are missing")
        }
        let votes = try inputs.filter { $0.role == "replica" }.enumerated().map { number, input in
            let level = Float(try Self.number(input))
            let bright = zip(ct.volume.voxels, body.voxels).map { UInt8($0 > level && $1 == 1 ? 1 : 0) }
            return RecipeOutput(role: "votes", name: "replica-\(number)", bytes: BitMask(body.with(bright)).bytes())
        }
        return RecipeResult(outputs: votes, reportJSON: "{}")
    }

    private static func volume(_ inputs: [RecipeInput]) throws -> (LoadedImage, Mask) {
        guard let ct = inputs.first(where: { $0.role == "ct" }), let body = inputs.first(where: { $0.role == "body" })
        else { throw RecipeError.inputRefused("the CT or its mask is missing") }
        let image = try ImageFile.read(single: ct.path, name: ct.name)
        return (image, try ImageFile.read(single: body.path, name: body.name).mask(on: image.source))
    }

    fileprivate static func number(_ input: RecipeInput) throws -> Double {
        let text = try String(contentsOf: URL(fileURLWithPath: input.path), encoding: .utf8)
        guard let number = Double(text) else { throw RecipeError.inputRefused("\(input.name) is no number") }
        return number
    }
}

final class MadeUpSession: TrainingSession {
    private var level: Double
    private let rise: Double
    private(set) var iteration = 0
    let iterationCount: Int

    init(start: Double, rise: Double, iterationCount: Int) {
        (level, self.rise, self.iterationCount) = (start, rise, iterationCount)
    }

    func step() throws -> TrainingStep {
        iteration += 1
        level += rise
        return TrainingStep(iteration: iteration, figures: ["level": level])
    }

    func checkpoint() throws -> [UInt8] { Array("\(level)".utf8) }
    func weights() throws -> [UInt8] { Array("\(level)".utf8) }
}
