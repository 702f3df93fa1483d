import Imaging
import ModelCore
import Numerics

extension LiverRunConfiguration: RunSettings {
    public func json() -> String { JSONText.encode(self) }

    // MARK: Training

    public var trainingPlan: RecipePlan { LiverPlans.training(self) }

    public func memoryByteCount() throws -> Int {
        let shape = preset.shape(sliceCount: preset.batch)
        guard !preset.trainsTogether else {
            return try Trainer.arenaByteCount(configuration: preset.both(), shape: shape, loss: .absoluteAndFocal)
        }
        return try max(
            Trainer.arenaByteCount(configuration: preset.restorer(), shape: shape, loss: .absolute),
            Trainer.arenaByteCount(configuration: preset.segmenter(), shape: shape, loss: .focal))
    }

    public var stepText: String { "\(preset.batch) x \(preset.slices.size)x\(preset.slices.size)" }
    public var learningRate: Double? { preset.learningRate }
    public var iterationCount: Int {
        preset.trainsTogether ? restoreIterations : max(restoreIterations, segmentIterations)
    }
    public var asked: any RunSettings { self }
    public var missing: String? { nil }

    public func extended(to iterationCount: Int, run: String) throws -> any RunSettings {
        throw RecipeError.inputRefused("\(run) has two stages and cannot go on; train again with other "
            + "--restore-epochs and --segment-epochs")
    }

    /// The threshold is fixed by the preset: there is nothing to find.
    public func concluded(_ reports: [String: String], run: String) throws -> TrainingOutcome {
        TrainingOutcome(settings: self, text: "tumour above \(preset.threshold)")
    }

    public func reportText(seed: UInt64, volumeCount: Int) -> String {
        "preset \(preset.name), seed \(seed), \(restoreIterations) iterations of "
            + (preset.trainsTogether ? "both networks" : "restoring and \(segmentIterations) of segmenting")
            + ", batches of \(preset.batch) slices of \(preset.slices.size)x\(preset.slices.size), "
            + "\(volumeCount) CTs."
    }

    public func reportSections(calibration: [String: Double]) -> [ReportSection] { [] }

    // MARK: Answering

    public func answering(
        _ values: OptionValues, memberAnswers: Bool, reading: ReadingOptions?
    ) throws -> any RunSettings {
        var result = self
        (result.memberAnswers, result.reading) = (memberAnswers, reading)
        return result
    }

    public var answerPlan: RecipePlan { .voting(hasBallots: memberAnswers) }

    public var answerIdentity: any RunSettings {
        var result = self
        (result.memberAnswers, result.reading, result.maskDescription) = (false, nil, nil)
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
        guard let mask else {
            throw RecipeError.inputRefused("\(ct.source.name): this recipe needs the liver's mask")
        }
        let upright = try Preparation.refusing {
            try LiverPreparation.run(
                ct: reading?.applied(to: ct) ?? ct, liver: mask,
                tumour: LoadedImage(volume: truth.with(truth.voxels.map { Float($0) }), source: ct.source),
                settings: preset.slices, pool: pool)
        }
        return [
            ReferenceAnswer(name: "none", isFirst: true, masks: ["mask": upright.sourceLiver]),
            ReferenceAnswer(
                name: "oracle", isFirst: false, masks: ["mask": upright.back(upright.tumour!, pool: pool)]),
        ]
    }
}
