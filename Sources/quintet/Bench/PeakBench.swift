import ModelCore
import Numerics
import Platform
import Recipes

/// `quintet bench peak`: what the machine does at most, for every instruction set that the kernels are compiled for.
enum PeakBench {
    struct Row: Encodable {
        var kernels: String
        var peak: MachinePeak
    }

    struct Report: Encodable {
        var what = "peak"
        /// The instruction set that the kernels use here.
        var kernels: String
        /// Of that one, with all threads.
        var peakGigaflops: Double
        var bandwidthGigabytesPerSecond: Double
        var peakMemoryBytes: UInt64
        /// Every instruction set, with one thread and with all.
        var rows: [Row]
    }

    static func run(_ arguments: Arguments) throws {
        let options = try BenchOptions(arguments)
        let pools = Set([1, options.threads]).sorted().map { ThreadPool(threadCount: $0) }
        var rows: [Row] = []
        for variant in KernelVariant.allCases where variant != .naive && variant.isAvailable {
            for pool in pools {
                try options.checkStop()
                options.progress.show("bench: \(variant), \(pool.threadCount) threads")
                guard let peak = variant.force({ MachinePeak.measure(pool: pool, now: BenchClock.now) }) else {
                    throw ModelError.outOfMemory(byteCount: MachinePeak.byteCount)
                }
                rows.append(Row(kernels: "\(variant)", peak: peak))
            }
        }
        let best = rows.last { $0.kernels == "\(KernelVariant.current)" }!.peak
        let report = Report(
            kernels: "\(KernelVariant.current)", peakGigaflops: best.gigaflops,
            bandwidthGigabytesPerSecond: best.bandwidthGigabytesPerSecond,
            peakMemoryBytes: Machine.peakResidentByteCount, rows: rows)
        Console.out(options.json ? JSONText.encode(report) : text(report))
    }

    private static func text(_ report: Report) -> String {
        let rows = report.rows.map { row in
            [
                row.kernels, "\(row.peak.threadCount)", Text.fixed(row.peak.gigaflops, 1),
                Text.fixed(row.peak.copyGigabytesPerSecond, 1), Text.fixed(row.peak.triadGigabytesPerSecond, 1),
            ]
        }
        let header = ["kernels", "threads", "GFLOP/s", "copy GB/s", "triad GB/s"]
        return TextTable(header: header, rows: rows).text() + "\nin use: \(report.kernels)"
    }
}
