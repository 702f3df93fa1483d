import Foundation
import Imaging
import Numerics
import Platform
import Recipes

/// `quintet phantom`
enum PhantomCommand: RecipeCommand {
    static func syntax(_ choice: RecipeChoice) -> CommandSyntax {
        let maker = choice.recipe.phantoms, spacing = maker?.spacing
        let text = spacing.map { "\(number($0.zMM)),\(number($0.yMM)),\(number($0.xMM))" }
        return CommandSyntax(
            "phantom", maker?.summary ?? "Make CTs to play with; \(choice.recipe.name) has none.",
            options: [
                Option("--out", "DIR", "where to write", isRequired: true),
                RecipeChoice.option(choice),
                Option("--count", "N", "healthy ones; default 4"),
                Option("--diseased", "N", "diseased ones; default 2"),
                Option("--seed", "N", "another seed, other patients; default 1"),
                Option("--spacing", "Z,Y,X", "voxel size in mm" + (text.map { "; default \($0)" } ?? "")),
                Option("--overwrite", nil, "replace files in DIR that quintet did not write"),
                Option("--threads", "N", "threads; default all"),
                Option("--quiet", nil, "say only what goes wrong"),
            ],
            details: """
                \(maker?.details ?? "")

                example: quintet phantom --out play --count 6 --diseased 3
                """)
    }

    /// "2", "1.6"
    private static func number(_ value: Double) -> String { value == value.rounded() ? "\(Int(value))" : "\(value)" }

    static let interruption: String? =
        "interrupted; the CTs written so far are whole, and the same command makes all of them again"

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let maker = try maker(of: arguments.recipe)
        let out = try arguments.required("--out")
        let healthy = try arguments.integer("--count", 0...10_000) ?? 4
        let diseased = try arguments.integer("--diseased", 0...10_000) ?? 2
        let seed = UInt64(try arguments.integer("--seed", 0...Int.max) ?? 1)
        var spacing = maker.spacing
        if let values = try arguments.values.numbers("--spacing", count: 3, maker.spacingRange) {
            spacing = Spacing(zMM: values[0], yMM: values[1], xMM: values[2])
        }
        try make(
            maker,
            output: OutputFolder(
                out, kind: "phantom", settings: "seed \(seed), \(spacing.text)",
                mayOverwrite: arguments.has("--overwrite")), healthy: healthy,
            diseased: diseased, seed: seed, spacing: spacing,
            pool: ThreadPool(threadCount: try Threads.count(arguments)),
            progress: ProgressLine(quiet: arguments.has("--quiet")))
        return .done
    }

    /// - Throws: `CommandError` when it has none.
    static func maker(of recipe: any RecipePlugIn) throws -> any PhantomMaker {
        if let maker = recipe.phantoms { return maker }
        throw CommandError("the recipe \(recipe.name) has no phantoms")
    }

    /// Also the demo's first step.
    static func make(
        _ maker: any PhantomMaker, output: OutputFolder, healthy: Int, diseased: Int, seed: UInt64, spacing: Spacing,
        pool: ThreadPool, progress: ProgressLine
    ) throws {
        let count = healthy + diseased
        func name(_ number: Int) -> String {
            (number < healthy ? "healthy-" : "diseased-")
                + String(format: "%02d", number < healthy ? number : number - healthy)
        }
        try output.check(
            (0..<count).flatMap { number in
                [number < healthy ? "healthy" : "diseased", maker.maskFolder].map { "\($0)/\(name(number)).nii.gz" }
                    + (number < healthy ? [] : ["\(maker.truthFolder)/\(name(number)).nii.gz"])
            },
            inputs: [])
        let claim = try output.claim()
        defer { withExtendedLifetime(claim) {} }
        for folder in ["healthy", "diseased", maker.maskFolder, maker.truthFolder] {
            try FileSystem.makeFolder(output.path(of: folder))
        }
        let pace = Pace()
        for number in 0..<count {
            try StopWatch.check()
            let isDiseased = number >= healthy
            let index = isDiseased ? number - healthy : number
            let name = name(number)
            // Severities spread over the whole range, so that a table shows mild and grave ones.
            let severity = isDiseased && diseased > 1 ? 0.2 + 0.6 * Float(index) / Float(diseased - 1) : 0.5
            let phantom = maker.make(
                seed: seed, index: index, isDiseased: isDiseased, severity: severity, spacing: spacing, pool: pool)
            try output.write(
                NIfTIFile.encode(phantom.ct), to: "\(isDiseased ? "diseased" : "healthy")/\(name).nii.gz")
            try output.write(NIfTIFile.encode(phantom.mask), to: "\(maker.maskFolder)/\(name).nii.gz")
            if isDiseased {
                try output.write(NIfTIFile.encode(phantom.truth), to: "\(maker.truthFolder)/\(name).nii.gz")
            }
            let left = pace.secondsLeft(fraction: Double(number + 1) / Double(count))
            progress.show("phantoms: \(number + 1) of \(count)"
                + (left.map { ", \(Console.duration(seconds: $0)) left" } ?? ""))
        }
        try output.settle()
        progress.say("phantoms: \(healthy) healthy and \(diseased) diseased \(maker.noun) in \(output.path) "
            + "(\(Console.duration(seconds: pace.elapsedSeconds)))")
    }
}
