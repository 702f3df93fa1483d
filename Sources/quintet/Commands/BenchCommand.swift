import ModelCore
import Numerics
import Platform
import Recipes

/// `quintet bench`
enum BenchCommand: Command {
    static let syntax = CommandSyntax(
        "bench", "Measure this machine: the network, its layers, lesions, post-processing, the vote.",
        positional: "WHAT",
        options: [
            Option("--mode", "MODE", "network: infer or train; default infer"),
            Option("--preset", "NAME", "the network and size of paper, lab or demo; default paper"),
            Option("--size", "DxHxW", "another size: 32x256x256"),
            Option("--samples", "N", "timed repetitions; the median counts; default 5"),
            Option("--threads", "N", "default: all processors"),
            Option("--json", nil, "one JSON object on stdout"),
        ],
        details: """
            WHAT is one of: network.

            example: quintet bench network --mode train --preset paper --size 32x256x256 --threads 2 --json
            """)

    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard arguments.positional == ["network"] else {
            throw UsageError("say what to measure: network; see quintet bench --help")
        }
        try NetworkBench.run(arguments)
        return .done
    }
}
