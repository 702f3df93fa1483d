import Platform
import Recipes

/// `quintet samples`, or what a recipe calls it.
enum SamplesCommand: RecipeCommand {
    static let generalName = "samples"
    static let recipeSource: RecipeChoice.Source? = .dataSet("--data")

    static func syntax(_ choice: RecipeChoice) -> CommandSyntax {
        let guide = choice.recipe.sampleGuide
        return CommandSyntax(
            guide?.commandName ?? generalName,
            guide?.summary ?? "Write what training sees; \(choice.recipe.name) has nothing to look at.",
            options: [
                Option("--data", "DATA", "a data set made by quintet prepare", isRequired: true),
                Option("--out", "DIR", "where to write", isRequired: true),
                RecipeChoice.option(choice, otherwise: "the data set's"),
            ] + (guide?.options ?? []) + [
                Option("--overwrite", nil, "replace files in DIR that quintet did not write"),
                Option("--quiet", nil, "say only what goes wrong"),
            ],
            details: """
                \(guide?.details ?? "")

                example: quintet \(guide?.commandName ?? generalName) --data data --out pairs --count 8
                """)
    }

    static let interruption: String? =
        "interrupted; the pairs written so far are whole, and the same command makes all of them again"

    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard let guide = arguments.recipe.sampleGuide else {
            throw CommandError("the recipe \(arguments.recipe.name) writes no samples")
        }
        let out = try arguments.required("--out")
        let data = try DataFolder(arguments.required("--data"), arguments.choice)
        let samples = try data.dataSet.samples(
            arguments.values, folder: data.path, inputs: { try data.checkedInputs() })
        let output = try OutputFolder(
            out, kind: guide.commandName, settings: "data \(data.digest.prefix(8)), \(samples.settingsText)",
            mayOverwrite: arguments.has("--overwrite"))
        func stem(_ number: Int) -> String {
            String(repeating: "0", count: max(0, 4 - "\(number)".count)) + "\(number)"
        }
        try output.check(
            (0..<samples.count).flatMap { number in samples.kinds.map { "\(stem(number)).\($0).nii.gz" } },
            inputs: data.files().map(\.path))
        let claim = try output.claim()
        defer { withExtendedLifetime(claim) {} }
        let progress = ProgressLine(quiet: arguments.has("--quiet"))
        for number in 0..<samples.count {
            try StopWatch.check()
            for (kind, bytes) in zip(samples.kinds, try samples.files(number)) {
                try output.write(bytes, to: "\(stem(number)).\(kind).nii.gz")
            }
            progress.show("\(guide.commandName): \(number + 1) of \(samples.count)")
        }
        try output.settle()
        progress.say("\(guide.commandName): \(samples.count) \(guide.noun) in \(out)")
        return .done
    }
}
