import Coordinator
import Foundation
import ModelCore
import Numerics
import Platform
import Protocol
import Recipes
import VotingAggregator

/// `quintet train`
enum TrainCommand: Command {
    static let syntax = CommandSyntax(
        "train", "Train the replicas of an ensemble, here or on a cluster.",
        options: [
            Option("--data", "DATA", "a data set made by quintet prepare"),
            Option("--run", "RUN", "the run's folder"),
            Option("--replicas", "N", "how many; odd, so that a vote is never tied; default 5"),
            Option("--seed", "N", "the run's seed; the same seed gives the same bytes; default 1"),
            Option("--recipe", "NAME", "what to train; lung-normnet is the one there is"),
            Option("--preset", "NAME", "paper, lab or demo; default: the one the data set was prepared for"),
        ] + PresetOptions.training + ClusterOptions.submitting + [
            Option("--checkpoint-seconds", "N", "how much a crash may cost; default 60"),
            Option("--json", nil, "run.json on stdout when done"),
            Option("--quiet", nil, "no progress"),
        ],
        details: """
            Without --coordinator everything runs inside this process; with it, the run is submitted to a cluster and
            the data set goes there over the wire. Ctrl-C ends cleanly; the same command goes on where it stopped.
            Writes RUN/replica-0.safetensors ..., run.json, metrics.csv and report.html.

            example: quintet train --data data --run run --preset lab
            """)

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let plan = try TrainingPlan(arguments)
        if let warning = MajorityVote.warning(voterCount: plan.replicaCount) { Console.error("quintet: \(warning)") }
        let progress = ProgressLine(quiet: arguments.has("--quiet"))
        try FileSystem.makeFolder(plan.run)
        let session = try ClusterSession(
            arguments, stateFolder: "\(plan.run)/.quintet", progress: progress)
        defer { session.close() }
        progress.say(try plan.memoryText())
        let report = try train(plan, session: session, progress: progress)
        if arguments.text("--coordinator") == nil {
            progress.say("memory of this process: at most \(Machine.peakResidentByteCount >> 20) MiB")
        }
        if arguments.has("--json") { Console.out(JSONText.encode(report.description, pretty: true)) }
        return .done
    }

    /// Also the demo's: submits, waits, fetches.
    static func train(
        _ plan: TrainingPlan, session: ClusterSession, progress: ProgressLine,
        whileWaiting: (StatusReport.Run) throws -> Void = { _ in }
    ) throws -> RunReport {
        let inputs = try session.publish(plan.data.files(), progress: progress)
        let run = try session.client.submit(plan.submission(inputs: inputs))
        _ = try session.wait(for: run, progress: progress, whileWaiting: whileWaiting)
        return try collect(plan, run: run, inputs: inputs, session: session, progress: progress)
    }

    private static func collect(
        _ plan: TrainingPlan, run: RunID, inputs: [BlobReference], session: ClusterSession, progress: ProgressLine
    ) throws -> RunReport {
        let outputs = try session.client.outputs(of: run)
        if let refused = outputs.first(where: { $0.state == .refused }) {
            throw CommandError("\(refused.name) could not be trained: \(refused.report)")
        }
        var digests: [String] = []
        var metrics: [RunReport.Metric] = []
        var times: [ReplicaReport] = []
        for replica in 0..<plan.replicaCount {
            guard let output = outputs.first(where: { $0.stage == .train && $0.name == "replica-\(replica)" }),
                let weights = output.outputs.first(where: { $0.role == "replica" })
            else { throw CommandError("the coordinator has no weights of replica \(replica)") }
            try session.download(weights, to: RunFolder.replicaPath(plan.run, replica))
            digests.append("\(weights.digest)")
            // Figures for people only: a worker that gives none has trained all the same.
            do {
                times.append(try JSONText.decode(
                    ReplicaReport.self, output.report, what: "the report of replica \(replica)"))
            } catch RecipeError.inputRefused(let problem) {
                progress.say("left out: \(problem)")
            }
            metrics += try session.client.metrics(of: run, replica: replica).map {
                RunReport.Metric(
                    replica: replica, iteration: Int($0.iteration), loss: $0.loss, dice: $0.dice, seconds: $0.seconds)
            }
        }
        guard let calibration = outputs.first(where: { $0.stage == .calibrate }) else {
            throw CommandError("the coordinator has no calibration of the run")
        }
        let report = try report(of: calibration, run: run)
        var configuration = plan.configuration
        configuration.healthyThreshold = report.healthyThreshold
        let description = RunFolder.Description(
            recipe: LungNormNet.name, version: Version.text, seed: plan.seed, replicaCount: plan.replicaCount,
            configuration: configuration, dataSetDigest: "\(inputs[0].digest)", replicaDigests: digests,
            calibration: report.diceByThreshold)
        let page = RunReport(description: description, metrics: metrics, dataSet: plan.data.manifest)
        try AtomicFile.write(page.csv(), to: "\(plan.run)/metrics.csv")
        try AtomicFile.write(page.html(), to: "\(plan.run)/report.html")
        // Last: a folder with run.json is a finished run.
        try AtomicFile.write(
            JSONText.encode(description, pretty: true), to: RunFolder.descriptionPath(plan.run))
        progress.say("trained \(plan.replicaCount) replicas in \(plan.run); healthy above \(report.healthyThreshold)")
        progress.say(ReplicaReport.text(times))
        return page
    }
}

extension TrainCommand {
    /// Without a threshold there is no finished run.
    private static func report(of calibration: RunOutput, run: RunID) throws -> CalibrationReport {
        let remedy = "find out which worker answered so (quintet status --history), and train again without it under "
            + "another --seed, or with a fixed --threshold"
        do {
            let report = try JSONText.decode(
                CalibrationReport.self, calibration.report, what: "the report of the calibration of \(run)")
            guard (0...1).contains(report.healthyThreshold), report.diceByThreshold.values.allSatisfy(\.isFinite) else {
                throw CommandError("the calibration of \(run) says healthy above \(report.healthyThreshold), which is "
                    + "no probability; \(remedy)")
            }
            return report
        } catch RecipeError.inputRefused(let problem) {
            throw CommandError("\(problem.printable(most: 600)); \(remedy)")
        }
    }
}

/// What a worker says of a replica's training, as far as this program reads it.
private struct ReplicaReport: Codable {
    /// Of the steps under the last lease.
    var seconds: Double
    /// What of it passed waiting for samples.
    var waitingSeconds: Double

    static func text(_ reports: [ReplicaReport]) -> String {
        let seconds = reports.map(\.seconds).reduce(0, +), waiting = reports.map(\.waitingSeconds).reduce(0, +)
        let share = seconds > 0 ? 100 * waiting / seconds : 0
        return "training waited \(Text.fixed(waiting, 2)) s of \(Text.fixed(seconds, 1)) s for samples "
            + "(\(Text.fixed(share, 2)) %)"
    }
}

/// What to train, from the command line.
struct TrainingPlan {
    var data: DataFolder
    var run: String
    var configuration: LungRunConfiguration
    var seed: UInt64
    var replicaCount: Int
    var checkpointSeconds: Int

    init(_ arguments: Arguments) throws {
        data = try DataFolder(arguments.required("--data"))
        run = try arguments.required("--run")
        if let recipe = arguments.text("--recipe"), recipe != LungNormNet.name {
            throw UsageError("there is no recipe \"\(recipe)\"; \(LungNormNet.name) is the one there is")
        }
        let preset = try PresetOptions.override(data.preset(arguments), arguments)
        seed = UInt64(try arguments.integer("--seed", 0...Int.max) ?? 1)
        replicaCount = try arguments.integer("--replicas", 1...Limits.replicasMax) ?? 5
        checkpointSeconds = try arguments.integer("--checkpoint-seconds", 1...86_400) ?? 60
        configuration = try Self.configuration(preset, data: data)
    }

    init(
        data: DataFolder, run: String, preset: Preset, seed: UInt64, replicaCount: Int, checkpointSeconds: Int
    ) throws {
        self.data = data
        self.run = run
        self.seed = seed
        self.replicaCount = replicaCount
        self.checkpointSeconds = checkpointSeconds
        configuration = try Self.configuration(preset, data: data)
    }

    /// - Throws: when the preset is impossible, before anything is sent anywhere.
    private static func configuration(_ preset: Preset, data: DataFolder) throws -> LungRunConfiguration {
        _ = try preset.networkConfiguration()
        let product = preset.strideProduct
        guard preset.slabDepth % product == 0 else {
            throw CommandError("slabs of \(preset.slabDepth) slices do not fit strides whose product is \(product); "
                + "take a multiple of \(product) for --slab")
        }
        func fitted(_ size: Int) -> Int { (size + product - 1) / product * product }
        guard fitted(data.manifest.planeHeight) == data.manifest.planeHeight,
            fitted(data.manifest.planeWidth) == data.manifest.planeWidth
        else {
            throw CommandError("planes of \(data.manifest.planeHeight)x\(data.manifest.planeWidth) do not fit strides "
                + "whose product is \(product); prepare again with --plane \(fitted(data.manifest.planeHeight)),"
                + "\(fitted(data.manifest.planeWidth))")
        }
        return LungRunConfiguration(
            preset: preset, planeHeight: data.manifest.planeHeight, planeWidth: data.manifest.planeWidth,
            iterations: preset.iterations, healthyThreshold: preset.healthyThreshold)
    }

    /// What a worker will take for the network, before it takes it.
    func memoryText() throws -> String {
        let preset = configuration.preset, shape = configuration.slabShape
        let byteCount = try UNetTrainer.arenaByteCount(configuration: preset.networkConfiguration(), shape: shape)
        return "network memory: \(byteCount >> 20) MiB planned for steps of \(preset.batch) x \(shape)"
    }

    func submission(inputs: [BlobReference]) -> Submission {
        let parameters = configuration.json()
        // The same command again is the same run: it goes on.
        let identity = "train \(seed) \(replicaCount) \(inputs[0].digest) \(parameters)"
        return Submission(
            kind: .train, recipe: LungNormNet.name, parameters: parameters, seed: seed,
            replicaCount: UInt16(replicaCount), iterationCount: UInt32(configuration.iterations),
            checkpointSeconds: UInt32(checkpointSeconds), inputs: inputs, volumeManifest: nil,
            idempotencyKey: SHA256.hexadecimal(of: Array(identity.utf8)))
    }
}
