import Foundation
import Imaging
import ModelCore
import Numerics

extension LungRunConfiguration: RunSettings {
    // MARK: Training

    public var trainingPlan: RecipePlan { LungPlans.training(iterationCount: iterations) }

    public func memoryByteCount() throws -> Int {
        try UNetTrainer.arenaByteCount(configuration: preset.networkConfiguration(), shape: slabShape)
    }

    public var stepText: String { "\(preset.batch) x \(slabShape)" }
    public var learningRate: Double? { preset.learningRate }
    public var iterationCount: Int { iterations }

    /// The calibrated threshold is an outcome.
    public var asked: any RunSettings {
        var result = self
        result.healthyThreshold = preset.healthyThreshold
        return result
    }

    /// The threshold is to be calibrated again.
    public func extended(to iterationCount: Int, run: String) throws -> any RunSettings {
        guard iterationCount >= iterations else {
            throw RecipeError.inputRefused("\(run) has \(iterations) iterations already; --extend takes a number above "
                + "that")
        }
        var result = self
        (result.iterations, result.preset.iterations) = (iterationCount, iterationCount)
        result.healthyThreshold = preset.healthyThreshold
        return result
    }

    public func concluded(_ reports: [String: String], run: String) throws -> TrainingOutcome {
        let remedy = "find out which worker answered so (quintet status --history), and train again without it under "
            + "another --seed, or with a fixed --threshold"
        let report: CalibrationReport
        do {
            report = try JSONText.decode(
                CalibrationReport.self, reports["calibrate"] ?? "", what: "the report of the calibration of \(run)")
        } catch RecipeError.inputRefused(let problem) {
            throw RecipeError.inputRefused("\(problem.printable(most: 600)); \(remedy)")
        }
        guard (0...1).contains(report.healthyThreshold), report.diceByThreshold.values.allSatisfy(\.isFinite) else {
            throw RecipeError.inputRefused("the calibration of \(run) says healthy above \(report.healthyThreshold), "
                + "which is no probability; \(remedy)")
        }
        var result = self
        result.healthyThreshold = report.healthyThreshold
        return TrainingOutcome(
            settings: result, calibration: report.diceByThreshold, text: "healthy above \(report.healthyThreshold)")
    }

    public var missing: String? { healthyThreshold == nil ? "no healthy threshold" : nil }

    public func reportText(seed: UInt64, volumeCount: Int) -> String {
        "preset \(preset.name), seed \(seed), \(iterations) iterations of batch \(preset.batch), slabs of "
            + "\(preset.slabDepth)x\(planeHeight)x\(planeWidth) voxels of \(preset.spacing.text), \(volumeCount) CTs."
    }

    public func reportSections(calibration: [String: Double]) -> [ReportSection] {
        guard let healthyThreshold else { return [] }
        let rows = calibration.sorted { (Double($0.key) ?? 0) < (Double($1.key) ?? 0) }
            .map { [$0.key, String(format: "%.3f", $0.value)] }
        return [ReportSection(
            heading: "Threshold", headingAlone: "Threshold, calibrated without labels",
            paragraph: "A voxel is healthy where a replica's probability is above \(healthyThreshold)"
                + (rows.isEmpty ? " (fixed by the preset)."
                    : ", calibrated without labels on generator lesions in training volumes."),
            table: rows.isEmpty ? nil : [["threshold", "Dice on generator lesions"]] + rows,
            emphasised: "\(healthyThreshold)")]
    }

    // MARK: Answering

    public func answering(
        _ values: OptionValues, memberAnswers: Bool, reading: ReadingOptions?
    ) throws -> any RunSettings {
        var result = self
        result.memberAnswers = memberAnswers
        if let threshold = try values.number("--threshold", 0...1) { result.healthyThreshold = threshold }
        result.reading = reading
        let extras = LungExtra.allCases.filter { values.has($0.option.name) }
        result.extras = extras.isEmpty ? nil : extras
        return result
    }

    public var answerPlan: RecipePlan {
        .voting(hasBallots: true, alsoFinishing: wants(.probabilities) ? LungProbabilities.roles : [])
    }

    public var answerExtras: Set<String> { Set((extras ?? []).map(\.option.name)) }

    public var answerIdentity: any RunSettings {
        var result = self
        (result.memberAnswers, result.reading) = (false, nil)
        (result.maskDescription, result.extras) = (nil, nil)
        return result
    }

    public func describingMasks(_ text: String) -> any RunSettings {
        var result = self
        result.maskDescription = text
        return result
    }

    public func references(
        ct: LoadedImage, mask: LoadedImage?, reading: ReadingOptions?, truth: Mask, pool: ThreadPool
    ) throws -> [ReferenceAnswer] {
        let volume = try Preparation.run(
            ct: ct, lung: mask, reading: reading?.addHU.map { ReadingOptions(addHU: $0) }, preset: preset,
            planeHeight: planeHeight, planeWidth: planeWidth, forTraining: false, pool: pool)
        func row(_ name: String, isFirst: Bool, _ answer: LungAnswer) -> ReferenceAnswer {
            ReferenceAnswer(
                name: name, isFirst: isFirst, masks: ["mask": answer.grown, "core": answer.withoutGrowing])
        }
        return [
            row("none", isFirst: true, try ReferenceAnswers.none(volume, preset: preset, pool: pool)),
            row(
                "oracle", isFirst: false,
                try ReferenceAnswers.oracle(volume, truth: truth, preset: preset, pool: pool)),
        ]
    }
}
