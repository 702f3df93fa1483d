/// `quintet bench`
enum BenchCommand: Command {
    private static let benchmarks: [(name: String, run: @Sendable (Arguments) throws -> Void)] = [
        ("peak", PeakBench.run), ("network", NetworkBench.run), ("layers", LayerBench.run),
        ("lesions", LesionBench.run), ("postprocess", PostprocessBench.run), ("vote", VoteBench.run),
        ("start", StartBench.run), ("coordinator", CoordinatorBench.run),
    ]

    private static var names: String { benchmarks.map(\.name).joined(separator: ", ") }

    static let syntax = CommandSyntax(
        "bench", "Measure this machine: network, layers, lesions, post-processing, vote, coordinator.",
        positional: "WHAT",
        options: [
            Option("--mode", "MODE", "network and layers: infer or train; default infer and train"),
            Option("--preset", "NAME", "the network, spacing and size of paper, lab or demo; default paper"),
            Option("--size", "DxHxW", "another size: 32x256x256"),
            Option("--samples", "N", "timed repetitions; the median counts; default 5, lesions 16, start 1"),
            Option("--threads", "N", "default: all processors"),
            Option("--workers", "N", "coordinator: connected workers; default 1000"),
            Option("--items", "N", "coordinator: items of the run; default 100000"),
            Option("--json", nil, "one JSON object on stdout"),
        ],
        details: """
            WHAT is one of:
              peak         what the machine does at most, registers only and memory only, by instruction set
              network      one sample: forward, or a whole training step
              layers       every operation of a sample, beside what the machine does at most
              lesions      one training sample with synthetic lesions
              postprocess  from the vote to the lesion mask; default size 300x512x512
              vote         five probability volumes to bits, and their majority; default size 300x512x512
              start        from the start of the process to the first training step
              coordinator  a coordinator on this machine, with workers that compute nothing: leases a second,
                           memory, how soon heartbeats are answered, a restart in between
            Inputs are made up. One repetition more runs first and is not counted. Numbers mean something on a machine
            that does nothing else; cluster/benchmark.py sets them beside PyTorch and scipy.

            example: quintet bench network --mode train --size 32x256x256 --threads 2 --json
            example: quintet bench layers --size 32x256x256
            example: quintet bench lesions --threads 1
            """)

    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard arguments.positional.count == 1,
            let benchmark = benchmarks.first(where: { $0.name == arguments.positional[0] })
        else {
            throw UsageError("say what to measure, one of: \(names); see quintet bench --help")
        }
        try benchmark.run(arguments)
        return .done
    }
}
