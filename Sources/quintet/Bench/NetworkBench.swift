import ModelCore
import Numerics
import Platform
import Recipes

/// `quintet bench network`: one network, forward or a training step, as it runs in a recipe.
enum NetworkBench {
    /// What `--json` prints.
    struct Report: Codable {
        var what = "network"
        var mode: String
        var preset: String
        var size: String
        var threads: Int
        var kernels: String
        var samples: Int
        /// Median.
        var secondsPerSample: Double
        var secondsPerSampleMin: Double
        var secondsPerSampleMax: Double
        var preparationSeconds: Double
        var arenaBytes: Int
        var peakMemoryBytes: UInt64
        var operationSeconds: [String: Double]
    }

    static func run(_ arguments: Arguments) throws {
        let preset = try PresetOptions.preset(arguments, default: "paper")
        let shape = try size(arguments) ?? TensorShape3D(
            depth: preset.slabDepth, height: preset.planeHeight, width: preset.planeWidth)
        let modes: [String: NetworkBenchmark.Mode] = ["infer": .inference, "train": .training]
        let name = arguments.text("--mode") ?? "infer"
        guard let mode = modes[name] else { throw UsageError("--mode takes infer or train, not \"\(name)\"") }
        let pool = ThreadPool(threadCount: try Threads.count(arguments))
        let figures = try NetworkBenchmark.run(
            configuration: preset.networkConfiguration(), shape: shape, mode: mode,
            samples: try arguments.integer("--samples", 1...10_000) ?? 5, pool: pool,
            now: { Double(MonotonicClock.nowNanoseconds()) / 1e9 })
        let report = Report(
            mode: name, preset: preset.name, size: shape.description, threads: figures.threadCount,
            kernels: figures.kernels, samples: figures.sampleSeconds.count,
            secondsPerSample: figures.medianSeconds, secondsPerSampleMin: figures.sampleSeconds.min()!,
            secondsPerSampleMax: figures.sampleSeconds.max()!, preparationSeconds: figures.preparationSeconds,
            arenaBytes: figures.arenaByteCount, peakMemoryBytes: Machine.peakResidentByteCount,
            operationSeconds: figures.operationSeconds)
        Console.out(arguments.has("--json") ? JSONText.encode(report) : text(report))
    }

    /// `--size 32x256x256`; commas do as well.
    static func size(_ arguments: Arguments) throws -> TensorShape3D? {
        guard let text = arguments.text("--size") else { return nil }
        let sides = text.split(whereSeparator: { "x,".contains($0) }).map { Int($0) }
        guard sides.count == 3, sides.allSatisfy({ (1...4096).contains($0 ?? 0) }) else {
            throw UsageError("--size takes depth, height and width in voxels, as 32x256x256, not \"\(text)\"")
        }
        return TensorShape3D(depth: sides[0]!, height: sides[1]!, width: sides[2]!)
    }

    private static func text(_ report: Report) -> String {
        let slowest = report.operationSeconds.sorted { ($0.value, $1.key) > ($1.value, $0.key) }
        let rows = slowest.map { name, seconds in
            let share = Text.fixed(100 * seconds / report.secondsPerSample, 1)
            return "  \(Text.fixed(seconds * 1000, 1)) ms  \(share) %  \(name)"
        }
        return """
            network \(report.preset), \(report.mode), \(report.size), \(report.threads) threads, \(report.kernels)
            a sample: \(Text.fixed(report.secondsPerSample, 4)) s (median of \(report.samples); \
            \(Text.fixed(report.secondsPerSampleMin, 4)) to \(Text.fixed(report.secondsPerSampleMax, 4)))
            memory: arena \(report.arenaBytes >> 20) MiB, process at most \(report.peakMemoryBytes >> 20) MiB
            \(rows.joined(separator: "\n"))
            """
    }
}
