import Foundation
import Imaging
import Numerics
import Platform
import Recipes

/// `quintet prepare`
enum PrepareCommand: RecipeCommand {
    static func syntax(_ choice: RecipeChoice) -> CommandSyntax {
        let guide = choice.recipe.preparationGuide
        return CommandSyntax(
            "prepare", guide.summary, positional: "CT...",
            options: [
                Option("--out", "DATA", "the data set's folder", isRequired: true),
                RecipeChoice.option(choice),
            ] + Inputs.options(choice.recipe) + (guide.leaveOutHelp.map { help in
                [Option("--leave-out", "[NAME=]CSV", help, isRepeatable: true)]
            } ?? []) + [
                ReadingArguments.addHU, ReadingArguments.labels(of: guide.masks.noun),
                Option("--overwrite", nil, "replace files in DATA that quintet did not write"),
            ] + guide.options + [
                Option("--threads", "N", "threads; default all"),
                Option("--quiet", nil, "say only what goes wrong"),
                Option("--json", nil, "the data set's description on stdout"),
            ],
            details: details(guide))
    }

    private static func details(_ guide: PreparationGuide) -> String {
        """
        CT: files or folders; .nii, .nii.gz, .hdr/.img, .mhd, .mha, DICOM series. A CT that cannot be used is
        named with the reason and left out; the others go on, and the exit code is then 3.
        \(guide.details)

        example: quintet prepare healthy-cts --out data --preset lab
        """
    }

    static let interruption: String? =
        "interrupted; the files written so far are whole, and the same command prepares all of the CTs again"

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let out = try arguments.required("--out")
        let preparation = try arguments.recipe.preparation(arguments.values)
        let inputs = try Inputs(arguments.positional, arguments)
        let table = try SliceTable(
            arguments.all("--leave-out"), findingColumns: arguments.recipe.preparationGuide.findingColumns)
        try table.check(against: inputs.archive)
        let progress = ProgressLine(quiet: arguments.has("--quiet"))
        let outcome = try prepare(
            inputs: inputs, table: table, reading: try ReadingArguments.options(arguments), preparation: preparation,
            output: OutputFolder(
                out, kind: "prepare", settings: preparation.settingsText, mayOverwrite: arguments.has("--overwrite")),
            choice: arguments.choice, pool: ThreadPool(threadCount: try Threads.count(arguments)), progress: progress)
        if arguments.has("--json") { Console.out(JSONText.encode(outcome.dataSet, pretty: true)) }
        return outcome.refused.isEmpty ? .done : .doneWithRefusals
    }

    struct Outcome {
        var dataSet: any RecipeDataSet
        /// One message for each CT that was left out.
        var refused: [String]
    }

    static func prepare(
        inputs: Inputs, table: SliceTable, reading: ReadingOptions? = nil, preparation: any DataSetPreparation,
        output: OutputFolder, choice: RecipeChoice, pool: ThreadPool, progress: ProgressLine
    ) throws -> Outcome {
        let out = output.path, items = inputs.archive.items
        try inputs.checkOutside(out)
        try refuseOtherCTs(in: output, now: items, choice)
        try output.check(
            items.flatMap { preparation.fileNames(of: entryName($0)) } + [DataSetFile.descriptionName],
            inputs: inputs.paths)
        let claim = try output.claim()
        defer { withExtendedLifetime(claim) {} }
        inputs.tell(progress, as: "left out")
        var refused = inputs.archive.refused.map(\.message), doneCount = 0
        let pace = Pace()
        var queue = items[...]
        while let item = queue.popFirst() {
            let done = items.count - queue.count - 1
            let left = pace.secondsLeft(fraction: Double(done) / Double(items.count))
            progress.show("preparing \(item.name), \(done + 1) of \(items.count)"
                + (left.map { ", \(Console.duration(seconds: $0)) left" } ?? ""))
            try StopWatch.check()
            do {
                let outcome = try preparation.prepare(
                    PreparationItem(
                        name: entryName(item), ct: item.read(),
                        mask: inputs.masks?.mask(for: item).map { try ImageFile.read(path: $0, name: $0) },
                        reading: reading, excludedSlices: table.slices(of: item.name)),
                    digest: { SHA256.hexadecimal(of: $0) }, pool: pool, isCancelled: { StopSignal.isRequested })
                switch outcome {
                case .startAgain(let reason):
                    progress.say(reason)
                    (doneCount, refused, queue) = (0, inputs.archive.refused.map(\.message), items[...])
                case .prepared(let files, let warnings):
                    for file in files { try output.write(file.bytes, to: file.name) }
                    doneCount += 1
                    for warning in warnings { progress.warn("warning: \(item.path): \(warning)") }
                }
            } catch {
                guard let message = refusal(error) else { throw error }
                refused.append(message)
                progress.warn("left out: \(message)")
            }
        }
        guard doneCount > 0 else {
            throw CommandError("none of the \(items.count) CTs could be used; the reasons are above")
        }
        let dataSet = try preparation.finish()
        try output.write(JSONText.encode(dataSet, pretty: true), to: DataSetFile.descriptionName)
        try output.settle()
        progress.say("prepared \(doneCount) of \(items.count) CTs in \(out) "
            + "(\(Console.duration(seconds: pace.elapsedSeconds)); \(preparation.closingText))")
        return Outcome(dataSet: dataSet, refused: refused)
    }

    /// A data set of other CTs is not replaced; one that has been added to, is.
    private static func refuseOtherCTs(
        in output: OutputFolder, now items: [Archive.Item], _ choice: RecipeChoice
    ) throws {
        guard !output.mayOverwrite, let earlier = try? DataFolder(output.path, in: choice.registry) else { return }
        let names = Set(items.map { entryName($0) })
        let others = earlier.dataSet.volumeNames.filter { !names.contains($0) }
        guard !others.isEmpty else { return }
        throw CommandError("\(output.path) is a data set of other CTs (\(OutputFolder.list(others))); name another "
            + "folder, name all CTs at once to add some, or say --overwrite to replace it")
    }

    /// The stem of a volume's files, folders included.
    private static func entryName(_ item: Archive.Item) -> String {
        WireName.fitting(item.name, byteCountMax: DataSetFile.nameByteCountMax)
    }

    /// The message when the input is at fault; nil for everything else.
    static func refusal(_ error: Error) -> String? {
        switch error {
        case let error as ImageFileError: return error.description
        case RecipeError.inputRefused(let message): return message
        case let error as Archive.Refusal: return error.description
        default: return nil
        }
    }
}

/// An error of a command that is not the command line's.
struct CommandError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
