import ModelCore
import Numerics
import Platform
import Recipes

/// What every `quintet bench` reports.
struct BenchSummary: Encodable {
    var what: String
    var preset: String?
    var network: String?
    var size: String?
    var threads: Int
    /// The instruction set of the kernels: "avx512", "avx2", "portable".
    var kernels: String
    /// Timed repetitions.
    var samples: Int
    /// Median.
    var secondsPerSample: Double
    var secondsPerSampleMin: Double
    var secondsPerSampleMax: Double
    /// The most memory in RAM during the measurement, the program included.
    var peakMemoryBytes: UInt64
    /// What the machine does at most with so many threads, measured right after; nil where memory was too short.
    var peakGigaflops: Double?
    var bandwidthGigabytesPerSecond: Double?

    /// - Parameter seconds: of every timed sample.
    init(_ what: String, options: BenchOptions, pool: ThreadPool, seconds: [Double]) {
        let sorted = seconds.sorted()
        self.what = what
        preset = options.presetName
        network = options.networkName
        size = options.shape.description
        threads = pool.threadCount
        kernels = "\(KernelVariant.current)"
        samples = seconds.count
        (secondsPerSample, secondsPerSampleMin, secondsPerSampleMax) =
            (sorted[sorted.count / 2], sorted[0], sorted[sorted.count - 1])
        // The yardsticks take memory of their own, so they come last.
        peakMemoryBytes = Machine.peakResidentByteCount
        let peak = MachinePeak.measure(pool: pool, now: BenchClock.now)
        peakGigaflops = peak?.gigaflops
        bandwidthGigabytesPerSecond = peak?.bandwidthGigabytesPerSecond
    }

    func shareOfPeak(_ operations: Double, seconds: Double) -> Double? {
        peakGigaflops.map { operations / seconds / 1e9 / $0 }
    }

    func shareOfBandwidth(_ byteCount: Double, seconds: Double) -> Double? {
        bandwidthGigabytesPerSecond.map { byteCount / seconds / 1e9 / $0 }
    }

    var text: String {
        let setting = ([preset, network, size].compactMap { $0 } + ["\(threads) threads", kernels])
            .joined(separator: ", ")
        let peak = peakGigaflops.map { flops in
            "the machine at most: \(Text.fixed(flops, 0)) GFLOP/s, "
                + "\(Text.fixed(bandwidthGigabytesPerSecond ?? 0, 1)) GB/s\n"
        }
        return """
            \(what): \(setting)
            \(peak ?? "")a sample: \(Text.fixed(secondsPerSample, 4)) s (median of \(samples); \
            \(Text.fixed(secondsPerSampleMin, 4)) to \(Text.fixed(secondsPerSampleMax, 4)))
            memory: at most \(peakMemoryBytes >> 20) MiB
            """
    }
}

/// The summary with what one benchmark adds, side by side in one JSON object.
struct BenchReport<Details: Encodable>: Encodable {
    var summary: BenchSummary
    var details: Details

    func encode(to encoder: any Encoder) throws {
        try summary.encode(to: encoder)
        try details.encode(to: encoder)
    }

    /// - Parameter more: the details, in words.
    func show(_ options: BenchOptions, more: String) {
        Console.out(options.json ? JSONText.encode(self) : summary.text + "\n" + more)
    }
}

/// What the command line says, the same for all benchmarks.
struct BenchOptions {
    /// The recipe's; nil where it has none that bench knows.
    private var benchmarked: BenchmarkedNetwork?
    private var recipe: any RecipePlugIn
    private var without: Set<Rewriting>
    var shape: TensorShape3D
    var samples: Int
    var threads: Int
    var json: Bool
    var progress: ProgressLine

    /// - Parameters:
    ///   - size: of the preset's sample when nil.
    ///   - samples: when `--samples` is not given.
    init(_ arguments: Arguments, size: TensorShape3D? = nil, samples: Int = 5) throws {
        recipe = arguments.recipe
        benchmarked = try Self.network(arguments)
        without = try Self.rewritings(arguments)
        shape = try Self.size(arguments) ?? size ?? benchmarked?.shape
            ?? TensorShape3D(depth: 32, height: 64, width: 64)
        self.samples = try arguments.integer("--samples", 1...10_000) ?? samples
        threads = try Threads.count(arguments)
        json = arguments.has("--json")
        progress = ProgressLine(plainSeconds: 5)
    }

    var presetName: String? { benchmarked?.presetName }
    /// Where the recipe has several.
    var networkName: String? { recipe.benchmarkedNetworkNames.count > 1 ? benchmarked?.name : nil }

    private static func network(_ arguments: Arguments) throws -> BenchmarkedNetwork? {
        let all = try arguments.recipe.benchmarkedNetworks(arguments.values)
        guard let name = arguments.text("--network") else { return all.first }
        guard let found = all.first(where: { $0.name == name }) else {
            let names = all.map(\.name).joined(separator: " or ")
            throw UsageError("--network takes \(names), not \"\(name)\"")
        }
        return found
    }

    private static func rewritings(_ arguments: Arguments) throws -> Set<Rewriting> {
        Set(try (arguments.text("--skip-rewriting") ?? "").split(separator: ",").map { name in
            guard let rewriting = Rewriting(rawValue: String(name)) else {
                let names = Rewriting.allCases.map(\.rawValue).joined(separator: ", ")
                throw UsageError("--skip-rewriting takes \(names), not \"\(name)\"")
            }
            return rewriting
        })
    }

    /// - Throws: `UsageError` where the recipe has none that bench knows.
    func figures(
        _ mode: NetworkBenchmark.Mode, _ pool: ThreadPool, beforeSample: (Int) throws -> Void
    ) throws -> NetworkBenchmark.Figures {
        guard let benchmarked else { throw UsageError("the recipe \(recipe.name) has no network for bench") }
        return try NetworkBenchmark.run(
            benchmarked.network, loss: benchmarked.loss, without: without, shape: shape, mode: mode, samples: samples,
            pool: pool, now: BenchClock.now, beforeSample: beforeSample)
    }

    /// `--size 32x256x256`; commas do as well.
    private static func size(_ arguments: Arguments) throws -> TensorShape3D? {
        guard let text = arguments.text("--size") else { return nil }
        let sides = text.split(omittingEmptySubsequences: false) { "x,".contains($0) }.map { Int($0) }
        guard sides.count == 3, sides.allSatisfy({ (1...4096).contains($0 ?? 0) }),
            sides.compactMap({ $0 }).reduce(1, *) <= 1 << 31
        else {
            throw UsageError("--size takes depth, height and width in voxels, as 32x256x256, at most 4096 a side and "
                + "2^31 in all, not \"\(text)\"")
        }
        return TensorShape3D(depth: sides[0]!, height: sides[1]!, width: sides[2]!)
    }

    /// - Throws: `Interrupted` after Ctrl-C: no figures, for those of a few samples would mislead.
    func checkStop() throws {
        if StopSignal.isRequested { throw Interrupted("interrupted; nothing was measured to the end") }
    }

    /// Before a sample: says so and hears a stop. 0 is the one that warms up.
    func begin(_ sample: Int) throws {
        try checkStop()
        progress.show(sample == 0 ? "bench: warming up" : "bench: sample \(sample) of \(samples)")
    }

    /// Once to warm up, then timed. Both closures are told the sample's number, 0 for the one that warms up.
    ///
    /// - Parameter after: not timed.
    /// - Returns: seconds of every timed sample.
    func time(after: (Int) -> Void = { _ in }, _ body: (Int) throws -> Void) throws -> [Double] {
        try (0...samples).map { sample in
            try begin(sample)
            let start = BenchClock.now()
            try body(sample)
            defer { after(sample) }
            return BenchClock.now() - start
        }.suffix(samples)
    }
}

enum BenchClock {
    static func now() -> Double { Double(MonotonicClock.nowNanoseconds()) / 1e9 }
}
