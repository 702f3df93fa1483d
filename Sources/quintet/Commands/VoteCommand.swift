import Numerics
import Platform
import Recipes

/// `quintet vote`
enum VoteCommand: RecipeCommand {
    static func syntax(_ choice: RecipeChoice) -> CommandSyntax {
        let box = choice.recipe.ballotBox
        return CommandSyntax(
            "vote", "Take the majority of masks made anywhere and post-process it.",
            options: [
                Option("--votes", "FILE ...", box?.votesHelp ?? "masks", isRequired: true, isRepeatable: true),
                Option("--ct", "FILE", "the CT, in HU", isRequired: true),
                Option("--mask", "FILE", box?.maskHelp ?? "its mask", isRequired: true),
                Option("--out", "DIR", "where to write", isRequired: true),
                RecipeChoice.option(choice),
                ReadingArguments.addHU, ReadingArguments.labels(of: box?.maskNoun ?? "the masks"),
            ] + (box?.options ?? []) + [
                Option("--overwrite", nil, "replace files in DIR that quintet did not write"),
                Option("--threads", "N", "threads; default all"),
                Option("--json", nil, "figures as JSON on stdout"),
            ],
            details: """
                \(box?.details ?? "The recipe \(choice.recipe.name) has no votes from elsewhere.")

                example: quintet vote --votes a.nii.gz b.nii.gz c.nii.gz --ct ct.nii.gz --mask lung.nii.gz --out answer
                """)
    }

    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard let box = arguments.recipe.ballotBox else {
            throw CommandError("the recipe \(arguments.recipe.name) takes no votes from elsewhere")
        }
        let votePaths = arguments.all("--votes")
        guard !votePaths.isEmpty else { throw UsageError("--votes is needed: the masks to count") }
        let out = try arguments.required("--out")
        let pool = ThreadPool(threadCount: try Threads.count(arguments))
        let files = BallotFiles(
            votes: votePaths, ct: try arguments.required("--ct"), mask: try arguments.required("--mask"),
            reading: try ReadingArguments.options(arguments))
        let inputs = votePaths + [files.ct, files.mask]
        let output = try OutputFolder(
            out, kind: "vote", settings: "of " + inputs.map { path in
                (try? SHA256.digest(ofFile: path)).map { Hexadecimal.text($0).prefix(8) } ?? "nothing"
            }.joined(separator: " "),
            mayOverwrite: arguments.has("--overwrite"))
        let names = box.fileNames.map { $0 + ".nii.gz" }
        try output.check(names, inputs: inputs)
        for path in votePaths where OwnOutput.segmentation(holding: path) != nil {
            throw CommandError("\(path) is an answer of quintet segment: \(box.answerNoun), and no vote; --votes takes "
                + box.voteNoun)
        }
        let claim = try output.claim()
        defer { withExtendedLifetime(claim) {} }
        let result = try box.count(
            files, arguments.values, pool: pool, warn: { Console.error("quintet: warning: \($0)") })
        // They belong together.
        try PromptEnd.holdingOff {
            for (name, bytes) in zip(names, result.files) { try output.write(bytes, to: name) }
            try output.settle()
        }
        Console.out(arguments.has("--json") ? JSONText.encode(result.figures, pretty: true) : result.text)
        return .done
    }
}
