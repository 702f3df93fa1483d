import ModelCore
import Numerics
import Recipes

/// `quintet bench network`: one network, forward or a training step, as it runs in a recipe.
enum NetworkBench {
    struct Details: Encodable {
        var mode: String
        /// Operations of the convolutions by their definition, over the time of the whole sample.
        var gigaflops: Double
        var shareOfPeak: Double?
        var preparationSeconds: Double
        var firstSampleSeconds: Double
        var arenaBytes: Int
        /// The network's operations, and what a sample has beside them.
        var operationSeconds: [String: Double]
    }

    static func run(_ arguments: Arguments) throws {
        let options = try BenchOptions(arguments), pool = ThreadPool(threadCount: options.threads)
        let mode = try mode(arguments, default: "infer")
        let figures = try options.figures(mode.mode, pool, beforeSample: options.begin)
        let summary = BenchSummary("network", options: options, pool: pool, seconds: figures.sampleSeconds)
        let details = Details(
            mode: mode.name, gigaflops: figures.directOperations / summary.secondsPerSample / 1e9,
            shareOfPeak: summary.shareOfPeak(figures.directOperations, seconds: summary.secondsPerSample),
            preparationSeconds: figures.preparationSeconds, firstSampleSeconds: figures.firstSampleSeconds,
            arenaBytes: figures.arenaByteCount,
            operationSeconds: Dictionary(
                uniqueKeysWithValues: figures.operations.map { ($0.description.text, $0.secondsPerSample) })
                .merging(figures.sideSeconds) { operation, _ in operation })
        BenchReport(summary: summary, details: details).show(options, more: text(details, summary))
    }

    /// `--mode infer` or `train`.
    static func mode(
        _ arguments: Arguments, default fallback: String
    ) throws -> (name: String, mode: NetworkBenchmark.Mode) {
        let modes: [String: NetworkBenchmark.Mode] = ["infer": .inference, "train": .training]
        let name = arguments.text("--mode") ?? fallback
        guard let mode = modes[name] else { throw UsageError("--mode takes infer or train, not \"\(name)\"") }
        return (name, mode)
    }

    private static func text(_ details: Details, _ summary: BenchSummary) -> String {
        let slowest = details.operationSeconds.sorted { ($0.value, $1.key) > ($1.value, $0.key) }
        let rows = slowest.map { name, seconds in
            let share = Text.fixed(100 * seconds / summary.secondsPerSample, 1)
            return "  \(Text.fixed(seconds * 1000, 1)) ms  \(share) %  \(name)"
        }
        return """
            \(details.mode): \(Text.fixed(details.gigaflops, 1)) GFLOP/s by the definition of its convolutions\
            \(BenchText.percent(details.shareOfPeak, "of the peak"))
            the network's memory: \(details.arenaBytes >> 20) MiB; made in \
            \(Text.fixed(details.preparationSeconds, 3)) s, first sample \
            \(Text.fixed(details.firstSampleSeconds, 3)) s
            \(rows.joined(separator: "\n"))
            """
    }
}

enum BenchText {
    /// ", 61 % of the peak"; nothing without a share.
    static func percent(_ share: Double?, _ of: String) -> String {
        share.map { ", \(Text.fixed(100 * $0, 0)) % \(of)" } ?? ""
    }
}
