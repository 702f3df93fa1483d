import Foundation
import Imaging
import ModelCore
import Numerics
import SynthData
import VotingAggregator

/// The first recipe: a network learns what normal lung looks like from healthy CTs and synthetic lesions; what it does
/// not recognise is a lesion (Yao et al., NormNet). method.md A.
///
/// Roles of inputs. train, calibrate: "dataset" (dataset.json), "image" and "lung" (its files); train may have "state",
/// what a shorter run's replicas ended with; calibrate also "replica". predict, finish: "ct", optionally "lung";
/// predict also "replica"; finish also "voted" and "votes", every replica's ballot.
public struct LungNormNet: Recipe {
    public static let name = "lung-normnet"
    private let prepared: PreparedCache
    private let inferences = InferenceCache()

    public init() { self.init(preparedByteCountMax: PreparedCache.byteCountMax) }

    /// - Parameter preparedByteCountMax: of volumes kept from their predict to their finish.
    package init(preparedByteCountMax: Int) { prepared = PreparedCache(byteCountMax: preparedByteCountMax) }

    public func proveArithmetic(pool: ThreadPool) throws -> [UInt8] { try ArithmeticProof.bytes(pool: pool) }

    public func makeSession(
        _ step: RecipeStep, inputs: [RecipeInput], resume: String?, resources: RecipeResources
    ) throws -> any TrainingSession {
        guard step.label == "train" else { throw RecipeError.unknownStep(step.label) }
        return try makeTrainingSession(
            parameters: step.parameters, seed: step.seed, replica: step.replica, inputs: inputs, resume: resume,
            resources: resources)
    }

    public func perform(
        _ step: RecipeStep, inputs: [RecipeInput], resources: RecipeResources
    ) throws -> RecipeResult {
        switch step.label {
        case "calibrate":
            return try calibrate(parameters: step.parameters, seed: step.seed, inputs: inputs, resources: resources)
        case "predict": return try predict(parameters: step.parameters, inputs: inputs, resources: resources)
        case "finish": return try finish(parameters: step.parameters, inputs: inputs, resources: resources)
        default: throw RecipeError.unknownStep(step.label)
        }
    }

    public func prepareAhead(
        _ step: RecipeStep, inputs: [RecipeInput], memoryByteCount: UInt64, resources: RecipeResources
    ) throws {
        guard step.label == "predict" || step.label == "finish" else { return }
        try prepared.prepareAhead(
            LungRunConfiguration(json: step.parameters), inputs, memoryByteCount: memoryByteCount, resources)
    }

    public func makeTrainingSession(
        parameters: String, seed: UInt64, replica: Int, inputs: [RecipeInput], resume: String?,
        resources: RecipeResources
    ) throws -> any TrainingSession {
        inferences.empty()
        prepared.empty()
        return try LungTrainingSession(
            configuration: LungRunConfiguration(json: parameters), seed: seed, replica: replica, inputs: inputs,
            resume: resume, resources: resources)
    }

    public func calibrate(
        parameters: String, seed: UInt64, inputs: [RecipeInput], resources: RecipeResources
    ) throws -> RecipeResult {
        let configuration = try LungRunConfiguration(json: parameters)
        if let fixed = configuration.preset.healthyThreshold {
            let report = CalibrationReport(healthyThreshold: fixed, diceByThreshold: [:])
            return RecipeResult(outputs: [], reportJSON: JSONText.encode(report))
        }
        let slabs = try CalibrationSlabs(inputs: inputs, configuration: configuration, seed: seed)
        var calibration = try ThresholdCalibration(
            replicas: inputs, configuration: configuration, resources: resources)
        for number in 0..<slabs.count {
            try calibration.add(slabs.slab(number))
            resources.reportProgress(Double(number + 1) / Double(slabs.count))
        }
        return RecipeResult(outputs: [], reportJSON: JSONText.encode(calibration.report))
    }

    public func predict(
        parameters: String, inputs: [RecipeInput], resources: RecipeResources
    ) throws -> RecipeResult {
        let configuration = try LungRunConfiguration(json: parameters)
        guard let threshold = configuration.healthyThreshold else {
            throw RecipeError.inputRefused("the run has no healthy threshold; it was not calibrated")
        }
        let volume = try prepared.volume(configuration, inputs, resources)
        let models = try inferences.models(inputs, configuration.preset.networkConfiguration())
        let start = resources.nowNanoseconds()
        let inference = inferences.take(
            slab: try configuration.slab(holding: volume.lung.shape, name: volume.source.name), pool: resources.pool)
        defer { inferences.keep(inference) }
        let networkStart = inference.networkNanoseconds
        var outputs: [RecipeOutput] = []
        var probabilities = configuration.wants(.probabilities) ? LungProbabilities(lung: volume.lung) : nil
        for (number, model) in models.enumerated() {
            probabilities?.begin()
            let votes = try inference.votes(
                model: model, intensity: volume.intensity, lung: volume.lung, threshold: threshold,
                resources: resources, use: { probabilities?.add($0, $1) })
            outputs.append(RecipeOutput(role: "votes", name: "replica-\(number)", bytes: votes.bytes()))
            resources.reportProgress(Double(number + 1) / Double(models.count))
        }
        let milliseconds = (resources.nowNanoseconds() - start) / 1_000_000
        resources.log("\(volume.source.name): \(models.count) replicas in \(milliseconds) ms, of it "
            + "\((inference.networkNanoseconds - networkStart) / 1_000_000) ms in the networks")
        return RecipeResult(outputs: outputs + (probabilities?.outputs() ?? []), reportJSON: "{}")
    }

    public func finish(
        parameters: String, inputs: [RecipeInput], resources: RecipeResources
    ) throws -> RecipeResult {
        let configuration = try LungRunConfiguration(json: parameters)
        let start = resources.nowNanoseconds()
        var writeNanoseconds: UInt64 = 0
        let volume = try prepared.volume(configuration, inputs, isLastUse: true, resources)
        guard let voted = inputs.first(where: { $0.role == "voted" }) else {
            throw RecipeError.inputRefused("the volume has no vote to finish")
        }
        let votes = inputs.filter { $0.role == "votes" }
        var ballots = [("vote", voted)]
        if configuration.memberAnswers { ballots += votes.map { ($0.name, $0) } }
        var outputs: [RecipeOutput] = []
        var figures: [String: LungAnswer.Figures] = [:]
        for (number, (name, input)) in ballots.enumerated() {
            if resources.isCancelled() { throw RecipeError.interrupted }
            let healthy = try BitMask(bytes: try InputFile.bytes(input))
            var answer = try LungAnswer(
                healthy: healthy, volume: volume, preset: configuration.preset, pool: resources.pool)
            if name == "vote", !votes.isEmpty {
                try answer.compare(
                    withBallots: votes.map { try BitMask(bytes: InputFile.bytes($0)) }, name: volume.source.name)
            }
            if name == "vote", configuration.extras != nil {
                let extras = try LungExtraFiles(
                    configuration: configuration, volume: volume, inputs: inputs, pool: resources.pool
                ).outputs(of: answer)
                outputs += extras.files
                answer.figures.lesions = extras.lesions
            }
            let answered = resources.nowNanoseconds()
            outputs += answer.outputs(
                name: name, description: configuration.maskDescription, pool: resources.pool)
            writeNanoseconds += resources.nowNanoseconds() - answered
            figures[name] = answer.figures
            resources.reportProgress(Double(number + 1) / Double(ballots.count))
        }
        let finished = resources.nowNanoseconds()
        outputs.append(RecipeOutput(
            role: "lung", name: "lung",
            bytes: NIfTIFile.encode(
                volume.sourceLung, like: volume.source, isMask: true,
                description: configuration.maskDescription ?? NIfTIFile.program)))
        writeNanoseconds += resources.nowNanoseconds() - finished
        let milliseconds = (resources.nowNanoseconds() - start) / 1_000_000
        resources.log("\(volume.source.name): finished in \(milliseconds) ms, of it "
            + "\(writeNanoseconds / 1_000_000) ms writing")
        return RecipeResult(outputs: outputs, reportJSON: JSONText.encode(figures))
    }
}

/// Keeps the networks' memory and weights from one volume to the next: a new block's pages are all cleared first, and
/// files would be read and parsed for each CT of an archive. A training frees both.
private final class InferenceCache: @unchecked Sendable {
    // Unchecked: what changes is only touched under `lock`.
    private let lock = NSLock()
    private var last: EnsembleInference?
    private var lastModels: (key: String, models: [UNetModel])?

    /// The replicas' weights.
    func models(_ inputs: [RecipeInput], _ network: UNetConfiguration) throws -> [UNetModel] {
        // Paths of inputs name their content's digest.
        let key = inputs.filter { $0.role == "replica" }.map(\.path).joined(separator: "|") + "\(network)"
        lock.lock()
        defer { lock.unlock() }
        if let lastModels, lastModels.key == key { return lastModels.models }
        lastModels = nil
        let models = try EnsembleInference.loadReplicas(inputs, network: network)
        lastModels = (key, models)
        return models
    }

    /// The caller's alone until it is kept again.
    func take(slab: TensorShape3D, pool: ThreadPool) -> EnsembleInference {
        lock.lock()
        defer { lock.unlock() }
        let found = last
        last = nil
        if let found, found.slab == slab, found.pool === pool { return found }
        return EnsembleInference(slab: slab, pool: pool)
    }

    func keep(_ inference: EnsembleInference) {
        lock.lock()
        last = inference
        lock.unlock()
    }

    func empty() {
        lock.lock()
        (last, lastModels) = (nil, nil)
        lock.unlock()
    }
}
