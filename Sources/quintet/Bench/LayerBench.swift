import ModelCore
import Numerics

/// `quintet bench layers`: every operation of a network, timed within a whole sample, beside what the machine does at
/// most.
enum LayerBench {
    struct Row: Encodable {
        var operation: String
        var layer: String
        var size: String
        var callsPerSample: Int
        var millisecondsPerCall: Double
        /// Of the whole sample's time.
        var shareOfTime: Double
        /// By the definition of the convolution: what a user gets. nil where nothing is multiplied.
        var gigaflops: Double?
        var shareOfPeak: Double?
        /// By the multiplications that the chosen algorithm really does: how busy the units are.
        var computedGigaflops: Double?
        var computedShareOfPeak: Double?
        /// How many times fewer multiplications than by the definition.
        var multiplicationsSaved: Double?
        var gigabytesPerSecond: Double
        /// Above 1 where caches hold what the count says memory must bring.
        var shareOfBandwidth: Double?
    }

    struct Details: Encodable {
        var mode: String
        var gigaflops: Double
        var shareOfPeak: Double?
        /// What is no row: packing weights, Adam, copies in and out.
        var otherSeconds: Double
        /// Its parts by name.
        var sideSeconds: [String: Double]
        var rows: [Row]
    }

    static func run(_ arguments: Arguments) throws {
        let options = try BenchOptions(arguments), pool = ThreadPool(threadCount: options.threads)
        let mode = try NetworkBench.mode(arguments, default: "train")
        let figures = try options.figures(mode.mode, pool, beforeSample: options.begin)
        let summary = BenchSummary("layers", options: options, pool: pool, seconds: figures.sampleSeconds)
        let rows = figures.operations.map { row($0, summary) }.sorted { $0.shareOfTime > $1.shareOfTime }
        let details = Details(
            mode: mode.name, gigaflops: figures.directOperations / summary.secondsPerSample / 1e9,
            shareOfPeak: summary.shareOfPeak(figures.directOperations, seconds: summary.secondsPerSample),
            otherSeconds: summary.secondsPerSample - figures.operations.reduce(0) { $0 + $1.secondsPerSample },
            sideSeconds: figures.sideSeconds, rows: rows)
        BenchReport(summary: summary, details: details).show(options, more: text(details))
    }

    private static func row(_ figures: NetworkBenchmark.OperationFigures, _ summary: BenchSummary) -> Row {
        let seconds = max(figures.secondsPerSample, 1e-9), work = figures.work
        let isConvolution = work.directOperations > 0
        func rate(_ operations: Double) -> Double? { isConvolution ? operations / seconds / 1e9 : nil }
        func share(_ operations: Double) -> Double? {
            isConvolution ? summary.shareOfPeak(operations, seconds: seconds) : nil
        }
        return Row(
            operation: figures.description.what, layer: figures.description.layer, size: figures.description.size,
            callsPerSample: figures.callsPerSample,
            millisecondsPerCall: 1000 * seconds / Double(figures.callsPerSample),
            shareOfTime: seconds / summary.secondsPerSample, gigaflops: rate(work.directOperations),
            shareOfPeak: share(work.directOperations), computedGigaflops: rate(work.computedOperations),
            computedShareOfPeak: share(work.computedOperations),
            multiplicationsSaved: isConvolution ? work.directOperations / work.computedOperations : nil,
            gigabytesPerSecond: work.byteCount / seconds / 1e9,
            shareOfBandwidth: summary.shareOfBandwidth(work.byteCount, seconds: seconds))
    }

    private static func text(_ details: Details) -> String {
        func percent(_ share: Double?) -> String { share.map { Text.fixed(100 * $0, 0) } ?? "" }
        let sides = details.sideSeconds.sorted { $0.value > $1.value }
            .map { "\($0.key) \(Text.fixed(1000 * $0.value, 1))" }
        let header = ["operation", "layer", "size", "calls", "ms a call", "% time", "GFLOP/s", "% peak", "% busy",
                      "saved", "GB/s", "% bandwidth"]
        let rows = details.rows.map { row in
            [
                row.operation, row.layer, row.size, "\(row.callsPerSample)", Text.fixed(row.millisecondsPerCall, 3),
                Text.fixed(100 * row.shareOfTime, 1), row.gigaflops.map { Text.fixed($0, 1) } ?? "",
                percent(row.shareOfPeak), percent(row.computedShareOfPeak),
                row.multiplicationsSaved.map { Text.fixed($0, 1) } ?? "", Text.fixed(row.gigabytesPerSecond, 1),
                percent(row.shareOfBandwidth),
            ]
        }
        return """
            \(details.mode): \(Text.fixed(details.gigaflops, 1)) GFLOP/s by the definition of its convolutions\
            \(BenchText.percent(details.shareOfPeak, "of the peak"))
            beside the rows, in ms: \(Text.fixed(1000 * details.otherSeconds, 1)) (\(sides.joined(separator: ", ")))

            \(TextTable(header: header, rows: rows).text())

            % peak counts a convolution by its definition, % busy the multiplications that are really done ("saved"
            times fewer).
            """
    }
}
