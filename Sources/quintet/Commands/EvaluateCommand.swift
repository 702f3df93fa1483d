import Foundation
import Imaging
import Numerics
import Platform
import Recipes
import VotingAggregator

/// `quintet evaluate`
enum EvaluateCommand: RecipeCommand {
    static let recipeSource: RecipeChoice.Source? = .runOrAnswers(run: "--run", answers: "--pred")

    static func syntax(_ choice: RecipeChoice) -> CommandSyntax {
        let guide = choice.recipe.answerGuide
        let rows = guide.referenceNames.map { "\"\($0)\"" }.joined(separator: " and ")
        return CommandSyntax(
            "evaluate", "Compare answers with the truth: Dice, precision, sensitivity, slice AUROC.",
            options: [
                Option("--pred", "DIR", "what quintet segment wrote (or any folder of masks)", isRequired: true),
                Option("--truth", "DIR", "\(guide.truthNoun) of the same names", isRequired: true),
                Option("--run", "RUN", "the run that answered; with --ct it adds the rows \(rows)"),
                Option("--ct", "DIR", "the CTs"),
                ReadingArguments.addHU, ReadingArguments.labels(of: "the truth"),
                Option("--threads", "N", "threads; default all"),
                Option("--json", nil, "one JSON object on stdout"),
                Option("--quiet", nil, "say only what goes wrong"),
            ],
            details: details(guide))
    }

    private static func details(_ guide: AnswerGuide) -> String {
        """
        Percent, mean ± standard deviation over the n volumes that have the figure. Masks are compared where they
        lie in the patient, in whatever orientation they are stored; a truth on another grid is refused. Slice AUROC
        is the chance that an axial slice with a finding has more of the answer in it than one without.

        Rows are the vote and, where segment was asked for --members, each replica. \(guide.referenceDetails)

        example: quintet evaluate --pred masks --truth truth --run run --ct cts
        """
    }

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let progress = ProgressLine(quiet: arguments.has("--quiet"))
        let pool = ThreadPool(threadCount: try Threads.count(arguments))
        var reference: (archive: Archive, run: RunFolder)?
        if let run = arguments.text("--run"), let ct = arguments.text("--ct") {
            reference = (try Archive([ct]), try RunFolder(run, in: arguments.choice.registry))
        } else if arguments.has("--run") || arguments.has("--ct") {
            throw UsageError("--run and --ct go together")
        }
        let reading = try ReadingArguments.options(arguments)
        if reading?.addHU != nil, reference == nil { throw UsageError("--add-hu is for CTs; give --run and --ct") }
        let (evaluation, refused) = try evaluate(
            pred: arguments.required("--pred"), truth: arguments.required("--truth"), reference: reference,
            reading: reading, choice: arguments.choice, pool: pool, progress: progress)
        evaluation.warnings.forEach { Console.error("quintet: warning: \($0)") }
        if arguments.has("--json") {
            Console.out(JSONText.encode(evaluation.rows, pretty: true))
        } else {
            Console.out(evaluation.table().text())
        }
        return refused == 0 ? .done : .doneWithRefusals
    }

    static func evaluate(
        pred: String, truth: String, reference: (archive: Archive, run: RunFolder)?, reading: ReadingOptions? = nil,
        choice: RecipeChoice, pool: ThreadPool, progress: ProgressLine
    ) throws -> (Evaluation, refusedCount: Int) {
        let truths = try Archive([truth], purpose: .masks, in: choice.registry)
        let answers = try Archive([pred], purpose: .masks, in: choice.registry)
        let comparison = Comparison(
            recipe: choice.recipe, output: SegmentationFolder(pred, choice.recipe.answerGuide),
            refusedNames: AnswerTable.refusedNames(in: "\(pred)/\(SegmentationFolder.resultsName)"),
            answers: MaskPairing(masks: answers, in: pred, archive: truths, wanted: "answer"),
            reference: reference, reading: reading, pool: pool)
        var evaluation = Evaluation(choice.recipe.answerGuide)
        var refused = truths.refused.count
        for one in truths.refused { progress.warn("left out: \(one.message)") }
        for (number, item) in truths.items.enumerated() {
            progress.show("evaluating \(item.name), \(number + 1) of \(truths.items.count)")
            try StopWatch.check()
            do {
                try comparison.add(item, to: &evaluation)
            } catch {
                guard let message = PrepareCommand.refusal(error) else { throw error }
                refused += 1
                progress.warn("left out: \(message)")
            }
        }
        guard !evaluation.names.isEmpty else {
            throw CommandError("none of the masks in \(truth) could be compared with an answer of the same name in "
                + pred)
        }
        let used = Set(truths.items.compactMap { try? comparison.answers.mask(for: $0) })
        let strangers = answers.items.filter { !used.contains($0.path) }.map(\.name)
        if !strangers.isEmpty {
            evaluation.warn("\(strangers.count) answers in \(pred) have no truth of the same name in \(truth) and are "
                + "not in the table: \(strangers.prefix(5).joined(separator: ", "))"
                + (strangers.count > 5 ? ", ..." : ""))
        }
        evaluation.warnOfMissingAnswers()
        return (evaluation, refused)
    }
}
