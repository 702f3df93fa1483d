import Imaging
import ModelCore
import Numerics
import VotingAggregator

/// The second recipe: a network learns to restore livers with made-up anomalies, and on what it restores a second one
/// learns, lightly, to segment them; what it then finds in real livers are tumours (Zhang, Deng and Li). method.md B.
///
/// Roles of inputs. restore, segment, together: "dataset" (dataset.json) and "image" (its files); segment also
/// "replica", what restore ended with; restore and segment that stand behind together have that alone. predict, finish:
/// "ct" and "liver"; predict also "restorer" and "replica", as many of both; finish also "voted" and "votes".
public struct LiverRestoreSegment: Recipe {
    public static let name = "liver-restore-segment"

    public init() {}

    public func makeSession(
        _ step: RecipeStep, inputs: [RecipeInput], resume: String?, resources: RecipeResources
    ) throws -> any TrainingSession {
        let configuration = try LiverRunConfiguration(json: step.parameters)
        func task(_ stage: LiverSamples.Stage) -> LiverStageTask {
            LiverStageTask(configuration: configuration, stage: stage, seed: step.seed, replica: step.replica)
        }
        switch step.label {
        case "restore":
            return try LiverTrainingSession(
                task(.restoration), network: configuration.preset.restorer(), inputs: inputs, resume: resume,
                resources: resources)
        case "segment":
            return try LiverTrainingSession(
                task(.segmentation), network: configuration.preset.segmenter(), inputs: inputs, resume: resume,
                resources: resources)
        case "together":
            return try LiverTrainingSession(
                task(.together), network: configuration.preset.both(), inputs: inputs, resume: resume,
                resources: resources)
        default: throw RecipeError.unknownStep(step.label)
        }
    }

    public func perform(
        _ step: RecipeStep, inputs: [RecipeInput], resources: RecipeResources
    ) throws -> RecipeResult {
        let configuration = try LiverRunConfiguration(json: step.parameters)
        switch step.label {
        case "restore", "segment":
            let part = try LiverJointReplica.part(
                of: LiverReplicas.file(inputs, role: "replica", number: 0), step: step.label)
            let output = RecipeOutput(role: "replica", name: "replica-\(step.replica)", bytes: part.serialised())
            return RecipeResult(outputs: [output], reportJSON: "{}")
        case "predict": return try predict(configuration, inputs, resources)
        case "finish": return try finish(configuration, inputs, resources)
        default: throw RecipeError.unknownStep(step.label)
        }
    }

    public func proveArithmetic(pool: ThreadPool) throws -> [UInt8] { try LiverProof.bytes(pool: pool) }

    private func predict(
        _ configuration: LiverRunConfiguration, _ inputs: [RecipeInput], _ resources: RecipeResources
    ) throws -> RecipeResult {
        let liver = try prepared(configuration, inputs, resources), preset = configuration.preset
        let count = inputs.count { $0.role == "replica" }
        let inference = LiverInference(preset: preset, pool: resources.pool)
        var outputs: [RecipeOutput] = []
        for number in 0..<count {
            let (restorer, segmenter) = try LiverReplicas.pair(inputs, number: number, preset: preset)
            let votes = try inference.votes(
                liver, restorer: restorer, segmenter: segmenter, isCancelled: resources.isCancelled)
            outputs.append(RecipeOutput(role: "votes", name: "replica-\(number)", bytes: votes.bytes()))
            resources.reportProgress(Double(number + 1) / Double(count))
        }
        return RecipeResult(outputs: outputs, reportJSON: "{}")
    }

    private func finish(
        _ configuration: LiverRunConfiguration, _ inputs: [RecipeInput], _ resources: RecipeResources
    ) throws -> RecipeResult {
        let liver = try prepared(configuration, inputs, resources)
        guard let voted = inputs.first(where: { $0.role == "voted" }) else {
            throw RecipeError.inputRefused("the volume has no vote to finish")
        }
        var ballots = [("vote", voted)]
        if configuration.memberAnswers { ballots += inputs.filter { $0.role == "votes" }.map { ($0.name, $0) } }
        var outputs: [RecipeOutput] = [], figures: [String: LiverAnswers.Figures] = [:]
        func encoded(_ mask: Mask) -> [UInt8] {
            NIfTIFile.encode(
                mask, like: liver.source, isMask: true,
                description: configuration.maskDescription ?? NIfTIFile.program)
        }
        for (name, input) in ballots {
            let bits = try BitMask(bytes: try InputFile.bytes(input))
            guard bits.shape == liver.pixels.shape else {
                throw RecipeError.inputRefused("\(input.name) is a vote on \(bits.shape), not on \(liver.pixels.shape)")
            }
            let tumour = liver.back(bits.mask(geometry: liver.pixels.geometry), pool: resources.pool)
            outputs.append(RecipeOutput(role: "mask", name: name, bytes: encoded(tumour)))
            figures[name] = LiverAnswers.Figures(liver, tumour: tumour)
        }
        outputs.append(RecipeOutput(role: "liver", name: "liver", bytes: encoded(liver.sourceLiver)))
        return RecipeResult(outputs: outputs, reportJSON: JSONText.encode(figures))
    }

    private func prepared(
        _ configuration: LiverRunConfiguration, _ inputs: [RecipeInput], _ resources: RecipeResources
    ) throws -> PreparedLiver {
        guard let ct = inputs.first(where: { $0.role == "ct" }) else {
            throw RecipeError.inputRefused("the volume has no CT")
        }
        guard let mask = inputs.first(where: { $0.role == "liver" }) else {
            throw RecipeError.inputRefused("\(ct.name): this recipe needs the liver's mask; give one with --masks")
        }
        return try Preparation.refusing {
            let image = try ImageFile.read(single: ct.path, name: ct.name)
            return try LiverPreparation.run(
                ct: configuration.reading?.applied(to: image) ?? image,
                liver: ImageFile.read(single: mask.path, name: mask.name), liverLabels: configuration.reading?.labels,
                settings: configuration.preset.slices, pool: resources.pool, isCancelled: resources.isCancelled)
        }
    }
}
