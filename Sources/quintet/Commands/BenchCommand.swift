import ModelCore
import Recipes

/// `quintet bench`
enum BenchCommand: RecipeCommand {
    private typealias Benchmark = (name: String, help: String, run: @Sendable (Arguments) throws -> Void)

    /// Those of the recipe stand where samples are made, and before what is done with votes.
    private static func benchmarks(_ recipe: any RecipePlugIn) -> [Benchmark] {
        let own = recipe.benchmarks.map { benchmark -> Benchmark in
            (benchmark.name, benchmark.help, { try RecipeBench.run(benchmark, $0) })
        }
        return [
            (
                "peak", "what the machine does at most, registers only and memory only, by instruction set",
                PeakBench.run
            ),
            ("network", "one sample: forward, or a whole training step", NetworkBench.run),
            ("layers", "every operation of a sample, beside what the machine does at most", LayerBench.run),
        ] + own + [
            ("vote", "five probability volumes to bits, and their majority; default size 300x512x512", VoteBench.run),
            ("start", "from the start of the process to the first training step", StartBench.run),
            (
                "coordinator",
                """
                a coordinator on this machine, with workers that compute nothing: leases a second,
                               memory, how soon heartbeats are answered, a restart in between
                """, CoordinatorBench.run
            ),
            (
                "stream",
                """
                an archive through a coordinator, with workers that compute nothing: CTs a second,
                               memory and disk on the way
                """, StreamBench.run
            ),
        ]
    }

    static func syntax(_ choice: RecipeChoice) -> CommandSyntax {
        let all = benchmarks(choice.recipe)
        let samples = choice.recipe.benchmarks.filter { $0.repetitionCount != 5 }
            .map { ", \($0.name) \($0.repetitionCount)" }
        let own = choice.recipe.benchmarks.map { "\($0.title), " }.joined()
        return CommandSyntax(
            "bench", "Measure this machine: network, layers, \(own)vote, coordinator, stream.",
            positional: "WHAT",
            options: [
                Option("--mode", "MODE", "network and layers: infer or train; default infer and train"),
                Option(
                    "--skip-rewriting", "NAME,...",
                    "network, layers and start: rewritings left out, to see what they bring: "
                        + Rewriting.allCases.map(\.rawValue).joined(separator: ", ")),
            ] + network(choice.recipe) + choice.recipe.benchmarkOptions + [
                Option("--size", "DxHxW", "another size: 32x256x256"),
                Option(
                    "--samples", "N",
                    "timed repetitions; the median counts; default 5\(samples.joined()), start 1"),
                Option("--threads", "N", "default: all processors"),
                Option("--workers", "N", "coordinator, stream: connected workers; default 1000"),
                Option("--items", "N", "coordinator, stream: items of the run; default 100000"),
                Option("--http", "HOST:PORT", "stream: where the coordinator serves its live page meanwhile"),
                RecipeChoice.option(choice),
                Option("--json", nil, "one JSON object on stdout"),
            ],
            details: details(all, choice.recipe))
    }

    /// Where the recipe has several.
    private static func network(_ recipe: any RecipePlugIn) -> [Option] {
        let names = recipe.benchmarkedNetworkNames
        guard names.count > 1 else { return [] }
        let help = "network, layers and start: \(names.joined(separator: " or ")); default \(names[0])"
        return [Option("--network", "NAME", help)]
    }

    private static func details(_ all: [Benchmark], _ recipe: any RecipePlugIn) -> String {
        let own = recipe.benchmarks.first.map { "\nexample: quintet bench \($0.name) --threads 1" } ?? ""
        return """
        WHAT is one of:
        \(all.map(line).joined(separator: "\n"))
        Inputs are made up. One repetition more runs first and is not counted. Numbers mean something on a machine
        that does nothing else; cluster/benchmark.py sets them beside PyTorch and scipy.

        example: quintet bench network --mode train --size 32x256x256 --threads 2 --json
        example: quintet bench layers --size 32x256x256\(own)
        """
    }

    private static func line(_ benchmark: Benchmark) -> String {
        "  " + benchmark.name + String(repeating: " ", count: 13 - benchmark.name.count) + benchmark.help
    }

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let all = benchmarks(arguments.recipe)
        guard arguments.positional.count == 1,
            let benchmark = all.first(where: { $0.name == arguments.positional[0] })
        else {
            let names = all.map(\.name).joined(separator: ", ")
            throw UsageError("say what to measure, one of: \(names); see quintet bench --help")
        }
        try benchmark.run(arguments)
        return .done
    }
}
