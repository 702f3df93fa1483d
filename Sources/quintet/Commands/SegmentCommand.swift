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
                    "--in", "ARCHIVE", "CTs: a file or a folder; or give --list or --pairs", isRepeatable: true),
                Option("--list", "FILE", "a text with a CT's path in each line, instead of --in"),
                Option("--out", "DIR", "where to write", isRequired: true),
            ] + Inputs.options(choice.recipe) + [
                Option("--members", nil, "each replica's own answer too, for evaluate"),
                Option("--dicom-seg", nil, "DIR/NAME.seg.dcm too, of CTs that are DICOM series; it names the patient"),
                Option("--keep-identity", nil, "DICOM's patient, study and series in DIR's table and page"),
            ] + guide.options + [
                ReadingArguments.addHU, ReadingArguments.labels(of: choice.recipe.preparationGuide.masks.noun),
                Option(
                    "--overwrite", nil,
                    "replace files in DIR that quintet did not write, and answers of other settings"),
            ] + streaming + ClusterOptions.submitting + [
                Option("--json", nil, "the figures of every volume as JSON on stdout"),
                Option("--quiet", nil, "say only what goes wrong"),
            ],
            details: details(guide))
    }

    private static let streaming = [
        Option("--dry-run", nil, "only say how many CTs, how large, how long, and what would be refused"),
        Option("--limit", "N", "send at most N CTs; the same command without it goes on"),
        Option("--retry-failed", nil, "CTs that were refused before, once more"),
        Option("--watch", nil, "take CTs as they appear in ARCHIVE, until Ctrl-C"),
        Option("--window", "GIB", "CTs that may lie at the coordinator at a time; default 8"),
        Option("--shared", "ROOT", "a file system that workers started with --shared see, too: read and write there"),
        Option("--sqlite", nil, "write DIR/archive.sqlite, too"),
    ]

    private static func details(_ guide: AnswerGuide) -> String {
        """
        Masks lie on each CT's own grid: same shape, spacing, orientation and affine. NAME is the CT's path below
        the archive, so that an answer keeps its CT whatever is added: patA/ct.nii.gz gives patA/ct.nii.gz.
        \(guide.details)
        A CT that cannot be used is named with the reason; the others go on, and the exit code is then 3.
        Ctrl-C ends cleanly. The same command goes on where it stopped, takes what is new in the archive, and neither
        reads nor computes again what has its answer. A CT that was moved or copied keeps it.

        example: quintet segment --run run --in archive --out masks
        """
    }

    /// Work is handed back and a checkpoint kept.
    static let interruption: String? = nil

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let progress = ProgressLine(quiet: arguments.has("--quiet"))
        let run = try RunFolder(arguments.required("--run"), in: arguments.choice.registry)
        let reading = try ReadingArguments.options(arguments), hasMembers = arguments.has("--members")
        let settings = try run.answering(arguments.values, memberAnswers: hasMembers, reading: reading)
        let out = try arguments.required("--out"), inputs = try inputs(arguments)
        var journal = try ArchiveJournal(folder: out)
        let plan = SegmentationPlan(
            run: run, settings: settings, hasMemberAnswers: hasMembers, reading: reading, inputs: try inputs(),
            output: try OutputFolder(out, kind: "segment", mayOverwrite: arguments.has("--overwrite")),
            options: try options(arguments, out: out, lookAgain: inputs))
        try plan.check(journal)
        if arguments.has("--dry-run") { return try ArchivePreview(plan, journal).tell(arguments.has("--json")) }
        let claim = try plan.output.claim()
        defer { withExtendedLifetime(claim) {} }
        try plan.begin(&journal)
        plan.inputs.tell(progress, as: "refused")
        let session = try ClusterSession(
            arguments, stateFolder: arguments.text("--state") ?? "\(out)/.quintet", progress: progress)
        defer { session.close() }
        let rows = try session.tellingInterruption {
            try segment(plan, journal, session: session, progress: progress)
        }
        if arguments.has("--json") {
            Console.out(JSONText.encode(AnswerTable.json(rows, run.recipe.answerGuide), pretty: true))
        }
        let refused = rows.filter { $0.refused != nil }.count
        if refused == rows.count { throw CommandError("none of the \(rows.count) CTs could be used; see above") }
        if session.isDisputed { return .failed }
        let areWhole = !plan.options.writesObjects || !rows.contains(where: \.lacksObject)
        return refused == 0 && areWhole ? .done : .doneWithRefusals
    }

    /// Looks through the archive, as often as it is called.
    private static func inputs(_ arguments: Arguments) throws -> () throws -> Inputs {
        let list = arguments.text("--list")
        guard arguments.has("--in") || arguments.has("--pairs") || list != nil else {
            throw UsageError("--in is needed: the CTs, a file or a folder; or --list, or --pairs, a table of CTs and "
                + "masks")
        }
        guard list == nil || !arguments.has("--in") else {
            throw UsageError("--in and --list both say which CTs; give one of them")
        }
        let isWatching = arguments.has("--watch")
        return {
            if let list { return try Inputs(list: list, arguments) }
            return try Inputs(arguments.all("--in"), arguments, mayBeEmpty: isWatching)
        }
    }

    private static func options(
        _ arguments: Arguments, out: String, lookAgain: @escaping () throws -> Inputs
    ) throws -> StreamOptions {
        var options = StreamOptions()
        if let gibibytes = try arguments.number("--window", 0.001...1_000_000) {
            options.windowByteCount = UInt64(gibibytes * Double(1 << 30))
        }
        options.limit = try arguments.integer("--limit", 1...100_000_000)
        options.retriesRefused = arguments.has("--retry-failed")
        options.writesDatabase = arguments.has("--sqlite")
        options.writesObjects = arguments.has("--dicom-seg")
        options.keepsIdentity = arguments.has("--keep-identity")
        options.isWatching = arguments.has("--watch")
        options.lookAgain = lookAgain
        options.shared = try arguments.text("--shared").map { try SharedRoot($0) }
        if let shared = options.shared, arguments.text("--coordinator") == nil {
            throw UsageError("--shared \(shared.path) is for workers elsewhere: give --coordinator")
        }
        return options
    }

    /// Also the demo's: sends CTs, fetches answers as they come, keeps archive.csv and report.html.
    static func segment(
        _ plan: SegmentationPlan, _ journal: ArchiveJournal, session: ClusterSession, progress: ProgressLine
    ) throws -> [AnswerRow] {
        let stream = ArchiveStream(plan, journal, session: session, progress: progress)
        try stream.flow()
        let done = stream.table.ownCount - stream.table.ownRefusedCount
        progress.say("segmented \(done) of \(stream.table.ownCount) CTs into \(plan.output.path), computed "
            + "\(stream.computedCount) (\(Console.duration(seconds: stream.pace.elapsedSeconds)))")
        return stream.table.ownRows
    }
}
