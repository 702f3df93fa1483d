import Coordinator
import Foundation
import Imaging
import Numerics
import Platform
import Recipes

/// `quintet demo`
enum DemoCommand: RecipeCommand {
    static func syntax(_ choice: RecipeChoice) -> CommandSyntax {
        CommandSyntax(
            "demo", "See it all on made-up CTs, in minutes, on this machine.",
            options: [
                Option("--out", "DIR", "where to write; default demo"),
                RecipeChoice.option(choice),
                Option("--iterations", "N", "optimiser steps per replica; default: preset demo's"),
                Option("--replicas", "N", "default 5"),
                Option("--seed", "N", "default 1"),
                Option("--healthy", "N", "healthy CTs to learn from; default 6"),
                Option("--diseased", "N", "diseased CTs to segment; default 4"),
                Option("--quiet", nil, "say only what goes wrong"),
            ],
            details: """
                \(choice.recipe.demonstration?.details ?? "The recipe \(choice.recipe.name) has no demo.")
                Leaves DIR/report.html, DIR/overview.png, the run and the masks as NIfTI.
                """)
    }

    static let interruption: String? = "interrupted; quintet demo begins anew"

    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard let demonstration = arguments.recipe.demonstration else {
            throw CommandError("the recipe \(arguments.recipe.name) has no demo")
        }
        var values = demonstration.values
        if let iterations = try arguments.integer("--iterations", 1...1_000_000) {
            guard arguments.recipe.trainingGuide.options.contains(where: { $0.name == "--iterations" }) else {
                throw UsageError("the recipe \(arguments.recipe.name) is not trained by --iterations; leave it out")
            }
            values["--iterations"] = ["\(iterations)"]
        }
        let demo = Demo(
            choice: arguments.choice, demonstration: demonstration, out: arguments.text("--out") ?? "demo",
            values: OptionValues(values), seed: UInt64(try arguments.integer("--seed", 0...Int.max) ?? 1),
            replicaCount: try arguments.integer("--replicas", 1...255) ?? 5,
            healthyCount: try arguments.integer("--healthy", 1...1000) ?? 6,
            diseasedCount: try arguments.integer("--diseased", 1...1000) ?? 4,
            progress: ProgressLine(quiet: arguments.has("--quiet")))
        try demo.run()
        return .done
    }
}

/// The demo's steps, each the same code as the command of its name.
struct Demo {
    let choice: RecipeChoice
    let demonstration: Demonstration
    let out: String
    /// Of preparation and training.
    let values: OptionValues
    let seed: UInt64
    let replicaCount: Int
    let healthyCount: Int
    let diseasedCount: Int
    let progress: ProgressLine
    private let pace = Pace()

    init(
        choice: RecipeChoice, demonstration: Demonstration, out: String, values: OptionValues, seed: UInt64,
        replicaCount: Int, healthyCount: Int, diseasedCount: Int, progress: ProgressLine
    ) {
        (self.choice, self.demonstration, self.out, self.values) = (choice, demonstration, out, values)
        self.seed = seed
        self.replicaCount = replicaCount
        self.healthyCount = healthyCount
        self.diseasedCount = diseasedCount
        self.progress = progress
    }

    func run() throws {
        try clear()
        let pool = ThreadPool(threadCount: Machine.coreCount), maker = try PhantomCommand.maker(of: choice.recipe)
        step(1, "phantoms: \(demonstration.phantomText)")
        try PhantomCommand.make(
            maker, output: folder("phantoms"), healthy: healthyCount, diseased: diseasedCount, seed: seed,
            spacing: maker.spacing, pool: pool, progress: progress)

        step(2, "prepare: \(demonstration.preparationText)")
        _ = try PrepareCommand.prepare(
            inputs: inputs("healthy", maker), table: SliceTable([]),
            preparation: choice.recipe.preparation(values), output: folder("data"), choice: choice, pool: pool,
            progress: progress)

        step(3, "train: \(replicaCount) replicas, two worker processes, one of which will be killed")
        let session = try ClusterSession(
            ownStateFolder: "\(out)/cluster", leaseSeconds: 4, workerProcesses: 2, progress: progress)
        defer { session.close() }
        let plan = try TrainingPlan(
            data: DataFolder("\(out)/data", choice), run: "\(out)/run", values: values, seed: seed,
            replicaCount: replicaCount, checkpointSeconds: 3, choice: choice)
        try FileSystem.makeFolder(plan.run)
        let kill = DemoKill(session: session, progress: progress)
        let training = try TrainCommand.train(plan, session: session, progress: progress, whileWaiting: kill.watch)
        kill.tellOutcome()

        step(4, "segment: \(demonstration.answerText)")
        let run = try RunFolder(plan.run, in: choice.registry)
        let segmentation = SegmentationPlan(
            run: run, settings: try run.answering(OptionValues(), memberAnswers: true, reading: nil),
            hasMemberAnswers: true, inputs: try inputs("diseased", maker), output: try folder("masks"))
        try FileSystem.makeFolder("\(out)/masks")
        var journal = try ArchiveJournal(folder: "\(out)/masks")
        try segmentation.begin(&journal)
        _ = try SegmentCommand.segment(segmentation, journal, session: session, progress: progress)

        step(5, "evaluate: against the truth that the phantoms know")
        let (evaluation, _) = try EvaluateCommand.evaluate(
            pred: "\(out)/masks", truth: "\(out)/phantoms/\(maker.truthFolder)",
            reference: (try Archive(["\(out)/phantoms/diseased"]), run), choice: choice, pool: pool,
            progress: progress)
        try tell(evaluation, training: training, kill: kill, truthFolder: maker.truthFolder)
    }

    /// Where a mask can be made, none is given.
    private func inputs(_ part: String, _ maker: any PhantomMaker) throws -> Inputs {
        let archive = try Archive(["\(out)/phantoms/\(part)"])
        guard choice.recipe.preparationGuide.masks.isNeeded else { return Inputs(archive) }
        return Inputs(
            archive, masks: try MaskPairing(
                "\(out)/phantoms/\(maker.maskFolder)", archive: archive, canBeMade: false))
    }

    private static let parts = ["phantoms", "data", "run", "masks", "cluster"]
    private static let markName = ".quintet-demo"

    /// A part's folder and the command that writes it.
    private static let kinds = ["phantoms": "phantom", "data": "prepare", "run": "train", "masks": "segment"]

    private func folder(_ part: String) throws -> OutputFolder {
        try OutputFolder("\(out)/\(part)", kind: Self.kinds[part] ?? part, mayOverwrite: false)
    }

    /// A demo shows the road from its beginning; what an earlier one left would skip it. Nothing goes but that.
    private func clear() throws {
        let mark = "\(out)/\(Self.markName)"
        let files = ["report.html", "overview.png"]
        if !FileSystem.exists(mark), !isOfEarlierVersion {
            let strangers = (Self.parts + files).map { "\(out)/\($0)" }.filter(FileSystem.exists)
            guard strangers.isEmpty else {
                throw CommandError("\(OutputFolder.list(strangers)): there already, and of no demo that quintet knows "
                    + "of; name another folder by --out")
            }
        }
        // What somebody has put there since, or corrected by hand, stays.
        let parts = isOfEarlierVersion && !FileSystem.exists(mark) ? [] : Self.kinds.keys.sorted()
        let foreign = try parts.flatMap { part in try folder(part).strangers().map { "\(out)/\(part)/\($0)" } }
        guard foreign.isEmpty else {
            throw CommandError("\(OutputFolder.list(foreign)): no file as the demo wrote it, and a demo begins by "
                + "removing the one before; move it away, or name another folder by --out")
        }
        try FileSystem.makeFolder(out)
        try AtomicFile.write("the folders beside this file are a demo's; the next demo removes them\n", to: mark)
        for part in Self.parts { try FileSystem.removeTree("\(out)/\(part)") }
    }

    /// Version 0.1.0 left no mark.
    private var isOfEarlierVersion: Bool {
        (try? FileSystem.read("\(out)/report.html", offset: 0, count: 4096)).map {
            String(decoding: $0, as: UTF8.self).contains("<title>Quintet: the demo</title>")
        } ?? false
    }

    private func step(_ number: Int, _ text: String) { progress.say("\n[\(number)/5] \(text)") }

    private func tell(
        _ evaluation: Evaluation, training: RunReport, kill: DemoKill, truthFolder: String
    ) throws {
        let overview = try DemoPictures(
            out: out, truthFolder: truthFolder, guide: choice.recipe.answerGuide, window: demonstration.window
        ).overview()
        try AtomicFile.write(overview, to: "\(out)/overview.png")
        let verdict = DemoVerdict(
            demonstration.claims, evaluation: evaluation, replicaCount: replicaCount)
        let seconds = Console.duration(seconds: pace.elapsedSeconds)
        Console.out("")
        Console.out(evaluation.table().text())
        Console.out("")
        verdict.lines.forEach(Console.out)
        Console.out("")
        Console.out("Percent, mean ± standard deviation over \(evaluation.names.count) diseased CTs. "
            + demonstration.tableText)
        Console.out("\(out)/report.html, \(out)/overview.png, masks in \(out)/masks, replicas in \(out)/run "
            + "(\(seconds))")

        var report = HTMLReport(title: "Quintet: the demo")
        report.paragraph("\(demonstration.noun); \(replicaCount) replicas trained on \(healthyCount) healthy ones for "
            + "\(training.settings.iterationCount) iterations each, without a single label; \(evaluation.names.count) "
            + "diseased ones, which training never saw, segmented by majority vote. The whole took \(seconds).")
        report.heading("Answers against the truth")
        report.table(evaluation.table(), emphasised: ["vote"])
        verdict.lines.forEach { report.paragraph($0) }
        report.picture(png: overview, caption: "Each row is one diseased CT in the slice with most "
            + "\(demonstration.findingNoun): the CT, the "
            + "truth (amber), the vote's answer (red).")
        report.heading("The replica whose worker was killed")
        report.paragraph(kill.outcome)
        report.heading("Training")
        training.charts().forEach { report.chart($0) }
        report.table(training.replicaTable())
        for section in training.sections where section.table != nil {
            report.heading(section.headingAlone)
            report.table(of: section)
        }
        try AtomicFile.write(report.html(), to: "\(out)/report.html")
    }
}

/// Kills a worker process on the way, as soon as it has something to lose, and watches who goes on.
final class DemoKill {
    private let session: ClusterSession
    private let progress: ProgressLine
    private var victim: (replica: Int, iteration: Int, worker: String)?
    private(set) var outcome = "No worker was killed: training ended too soon."

    init(session: ClusterSession, progress: ProgressLine) {
        self.session = session
        self.progress = progress
    }

    func watch(_ status: StatusReport.Run) throws {
        guard let victim else {
            // Past a checkpoint, and far from done.
            let candidate = status.replicas?.first { replica in
                replica.state == "leased" && replica.checkpointIteration > 0
                    && replica.iteration < status.iterationCount * 9 / 10
            }
            guard let candidate, let worker = candidate.worker, session.killWorkerProcess(named: worker)
            else { return }
            let name = "replica-\(candidate.replica)"
            victim = (candidate.replica, Int(candidate.checkpointIteration), worker)
            outcome = "\(worker) was killed with SIGKILL while it trained \(name)."
            progress.say("SIGKILL to \(worker), which is at iteration \(candidate.iteration) of \(name); "
                + "its last checkpoint is iteration \(candidate.checkpointIteration)")
            try session.startWorkerProcess()
            return
        }
        guard let replica = status.replicas?.first(where: { $0.replica == victim.replica }),
            let worker = replica.worker, worker != victim.worker, !outcome.contains("went on")
        else { return }
        outcome = "\(victim.worker) was killed with SIGKILL while it trained replica-\(victim.replica); \(worker) went "
            + "on from the checkpoint at iteration \(victim.iteration)."
        progress.say("\(worker) goes on with replica-\(victim.replica), from iteration \(victim.iteration)")
    }

    func tellOutcome() { progress.say(outcome) }
}

/// What the demo claims, with the figures that came out.
struct DemoVerdict {
    let lines: [String]

    init(_ claims: [DemonstrationClaim], evaluation: Evaluation, replicaCount: Int) {
        func percent(_ value: Double?) -> String { value.map { String(format: "%.1f", 100 * $0) } ?? "-" }
        let members = (0..<replicaCount).compactMap { evaluation.meanDice("replica-\($0)") }
        let mean = members.isEmpty ? nil : members.reduce(0, +) / Double(members.count)
        let vote = evaluation.meanDice("vote")
        lines = claims.map { claim in
            let row = claim.row == "members" ? mean : evaluation.meanDice(claim.row)
            let holds = vote.flatMap { vote in row.map { vote >= claim.share * $0 + claim.margin } }
            return (holds == true ? "yes  " : "NO   ")
                + claim.text.replacing("%VOTE%", with: percent(vote)).replacing("%ROW%", with: percent(row))
        }
    }
}
