import Foundation
import Imaging
import Numerics
import Platform
import Protocol
import Recipes

/// `quintet segment`
enum SegmentCommand: RecipeCommand {
    static let recipeSource: RecipeChoice.Source? = .run("--run")

    static func syntax(_ choice: RecipeChoice) -> CommandSyntax {
        let guide = choice.recipe.answerGuide
        return CommandSyntax(
            "segment", guide.summary,
            options: [
                Option("--run", "RUN", "a finished run's folder", isRequired: true),
                Option(
                    "--in", "ARCHIVE", "CTs: a file or a folder; needed unless --pairs is given", isRepeatable: true),
                Option("--out", "DIR", "where to write", isRequired: true),
            ] + Inputs.options(choice.recipe) + [
                Option("--members", nil, "each replica's own answer too, for evaluate"),
            ] + guide.options + [
                ReadingArguments.addHU, ReadingArguments.labels(of: choice.recipe.preparationGuide.masks.noun),
                Option(
                    "--overwrite", nil,
                    "replace files in DIR that quintet did not write, and answers of other settings"),
            ] + ClusterOptions.submitting + [
                Option("--json", nil, "the figures of every volume as JSON on stdout"),
                Option("--quiet", nil, "say only what goes wrong"),
            ],
            details: details(guide))
    }

    private static func details(_ guide: AnswerGuide) -> String {
        """
        Masks lie on each CT's own grid: same shape, spacing, orientation and affine. NAME is the CT's path below
        the archive, so that an answer keeps its CT whatever is added: patA/ct.nii.gz gives patA/ct.nii.gz.
        \(guide.details)
        A CT that cannot be used is named with the reason; the others go on, and the exit code is then 3.
        Ctrl-C ends cleanly; the same command goes on where it stopped.

        example: quintet segment --run run --in archive --out masks
        """
    }

    /// Work is handed back and a checkpoint kept.
    static let interruption: String? = nil

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let progress = ProgressLine(quiet: arguments.has("--quiet"))
        let run = try RunFolder(arguments.required("--run"), in: arguments.choice.registry)
        let reading = try ReadingArguments.options(arguments), hasMembers = arguments.has("--members")
        let settings = try run.settings.answering(arguments.values, memberAnswers: hasMembers, reading: reading)
        let out = try arguments.required("--out")
        guard arguments.has("--in") || arguments.has("--pairs") else {
            throw UsageError("--in is needed: the CTs, a file or a folder; or --pairs, a table of CTs and masks")
        }
        let plan = SegmentationPlan(
            run: run, settings: settings, hasMemberAnswers: hasMembers, addHU: reading?.addHU,
            inputs: try Inputs(arguments.all("--in"), arguments),
            output: try OutputFolder(out, kind: "segment", mayOverwrite: arguments.has("--overwrite")))
        try plan.check()
        let claim = try plan.output.claim()
        defer { withExtendedLifetime(claim) {} }
        plan.inputs.tell(progress, as: "refused")
        let session = try ClusterSession(
            arguments, stateFolder: arguments.text("--state") ?? "\(out)/.quintet", progress: progress)
        defer { session.close() }
        let rows = try session.tellingInterruption { try segment(plan, session: session, progress: progress) }
        if arguments.has("--json") {
            Console.out(JSONText.encode(ResultTable.json(rows, run.recipe.answerGuide), pretty: true))
        }
        let refused = rows.filter { $0.refused != nil }.count
        if refused == rows.count { throw CommandError("none of the \(rows.count) CTs could be used; see above") }
        if session.isDisputed { return .failed }
        return refused == 0 ? .done : .doneWithRefusals
    }

    /// Also the demo's: submits, fetches answers as they come, writes results.csv.
    static func segment(
        _ plan: SegmentationPlan, session: ClusterSession, progress: ProgressLine
    ) throws -> [ResultTable.Row] {
        var table = try plan.table()
        for one in plan.inputs.archive.refused {
            table.add(.init(name: one.name, source: one.path, refused: one.message))
        }
        let pace = Pace()
        func refuse(_ item: Archive.Item, _ message: String) {
            table.add(.init(name: item.name, source: item.path, refused: message))
            progress.warn("refused: \(message)")
        }
        let volumes = try publish(plan, session: session, progress: progress, refuse: refuse)
        let allowed = try plan.refusingOtherCTs(volumes) { item, message in
            // The name's row is that of the CT whose answer lies there.
            table.add(.init(name: item.path, source: item.path, refused: message))
            progress.warn("refused: \(message)")
        }
        if !allowed.isEmpty {
            let run = try session.submit(
                plan.submission(allowed, session: session), folder: plan.output.path, progress: progress)
            var answers = AnswerCollector(plan: plan, session: session, run: run, progress: progress)
            _ = try session.wait(for: run, progress: progress, onChange: { try answers.fetch(into: &table) })
            // All of them once more: what came again, for its blob was lost, may have changed the order.
            try answers.fetchAll(into: &table)
        }
        try plan.output.write(table.csv(), to: SegmentationFolder.resultsName)
        try plan.output.settle()
        let done = table.ownRows.filter { $0.refused == nil }.count
        progress.say("segmented \(done) of \(table.ownRows.count) CTs into \(plan.output.path) "
            + "(\(Console.duration(seconds: pace.elapsedSeconds)))")
        return table.ownRows
    }

    private static func publish(
        _ plan: SegmentationPlan, session: ClusterSession, progress: ProgressLine,
        refuse: (Archive.Item, String) -> Void
    ) throws -> [ItemSubmission] {
        var volumes: [ItemSubmission] = []
        let pace = Pace(), items = plan.inputs.archive.items
        for (number, item) in items.enumerated() {
            let left = pace.secondsLeft(fraction: Double(number) / Double(items.count))
            progress.show("reading \(item.name), \(number + 1) of \(items.count)"
                + (left.map { ", \(Console.duration(seconds: $0)) left" } ?? ""))
            try StopWatch.check()
            do {
                volumes.append(try plan.volume(item, session: session))
            } catch {
                guard let message = PrepareCommand.refusal(error) else { throw error }
                refuse(item, message)
            }
        }
        return volumes
    }
}

/// Brings answers to their folder as they come.
private struct AnswerCollector {
    let plan: SegmentationPlan
    let session: ClusterSession
    let run: RunID
    let progress: ProgressLine
    private let items: [String: Archive.Item]
    /// Which answer of each volume lies in the folder: one that was made again has another number.
    private var fetched: [String: UInt64] = [:]
    /// The last output that was seen.
    private var sequence: UInt64 = 0

    init(plan: SegmentationPlan, session: ClusterSession, run: RunID, progress: ProgressLine) {
        (self.plan, self.session, self.run, self.progress) = (plan, session, run, progress)
        items = Dictionary(plan.inputs.archive.items.map { ($0.label, $0) }, uniquingKeysWith: { first, _ in first })
    }

    mutating func fetchAll(into table: inout ResultTable) throws {
        sequence = 0
        try fetch(into: &table)
    }

    /// What has come since the last time.
    mutating func fetch(into table: inout ResultTable) throws {
        let outputs = try session.client.outputs(of: run, after: sequence)
        sequence = outputs.last?.sequence ?? sequence
        for output in outputs where fetched[output.name] != output.sequence {
            guard let item = items[output.name] else { continue }
            switch (output.state, output.step) {
            case (.refused, _): refuse(item, output.report, &table)
            case (.done, plan.guide.step):
                do {
                    let row = try collect(output, item: item)
                    table.add(row)
                    for warning in row.warnings ?? [] { progress.warn("warning: \(item.path): \(warning)") }
                } catch let error as UnusableAnswer {
                    refuse(item, "\(item.path): \(error.problem.printable(most: 600)); find out which worker "
                        + "answered so (quintet status --history), and segment it again without that one", &table)
                }
            default: continue
            }
            fetched[output.name] = output.sequence
        }
    }

    private func refuse(_ item: Archive.Item, _ message: String, _ table: inout ResultTable) {
        table.add(.init(name: item.name, source: item.path, refused: message))
        progress.warn("refused: \(message)")
    }

    /// An answer that no honest worker gives. It costs the other volumes nothing.
    private struct UnusableAnswer: Error {
        var problem: String
    }

    /// - Throws: `UnusableAnswer`, before anything of the volume is written.
    private func collect(_ output: RunOutput, item: Archive.Item) throws -> ResultTable.Row {
        let (figures, warnings) = try figures(of: output)
        // What an answer is called has come from a worker: nothing but the names that there are becomes a path.
        let answers = Set(["vote"] + (0..<plan.run.description.replicaCount).map { "replica-\($0)" })
        let masks = Dictionary(uniqueKeysWithValues: plan.guide.masks.map { ($0.role, $0) })
        let voted = output.outputs.filter { masks[$0.role]?.isOfAnswer ?? false }
        if let stranger = voted.first(where: { !answers.contains($0.name) }) {
            throw UnusableAnswer(problem: "a worker answered as '\(stranger.name)', which is no voter")
        }
        guard voted.contains(where: { $0.role == plan.guide.masks[0].role && $0.name == "vote" }) else {
            throw UnusableAnswer(problem: "a worker answered without the vote's mask")
        }
        for blob in output.outputs {
            guard let mask = masks[blob.role] else { continue }
            try download(blob, to: SegmentationFolder.fileName(
                item.name, answer: mask.isOfAnswer ? blob.name : "vote", mask))
        }
        return ResultTable.Row(
            name: item.name, source: item.path, figures: figures,
            mask: try plan.inputs.masks?.mask(for: item) ?? "made here", addHU: plan.addHU,
            warnings: warnings?.prefix(20).map { $0.printable(most: 600) })
    }

    private func download(_ blob: BlobReference, to name: String) throws {
        try plan.output.willWrite(name, digest: "\(blob.digest)")
        try session.download(blob, to: plan.output.path(of: name))
    }

    /// The vote's.
    private func figures(of output: RunOutput) throws -> (figures: [String: Double], warnings: [String]?) {
        let report: [String: JSONValue]?
        do {
            report = try JSONText.decode(
                [String: [String: JSONValue]].self, output.report, what: "a worker's report")["vote"]
        } catch RecipeError.inputRefused(let problem) {
            throw UnusableAnswer(problem: problem)
        }
        guard let report else { throw UnusableAnswer(problem: "a worker's report lacks the vote's figures") }
        let figures = try plan.guide.figures.map { figure in
            guard let value = report[figure.name]?.double else {
                throw UnusableAnswer(problem: "a worker's report lacks the vote's figure \(figure.name)")
            }
            return (figure.name, value)
        }
        let warnings = try report["warnings"].map { warnings in
            guard let texts = warnings.texts else {
                throw UnusableAnswer(problem: "a worker's report has warnings that are no text")
            }
            return texts
        }
        let all = Dictionary(uniqueKeysWithValues: figures)
        if let problem = plan.run.recipe.problem(inFigures: all) {
            throw UnusableAnswer(problem: "a worker's figures are impossible (\(problem))")
        }
        return (all, warnings)
    }
}

/// What to segment, with what.
struct SegmentationPlan {
    var run: RunFolder
    var settings: any RunSettings
    /// `--members`
    var hasMemberAnswers: Bool
    /// What is added to the CTs' values.
    var addHU: Double?
    var inputs: Inputs
    var output: OutputFolder

    /// What fixes the answers in a folder: a table with answers of two ensembles would be neither's.
    private struct Settings: Codable, Equatable {
        var recipe: String
        var replicaDigests: [String]
        /// As in run.json.
        var otherDigests: [String: String]?
        var configuration: JSONValue
    }

    /// Which CT an answer in the folder is of: its content, and where it lay.
    private struct AnsweredCT: Codable {
        var digest: String
        var path: String
    }

    private static let answeredName = ".quintet-cts.json"

    var guide: AnswerGuide { run.recipe.answerGuide }

    private var identity: Settings {
        Settings(
            recipe: run.description.recipe, replicaDigests: run.description.replicaDigests,
            otherDigests: run.description.otherDigests, configuration: settings.answerIdentity.value)
    }

    /// Before anything is written.
    /// - Throws: `CommandError` when something in the folder or the archive is in the way.
    func check() throws {
        try inputs.checkOutside(output.path)
        let folder = SegmentationFolder(output.path, guide)
        if let reserved = inputs.archive.items.first(where: { folder.isReserved($0.name) }) {
            throw CommandError("\(reserved.path): a folder of that name in \(output.path) holds other files of the "
                + "answers; rename the folder in the archive, or name it alone by --in")
        }
        if let earlier = earlierSettings(), earlier != identity, !output.mayOverwrite {
            throw CommandError("\(output.path) holds answers with other settings ("
                + SettingsComparison.differences(from: earlier, to: identity).joined(separator: ", ")
                + "); choose another folder, or say --overwrite to replace them")
        }
        let answers = ["vote"] + (hasMemberAnswers
            ? (0..<run.description.replicaCount).map { "replica-\($0)" } : [])
        let names = inputs.archive.items.flatMap { SegmentationFolder.names($0.name, answers: answers, guide) }
        try output.check(
            names + [SegmentationFolder.resultsName, SegmentationFolder.settingsName, Self.answeredName],
            inputs: inputs.paths + run.replicaPaths + [RunFolder.descriptionPath(run.path)])
    }

    private func earlierSettings() -> Settings? {
        let path = output.path(of: SegmentationFolder.settingsName)
        guard let bytes = try? FileSystem.read(path, byteCountMax: 1 << 20) else { return nil }
        return try? JSONText.decode(Settings.self, String(decoding: bytes, as: UTF8.self), what: path)
    }

    /// The table to go on with: earlier answers and their rows stay, unless they are of other settings.
    func table() throws -> ResultTable {
        let keepsRows = earlierSettings().map { $0 == identity } ?? true
        if !keepsRows { try output.removeOwnFiles() }
        try output.write(JSONText.encode(identity, pretty: true), to: SegmentationFolder.settingsName)
        return ResultTable(guide, keeping: keepsRows ? output.path(of: SegmentationFolder.resultsName) : nil)
    }

    /// A CT and its mask as blobs. A CT in two files becomes one: its header alone would be no use to a worker.
    func volume(_ item: Archive.Item, session: ClusterSession) throws -> ItemSubmission {
        func blob(_ role: String, _ path: String, name: String) throws -> BlobReference {
            if let joined = try ImageFile.joined(path: path, name: path) {
                return try session.publish(bytes: joined, role: role, name: name)
            }
            return try session.publish(role: role, name: name, path: path)
        }
        // The mask first: when it is missing, nothing of the CT has to travel.
        let mask = try inputs.masks?.mask(for: item).map { mask in
            let name = WireName.fitting(mask.printable(most: .max), byteCountMax: Limits.nameBytesMax)
            return try blob(guide.givenMaskRole, mask, name: name)
        }
        let ct = try blob("ct", item.path, name: item.fileLabel)
        return ItemSubmission(name: item.label, inputs: [ct] + (mask.map { [$0] } ?? []))
    }

    /// An answer in the folder belongs to one CT for good: the same file, changed or not, or the same bytes wherever
    /// they lie. Another CT of the same name, as in a loop over patients' folders that all hold a ct.nii.gz, has no
    /// place there.
    /// - Returns: those of the volumes that may be answered.
    func refusingOtherCTs(
        _ volumes: [ItemSubmission], refuse: (Archive.Item, String) -> Void
    ) throws -> [ItemSubmission] {
        let file = output.path(of: Self.answeredName)
        let bytes = FileSystem.exists(file) ? try FileSystem.read(file, byteCountMax: 256 << 20) : Array("{}".utf8)
        var answered = try JSONText.decode(
            [String: AnsweredCT].self, String(decoding: bytes, as: UTF8.self), what: file)
        let items = Dictionary(inputs.archive.items.map { ($0.label, $0) }, uniquingKeysWith: { first, _ in first })
        let allowed = try volumes.filter { volume in
            guard let item = items[volume.name] else { return false }
            let now = AnsweredCT(
                digest: "\(volume.inputs[0].digest)", path: try FileSystem.absolutePath(item.path))
            if let before = answered[item.name], before.digest != now.digest, before.path != now.path,
                !output.mayOverwrite
            {
                refuse(item, "\(item.path): \(output.path) holds the answer of another CT of this name "
                    + "(\(before.path)); name another folder, or the folder above both by --in")
                return false
            }
            answered[item.name] = now
            return true
        }
        try output.write(JSONText.encode(answered, pretty: true), to: Self.answeredName)
        return allowed
    }

    func submission(_ volumes: [ItemSubmission], session: ClusterSession) throws -> Submission {
        let replicas = try run.replicas.map { replica in
            let blob = try session.publish(
                role: replica.weights.role, name: "\(replica.weights.stem)-\(replica.number)", path: replica.path)
            try run.check(replica, digest: "\(blob.digest)")
            return blob
        }
        let manifest = try session.publish(
            bytes: ItemManifest.encode(volumes), role: "volumes", name: "volumes")
        let parameters = settings.json()
        let identity = "segment \(manifest.digest) \(replicas.map { "\($0.digest)" }) \(parameters)"
        return Submission(
            plan: Plan(settings.answerPlan), recipe: run.recipe.name, parameters: parameters,
            seed: run.description.seed, replicaCount: UInt16(run.description.replicaCount),
            checkpointSeconds: 60, inputs: replicas, itemManifest: manifest,
            idempotencyKey: SHA256.hexadecimal(of: Array(identity.utf8)))
    }
}
