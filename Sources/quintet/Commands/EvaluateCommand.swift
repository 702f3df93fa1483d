import Foundation
import Imaging
import Numerics
import Platform
import Recipes
import VotingAggregator

/// `quintet evaluate`
enum EvaluateCommand: Command {
    static let syntax = CommandSyntax(
        "evaluate", "Compare answers with the truth: Dice, precision, sensitivity.",
        options: [
            Option("--pred", "DIR", "what quintet segment wrote (or any folder of masks)", isRequired: true),
            Option("--truth", "DIR", "true lesion masks of the same names", isRequired: true),
            Option("--run", "RUN", "the run that answered; with --ct it adds the rows \"none\" and \"oracle\""),
            Option("--ct", "DIR", "the CTs"),
            Option("--threads", "N", "threads; default all"),
            Option("--json", nil, "one JSON object on stdout"),
            Option("--quiet", nil, "no progress"),
        ],
        details: """
            Percent, mean ± standard deviation over the volumes. Rows are the vote and, where segment was asked for
            --members, each replica. "none" is what post-processing alone finds when nothing is called healthy; a
            method not clearly above it has learnt nothing. "oracle" is a network that is exactly right: what the
            post-processing can reach at best.

            example: quintet evaluate --pred masks --truth truth --run run --ct cts
            """)

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let progress = ProgressLine(quiet: arguments.has("--quiet"))
        let pool = ThreadPool(threadCount: try Threads.count(arguments))
        var reference: (archive: Archive, run: RunFolder)?
        if let run = arguments.text("--run"), let ct = arguments.text("--ct") {
            reference = (try Archive([ct]), try RunFolder(run))
        } else if arguments.has("--run") || arguments.has("--ct") {
            throw UsageError("--run and --ct go together")
        }
        let (evaluation, refused) = try evaluate(
            pred: arguments.required("--pred"), truth: arguments.required("--truth"), reference: reference,
            pool: pool, progress: progress)
        if arguments.has("--json") {
            Console.out(JSONText.encode(evaluation.rows, pretty: true))
        } else {
            Console.out(evaluation.table().text())
        }
        return refused == 0 ? .done : .doneWithRefusals
    }

    static func evaluate(
        pred: String, truth: String, reference: (archive: Archive, run: RunFolder)?, pool: ThreadPool,
        progress: ProgressLine
    ) throws -> (Evaluation, refusedCount: Int) {
        let output = SegmentationFolder(pred)
        var evaluation = Evaluation()
        var refused = 0
        let items = try Archive([truth]).items
        for (number, item) in items.enumerated() {
            progress.show("evaluating \(item.name), \(number + 1) of \(items.count)")
            do {
                try add(item, to: &evaluation, output: output, reference: reference, pool: pool)
            } catch {
                guard let message = PrepareCommand.refusal(error) else { throw error }
                refused += 1
                progress.say("left out: \(message)")
            }
        }
        guard !evaluation.names.isEmpty else {
            throw CommandError("none of the masks in \(truth) has an answer of the same name in \(pred)")
        }
        return (evaluation, refused)
    }

    private static func add(
        _ item: Archive.Item, to evaluation: inout Evaluation, output: SegmentationFolder,
        reference: (archive: Archive, run: RunFolder)?, pool: ThreadPool
    ) throws {
        let truth = try ImageFile.read(path: item.path).mask()
        func read(_ path: String?) throws -> Mask? {
            guard let path else { return nil }
            let mask = try ImageFile.read(path: path).mask()
            guard mask.shape == truth.shape else {
                throw RecipeError.inputRefused("\(path) has \(mask.shape) voxels and \(item.path) \(truth.shape); "
                    + "they must lie on the same grid")
            }
            return mask
        }
        let lung = try read(output.lung(item.name))
        var answers: [(String, Mask, Mask?)] = []
        for answer in output.answers(for: item.name) {
            guard let grown = try read(answer.grown) else { continue }
            answers.append((answer.name, grown, try read(answer.withoutGrowing)))
        }
        guard !answers.isEmpty else {
            throw RecipeError.inputRefused("\(item.path): there is no answer \(item.name).nii.gz in \(output.path)")
        }
        if let reference, let ct = reference.archive.items.first(where: { $0.name == item.name }) {
            let run = reference.run.configuration
            let volume = try Preparation.run(
                ct: ImageFile.read(path: ct.path), lung: output.lung(item.name).map { try ImageFile.read(path: $0) },
                preset: run.preset, planeHeight: run.planeHeight, planeWidth: run.planeWidth, forTraining: false,
                pool: pool)
            let none = try ReferenceAnswers.none(volume, preset: run.preset, pool: pool)
            let oracle = try ReferenceAnswers.oracle(volume, truth: truth, preset: run.preset, pool: pool)
            answers.insert(("none", none.grown, none.withoutGrowing), at: 0)
            answers.append(("oracle", oracle.grown, oracle.withoutGrowing))
        }
        for (name, grown, withoutGrowing) in answers {
            try evaluation.add(
                answer: name, volume: item.name, grown: grown, withoutGrowing: withoutGrowing, truth: truth,
                lung: lung)
        }
    }
}
