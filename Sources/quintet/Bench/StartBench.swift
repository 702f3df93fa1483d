import ModelCore
import Numerics
import Platform

/// `quintet bench start`: from the start of the process to the first training step.
enum StartBench {
    struct Details: Encodable {
        /// From the process's start until the first training step begins to compute, within a hundredth of a second;
        /// nil where the system does not say when a process started.
        var startSeconds: Double?
        /// Of it, making the network and its memory.
        var preparationSeconds: Double
        var firstStepSeconds: Double
        var arenaBytes: Int
    }

    static func run(_ arguments: Arguments) throws {
        let options = try BenchOptions(arguments, samples: 1), pool = ThreadPool(threadCount: options.threads)
        var start: Double?
        let figures = try options.figures(.training, pool) { sample in
            try options.checkStop()
            guard sample == 0 else { return }
            start = Machine.processAgeSeconds
            // For who takes the time from outside.
            Console.error("first step begins")
        }
        let summary = BenchSummary("start", options: options, pool: pool, seconds: figures.sampleSeconds)
        let details = Details(
            startSeconds: start, preparationSeconds: figures.preparationSeconds,
            firstStepSeconds: figures.firstSampleSeconds, arenaBytes: figures.arenaByteCount)
        BenchReport(summary: summary, details: details).show(
            options,
            more: """
                from the process's start to the first training step: \
                \(start.map { Text.fixed($0, 2) + " s" } ?? "unknown")
                of it, making the network and its memory: \(Text.fixed(details.preparationSeconds, 3)) s
                the first step: \(Text.fixed(details.firstStepSeconds, 3)) s, later ones \
                \(Text.fixed(summary.secondsPerSample, 3)) s
                """)
    }
}
