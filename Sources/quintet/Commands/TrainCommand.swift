import Coordinator
import Foundation
import Platform
import Protocol
import Recipes
import VotingAggregator

/// `quintet train`
enum TrainCommand: RecipeCommand {
    static let recipeSource: RecipeChoice.Source? = .dataSet("--data")

    static func syntax(_ choice: RecipeChoice) -> CommandSyntax {
        CommandSyntax(
            "train", "Train the replicas of an ensemble, here or on a cluster.",
            options: [
                Option("--data", "DATA", "a data set made by quintet prepare", isRequired: true),
                Option("--run", "RUN", "the run's folder", isRequired: true),
                Option("--replicas", "N", "how many; odd, so that a vote is never tied; default 5"),
                Option("--seed", "N", "the run's seed; the same seed gives the same bytes; default 1"),
                RecipeChoice.option(choice, otherwise: "the data set's"),
            ] + choice.recipe.trainingGuide.options + ClusterOptions.submitting + [
                Option("--extend", "N", "go on with the finished run RUN, with its own settings, to N iterations"),
                Option("--overwrite", nil, "replace the run of other settings that is in RUN"),
                Option("--tensorboard", "DIR", "figures as TensorBoard's event files, too, as they come"),
                Option("--checkpoint-seconds", "N", "how much a crash may cost; default 60"),
                Option("--json", nil, "run.json on stdout when done"),
                Option("--quiet", nil, "say only what goes wrong"),
            ],
            details: details)
    }

    private static var details: String {
        """
        Without --coordinator everything runs inside this process; with it, the run is submitted to a cluster and
        the data set goes there over the wire. Ctrl-C ends cleanly; the same command goes on where it stopped.
        Writes RUN/replica-0.safetensors ..., run.json, metrics.csv and report.html. With --tensorboard the curves of
        each replica (loss, Dice, seconds, learning rate) grow in DIR/replica-0 ... as well, for tensorboard --logdir
        DIR; the same command after a stop goes on there, too.

        example: quintet train --data data --run run --preset lab
        """
    }

    /// Work is handed back and a checkpoint kept.
    static let interruption: String? = nil

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let plan = try TrainingPlan(arguments)
        if let warning = MajorityVote.warning(voterCount: plan.replicaCount) { Console.error("quintet: \(warning)") }
        let progress = ProgressLine(quiet: arguments.has("--quiet"))
        let request = plan.request
        try plan.check()
        let board = try arguments.text("--tensorboard").map { try TensorBoardFolder($0, plan) }
        try board?.write(plan.knownMetrics())
        if case .finished(let run) = try plan.state() {
            try run.checkReplicas()
            progress.say("\(plan.run) is trained with these settings already; nothing is to be done")
            if arguments.has("--json") { Console.out(JSONText.encode(run.description, pretty: true)) }
            return .done
        }
        let claim = try plan.output.claim()
        defer { withExtendedLifetime(claim) {} }
        if try TrainingRequest(of: plan.run).map({ $0 != request }) ?? false {
            // Given up by --overwrite, or finished.
            try FileSystem.removeTree("\(plan.run)/.quintet")
        }
        try plan.output.write(JSONText.encode(request, pretty: true), to: TrainingRequest.fileName)
        let session = try ClusterSession(
            arguments, stateFolder: arguments.text("--state") ?? "\(plan.run)/.quintet", progress: progress)
        defer { session.close() }
        progress.say(try plan.memoryText())
        let report = try session.tellingInterruption {
            try train(plan, session: session, board: board, progress: progress)
        }
        if arguments.text("--coordinator") == nil {
            progress.say("memory of this process: at most \(Machine.peakResidentByteCount >> 20) MiB")
        }
        if arguments.has("--json") { Console.out(JSONText.encode(report.description, pretty: true)) }
        return session.isDisputed ? .failed : .done
    }

    /// Also the demo's: submits, waits, fetches.
    static func train(
        _ plan: TrainingPlan, session: ClusterSession, board: TensorBoardFolder? = nil, progress: ProgressLine,
        whileWaiting: (StatusReport.Run) throws -> Void = { _ in }
    ) throws -> RunReport {
        let files = plan.data.files()
        var inputs = try session.publish(files.map { ($0.role, $0.label, $0.path) }, progress: progress)
        for (file, blob) in zip(files, inputs) { try plan.data.check(file, digest: "\(blob.digest)") }
        inputs += try session.publish(plan.states(progress: progress), progress: progress)
        let run = try session.submit(
            plan.submission(inputs: inputs), folder: plan.run, progress: progress)
        _ = try session.wait(for: run, progress: progress, whileWaiting: {
            try whileWaiting($0)
            try board?.look(at: run, over: session)
        })
        try board?.write(run, over: session)
        return try collect(plan, run: run, inputs: inputs, session: session, progress: progress)
    }

    private static func collect(
        _ plan: TrainingPlan, run: RunID, inputs: [BlobReference], session: ClusterSession, progress: ProgressLine
    ) throws -> RunReport {
        let outputs = try session.client.outputs(of: run)
        if let refused = outputs.first(where: { $0.state == .refused }) {
            throw CommandError("\(refused.name) could not be trained: \(refused.report)")
        }
        var digests: [[String]] = []
        var metrics: [RunReport.Metric] = []
        var times: [ReplicaReport] = []
        var incoming = IncomingFiles(output: plan.output)
        for weights in plan.recipe.trainingGuide.weights {
            digests.append([])
            for replica in 0..<plan.replicaCount {
                guard let output = outputs.first(where: { $0.step == weights.step && $0.name == "replica-\(replica)" }),
                    let blob = output.outputs.first(where: { $0.role == "replica" })
                else { throw CommandError("the coordinator has no weights of \(weights.stem) \(replica)") }
                try incoming.fetch(blob, as: RunFolder.name(weights, replica), over: session)
                if let state = output.outputs.first(where: { $0.role == "state" }) {
                    try incoming.fetch(state, as: RunFolder.stateName(weights, replica), over: session)
                }
                digests[digests.count - 1].append("\(blob.digest)")
            }
        }
        let sessions = plan.settings.trainingPlan.sessions
        for step in sessions {
            for output in outputs where output.step == step {
                // Figures for people only: a worker that gives none has trained all the same.
                do {
                    let name = output.name.replacing("-", with: " ") + (sessions.count > 1 ? " (\(step))" : "")
                    times.append(try JSONText.decode(
                        ReplicaReport.self, output.report, what: "the report of \(name)"))
                } catch RecipeError.inputRefused(let problem) {
                    progress.warn("left out: \(problem)")
                }
            }
            for replica in 0..<plan.replicaCount {
                metrics += try session.client.figures(of: run, step: step, replica: replica).map {
                    RunReport.Metric(step: step, replica: replica, iteration: Int($0.iteration), values: $0.values)
                }
            }
        }
        let outcome = try plan.settings.concluded(try reports(plan, outputs, run: run), run: "\(run)")
        let page = RunReport(
            description: try plan.description(
                outcome, digests: digests, dataSetDigest: "\(inputs[0].digest)",
                arithmetic: session.standing(of: run).arithmetic),
            settings: outcome.settings, recipe: plan.recipe,
            metrics: (try plan.earlierMetrics(before: metrics) + metrics).sorted { $0.order < $1.order },
            dataSet: plan.data.dataSet)
        try land(page, incoming, in: plan)
        progress.say("trained \(plan.replicaCount) replicas in \(plan.run)"
            + (outcome.text.isEmpty ? "" : "; \(outcome.text)"))
        progress.say(ReplicaReport.text(times))
        return page
    }

    /// What the steps say that are done once, behind the sessions.
    private static func reports(_ plan: TrainingPlan, _ outputs: [RunOutput], run: RunID) throws -> [String: String] {
        var reports: [String: String] = [:]
        for step in plan.settings.trainingPlan.steps where step.kind == .task && step.fan == .once {
            guard let output = outputs.first(where: { $0.step == step.label }) else {
                throw CommandError("the coordinator has no result of the step \(step.label) of \(run)")
            }
            reports[step.label] = output.report
        }
        return reports
    }

    /// All replicas take their places together, and run.json comes last: a folder whose run.json names its replicas'
    /// digests is a finished run, at whatever moment the machine stops.
    private static func land(_ page: RunReport, _ incoming: IncomingFiles, in plan: TrainingPlan) throws {
        try incoming.land()
        try plan.output.write(page.csv(), to: "metrics.csv")
        try plan.output.write(page.html(), to: "report.html")
        try plan.output.write(JSONText.encode(page.description, pretty: true), to: RunFolder.descriptionName)
        try plan.output.settle()
    }
}

/// Files that are fetched aside and then take their places at once, so that no mixture of two runs can come of it.
private struct IncomingFiles {
    private let output: OutputFolder
    private var digests: [(name: String, digest: String)] = []

    init(output: OutputFolder) { self.output = output }

    private func aside(_ name: String) -> String { output.path(of: ".quintet-incoming/\(name)") }

    mutating func fetch(_ blob: BlobReference, as name: String, over session: ClusterSession) throws {
        try session.download(blob, to: aside(name))
        digests.append((name, "\(blob.digest)"))
    }

    func land() throws {
        for (name, digest) in digests {
            try output.willWrite(name, digest: digest)
            try FileSystem.rename(aside(name), to: output.path(of: name))
        }
        try FileSystem.removeTree(output.path(of: ".quintet-incoming"))
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
    var settings: any RunSettings
    var seed: UInt64
    var replicaCount: Int
    var checkpointSeconds: Int
    /// `--extend`: the finished run that goes on.
    private var extended: RunFolder?
    private var mayOverwrite = false
    private let choice: RecipeChoice
    let output: OutputFolder

    var recipe: any RecipePlugIn { choice.recipe }

    init(_ arguments: Arguments) throws {
        choice = arguments.choice
        data = try DataFolder(arguments.required("--data"), choice)
        run = try arguments.required("--run")
        mayOverwrite = arguments.has("--overwrite")
        output = try OutputFolder(run, kind: "train", mayOverwrite: mayOverwrite)
        checkpointSeconds = try arguments.integer("--checkpoint-seconds", 1...86_400) ?? 60
        if let iterations = try arguments.integer("--extend", 1...10_000_000) {
            let fixed = ["--seed", "--replicas"] + choice.recipe.trainingGuide.options.map(\.name)
            if let option = fixed.first(where: arguments.has) {
                throw UsageError("\(option) cannot be given with --extend, which goes on with the run's own settings")
            }
            let finished = try RunFolder(run, in: choice.registry)
            (seed, replicaCount) = (finished.description.seed, finished.description.replicaCount)
            settings = try finished.settings.extended(to: iterations, run: run)
            extended = finished
            return
        }
        settings = try data.dataSet.settings(arguments.values, folder: data.path)
        seed = UInt64(try arguments.integer("--seed", 0...Int.max) ?? 1)
        replicaCount = try arguments.integer("--replicas", 1...Limits.replicasMax) ?? 5
    }

    init(
        data: DataFolder, run: String, values: OptionValues, seed: UInt64, replicaCount: Int, checkpointSeconds: Int,
        choice: RecipeChoice
    ) throws {
        self.data = data
        self.run = run
        self.seed = seed
        self.replicaCount = replicaCount
        self.checkpointSeconds = checkpointSeconds
        self.choice = choice
        output = try OutputFolder(run, kind: "train", mayOverwrite: false)
        settings = try data.dataSet.settings(values, folder: data.path)
    }

    var request: TrainingRequest {
        TrainingRequest(
            recipe: recipe.name, seed: seed, replicaCount: replicaCount, settings: settings,
            dataSetDigest: data.digest)
    }

    /// - Throws: `CommandError` when RUN is none of ours, or of other settings.
    func state() throws -> RunState {
        if let extended, extended.description.dataSetDigest != data.digest {
            throw CommandError("\(data.path) is not the data set that \(run) was trained with: its dataset.json has "
                + "changed; name that one, or train anew in another folder")
        }
        return try RunState(
            of: run, request: request, isExtension: extended != nil, mayOverwrite: mayOverwrite, choice: choice)
    }

    /// - Throws: `CommandError` when a file that would be written is an input or somebody else's.
    func check() throws {
        if case .finished = try state() { return }
        let replicas = recipe.trainingGuide.weights.flatMap { weights in
            (0..<replicaCount).flatMap { [RunFolder.name(weights, $0), RunFolder.stateName(weights, $0)] }
        }
        try output.check(
            replicas + ["metrics.csv", "report.html", RunFolder.descriptionName, TrainingRequest.fileName],
            inputs: data.files().map(\.path))
    }

    /// For an extension, the replicas as they were at the end, optimiser included; without them training begins anew
    /// and comes to the same bytes.
    func states(progress: ProgressLine) throws -> [(role: String, name: String, path: String)] {
        guard let extended else { return [] }
        try extended.checkReplicas()
        let states = recipe.trainingGuide.weights.flatMap { weights in
            (0..<replicaCount).map { replica in
                ("state", "\(weights.stem)-\(replica)", "\(run)/" + RunFolder.stateName(weights, replica))
            }
        }
        guard states.allSatisfy({ FileSystem.exists($0.2) }) else {
            progress.say("\(run) has not kept its optimisers' states: it is trained from the beginning, to the same "
                + "bytes")
            return []
        }
        return states
    }

    /// An extension's figures begin where the run's end.
    func earlierMetrics(before new: [RunReport.Metric]) throws -> [RunReport.Metric] {
        guard extended != nil else { return [] }
        let firsts = Dictionary(new.map { ("\($0.step) \($0.replica)", $0.iteration) }, uniquingKeysWith: min)
        return try metricsThere().filter { $0.iteration < firsts["\($0.step) \($0.replica)"] ?? 0 }
    }

    /// Figures of the run that is there with these settings, finished or to go on; none of one that is replaced.
    func knownMetrics() throws -> [RunReport.Metric] {
        if case .finished = try state() { return try metricsThere() }
        return extended == nil ? [] : try metricsThere()
    }

    private func metricsThere() throws -> [RunReport.Metric] {
        let path = "\(run)/metrics.csv"
        guard FileSystem.exists(path) else { return [] }
        let bytes = try FileSystem.read(path, byteCountMax: 1 << 30)
        return RunReport.metrics(csv: String(decoding: bytes, as: UTF8.self), of: settings, recipe)
    }

    /// run.json.
    /// - Parameter digests: of each of the recipe's weights, by replica.
    func description(
        _ outcome: TrainingOutcome, digests: [[String]], dataSetDigest: String, arithmetic: String?
    ) throws -> RunFolder.Description {
        let others = zip(recipe.trainingGuide.weights.dropLast(), digests).flatMap { weights, digests in
            digests.enumerated().map { (RunFolder.name(weights, $0.offset), $0.element) }
        }
        return RunFolder.Description(
            recipe: recipe.name, version: Version.text, seed: seed, replicaCount: replicaCount,
            configuration: outcome.settings.value, dataSetDigest: dataSetDigest, replicaDigests: digests.last ?? [],
            otherDigests: others.isEmpty ? nil : Dictionary(uniqueKeysWithValues: others),
            calibration: outcome.calibration, volumeCount: data.dataSet.volumeNames.count, arithmetic: arithmetic)
    }

    /// What a worker will take for the network, before it is taken.
    func memoryText() throws -> String {
        "network memory: \(try settings.memoryByteCount() >> 20) MiB planned for steps of \(settings.stepText)"
    }

    func submission(inputs: [BlobReference]) -> Submission {
        let parameters = settings.json()
        // The same command again is the same run: it goes on.
        let states = inputs.filter { $0.role == "state" }.map { " \($0.digest)" }.joined()
        let identity = "train \(seed) \(replicaCount) \(inputs[0].digest) \(parameters)\(states)"
        return Submission(
            plan: Plan(settings.trainingPlan), recipe: recipe.name,
            parameters: parameters, seed: seed, replicaCount: UInt16(replicaCount),
            checkpointSeconds: UInt32(checkpointSeconds), inputs: inputs, itemManifest: nil,
            idempotencyKey: SHA256.hexadecimal(of: Array(identity.utf8)),
            memoryByteCount: UInt64((try? settings.memoryByteCount()) ?? 0))
    }
}
