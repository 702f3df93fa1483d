import Coordinator
import Foundation
import Imaging
import Numerics
import Platform
import Recipes

/// `quintet demo`
enum DemoCommand: Command {
    static let syntax = CommandSyntax(
        "demo", "See it all on made-up CTs, in minutes, on this machine.",
        options: [
            Option("--out", "DIR", "where to write; default demo"),
            Option("--iterations", "N", "optimiser steps per replica; default: preset demo's"),
            Option("--replicas", "N", "default 5"),
            Option("--seed", "N", "default 1"),
            Option("--healthy", "N", "healthy CTs to learn from; default 6"),
            Option("--diseased", "N", "diseased CTs to segment; default 4"),
            Option("--quiet", nil, "say only what goes wrong"),
        ],
        details: """
            Makes chest CTs; trains the replicas with two worker processes, kills one of them with SIGKILL on the way
            and lets another finish its replica; segments diseased CTs that no training ever saw, whose lesions are
            not made by the generator that trained it; compares with the truth.
            Leaves DIR/report.html, DIR/overview.png, the run and the masks as NIfTI.
            """)

    static let interruption: String? = "interrupted; quintet demo begins anew"

    static func run(_ arguments: Arguments) throws -> ExitCode {
        var preset = Preset.demo
        if let iterations = try arguments.integer("--iterations", 1...1_000_000) { preset.iterations = iterations }
        let demo = Demo(
            out: arguments.text("--out") ?? "demo", preset: preset,
            seed: UInt64(try arguments.integer("--seed", 0...Int.max) ?? 1),
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
    let out: String
    let preset: Preset
    let seed: UInt64
    let replicaCount: Int
    let healthyCount: Int
    let diseasedCount: Int
    let progress: ProgressLine
    private let pace = Pace()

    init(
        out: String, preset: Preset, seed: UInt64, replicaCount: Int, healthyCount: Int, diseasedCount: Int,
        progress: ProgressLine
    ) {
        self.out = out
        self.preset = preset
        self.seed = seed
        self.replicaCount = replicaCount
        self.healthyCount = healthyCount
        self.diseasedCount = diseasedCount
        self.progress = progress
    }

    func run() throws {
        try clear()
        let pool = ThreadPool(threadCount: Machine.coreCount)
        step(1, "phantoms: made-up chest CTs, healthy ones to learn from, diseased ones to find lesions in")
        let spacing = Spacing(zMM: 2, yMM: 1.6, xMM: 1.6)
        try PhantomCommand.make(
            output: folder("phantoms"), healthy: healthyCount, diseased: diseasedCount, seed: seed, spacing: spacing,
            pool: pool, progress: progress)

        step(2, "prepare: lung masks made here, no mask is given")
        _ = try PrepareCommand.prepare(
            inputs: Inputs(Archive(["\(out)/phantoms/healthy"])), table: SliceTable([]), preset: preset,
            output: folder("data"), pool: pool, progress: progress)

        step(3, "train: \(replicaCount) replicas, two worker processes, one of which will be killed")
        let session = try ClusterSession(
            ownStateFolder: "\(out)/cluster", leaseSeconds: 4, workerProcesses: 2, progress: progress)
        defer { session.close() }
        let plan = try TrainingPlan(
            data: DataFolder("\(out)/data"), run: "\(out)/run", preset: preset, seed: seed,
            replicaCount: replicaCount, checkpointSeconds: 3)
        try FileSystem.makeFolder(plan.run)
        let kill = DemoKill(session: session, progress: progress)
        let training = try TrainCommand.train(plan, session: session, progress: progress, whileWaiting: kill.watch)
        kill.tellOutcome()

        step(4, "segment: diseased CTs that training never saw, every answer by majority")
        let run = try RunFolder(plan.run)
        var configuration = run.configuration
        configuration.memberAnswers = true
        _ = try SegmentCommand.segment(
            SegmentationPlan(
                run: run, configuration: configuration, inputs: Inputs(Archive(["\(out)/phantoms/diseased"])),
                output: folder("masks")),
            session: session, progress: progress)

        step(5, "evaluate: against the truth that the phantoms know")
        let (evaluation, _) = try EvaluateCommand.evaluate(
            pred: "\(out)/masks", truth: "\(out)/phantoms/lesions",
            reference: (try Archive(["\(out)/phantoms/diseased"]), run), pool: pool, progress: progress)
        try tell(evaluation, run: run, training: training, kill: kill)
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
        _ evaluation: Evaluation, run: RunFolder, training: RunReport, kill: DemoKill
    ) throws {
        let overview = try DemoPictures(out: out).overview()
        try AtomicFile.write(overview, to: "\(out)/overview.png")
        let verdict = DemoVerdict(evaluation: evaluation, replicaCount: replicaCount)
        let seconds = Console.duration(seconds: pace.elapsedSeconds)
        Console.out("")
        Console.out(evaluation.table().text())
        Console.out("")
        verdict.lines.forEach(Console.out)
        Console.out("")
        Console.out("Percent, mean ± standard deviation over \(evaluation.names.count) diseased CTs. \"none\": nothing "
            + "is called healthy; \"oracle\": a network that is exactly right.")
        Console.out("\(out)/report.html, \(out)/overview.png, masks in \(out)/masks, replicas in \(out)/run "
            + "(\(seconds))")

        var report = HTMLReport(title: "Quintet: the demo")
        report.paragraph("Made-up chest CTs; \(replicaCount) replicas trained on \(healthyCount) healthy ones for "
            + "\(run.configuration.iterations) iterations each, without a single label; \(evaluation.names.count) "
            + "diseased ones, which training never saw, segmented by majority vote. The whole took \(seconds).")
        report.heading("Answers against the truth")
        report.table(evaluation.table(), emphasised: ["vote"])
        verdict.lines.forEach { report.paragraph($0) }
        report.picture(png: overview, caption: "Each row is one diseased CT in the slice with most lesion: the CT, the "
            + "truth (amber), the vote's answer (red).")
        report.heading("The replica whose worker was killed")
        report.paragraph(kill.outcome)
        report.heading("Training")
        training.charts().forEach { report.chart($0) }
        report.table(training.replicaTable())
        if let table = training.calibrationTable() {
            report.heading("Threshold, calibrated without labels")
            report.table(table, emphasised: ["\(run.configuration.healthyThreshold ?? 0)"])
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

    init(evaluation: Evaluation, replicaCount: Int) {
        func percent(_ value: Double?) -> String { value.map { String(format: "%.1f", 100 * $0) } ?? "-" }
        let vote = evaluation.meanDice("vote"), none = evaluation.meanDice("none")
        let oracle = evaluation.meanDice("oracle")
        let members = (0..<replicaCount).compactMap { evaluation.meanDice("replica-\($0)") }
        let mean = members.isEmpty ? nil : members.reduce(0, +) / Double(members.count)
        func line(_ text: String, _ holds: Bool?) -> String { (holds == true ? "yes  " : "NO   ") + text }
        lines = [
            line("the vote's Dice (\(percent(vote))) is at least 10 points above \"none\" (\(percent(none)))",
                vote.flatMap { vote in none.map { vote >= $0 + 0.10 } }),
            line("it is at least three quarters of \"oracle\" (\(percent(oracle)))",
                vote.flatMap { vote in oracle.map { vote >= 0.75 * $0 } }),
            line("it is at least the mean of its members (\(percent(mean)))",
                vote.flatMap { vote in mean.map { vote >= $0 } }),
        ]
    }
}
