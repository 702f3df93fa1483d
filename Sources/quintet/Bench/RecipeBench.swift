import Numerics
import Recipes

/// `quintet bench` of what a recipe spends time on beside its network.
enum RecipeBench {
    static func run(_ benchmark: any RecipeBenchmark, _ arguments: Arguments) throws {
        let options = try BenchOptions(arguments, size: benchmark.shape, samples: benchmark.repetitionCount)
        let pool = ThreadPool(threadCount: options.threads)
        let work = try benchmark.prepared(
            arguments.values, shape: options.shape, repetitionCount: options.samples + 1, pool: pool)
        let seconds: [Double]
        do {
            defer { work.end() }
            seconds = try options.time { _ in try work.run() }.map { $0 / Double(benchmark.samplesAtOnce) }
        }
        let summary = BenchSummary(benchmark.name, options: options, pool: pool, seconds: seconds)
        let (figures, text) = work.details(summary.secondsPerSample)
        BenchReport(summary: summary, details: figures).show(options, more: text)
    }
}
