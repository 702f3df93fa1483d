import ModelCore
import Numerics
import Recipes
import VotingAggregator

/// `quintet bench vote`: five replicas' probabilities to bits, then the majority (method A4).
enum VoteBench {
    struct Details: Encodable {
        var voters: Int
        /// Probabilities to bits, all voters together; bytes read and written.
        var packSeconds: Double
        var packGigabytesPerSecond: Double
        var packShareOfBandwidth: Double?
        /// The majority alone.
        var majoritySeconds: Double
        var majorityGigabytesPerSecond: Double
        var majorityShareOfBandwidth: Double?
        var healthyVoxels: Int
    }

    /// Five voters that differ; one volume serves them all.
    static let thresholds: [Float] = [0.1, 0.3, 0.5, 0.7, 0.9]

    static func run(_ arguments: Arguments) throws {
        let options = try BenchOptions(arguments, size: TensorShape3D(depth: 300, height: 512, width: 512))
        let pool = ThreadPool(threadCount: options.threads), field = BenchmarkField(options.shape)
        let probabilities = field.roughness(pool: pool)
        var healthy = 0, packing: [Double] = []
        let seconds = try options.time { _ in
            let start = BenchClock.now()
            let votes = probabilities.withUnsafeBufferPointer { values in
                Self.thresholds.map { BitMask(shape: field.shape, values: values, above: $0, pool: pool) }
            }
            packing.append(BenchClock.now() - start)
            healthy = try MajorityVote.vote(votes, pool: pool).voxelCount
        }
        let summary = BenchSummary("vote", options: options, pool: pool, seconds: seconds)
        let pack = packing.dropFirst().sorted()[options.samples / 2], majority = summary.secondsPerSample - pack
        let voters = Double(Self.thresholds.count), maskBytes = Double(BitMask(shape: field.shape).words.count * 8)
        let packBytes = voters * (Double(4 * field.shape.voxelCount) + maskBytes), bytes = (voters + 1) * maskBytes
        let details = Details(
            voters: Self.thresholds.count, packSeconds: pack, packGigabytesPerSecond: packBytes / pack / 1e9,
            packShareOfBandwidth: summary.shareOfBandwidth(packBytes, seconds: pack), majoritySeconds: majority,
            majorityGigabytesPerSecond: bytes / majority / 1e9,
            majorityShareOfBandwidth: summary.shareOfBandwidth(bytes, seconds: majority), healthyVoxels: healthy)
        BenchReport(summary: summary, details: details).show(options, more: text(details))
    }

    private static func text(_ details: Details) -> String {
        func line(_ what: String, _ seconds: Double, _ rate: Double, _ share: Double?) -> String {
            "\(what): \(Text.fixed(1000 * seconds, 2)) ms, \(Text.fixed(rate, 1)) GB/s"
                + BenchText.percent(share, "of the bandwidth")
        }
        return line("to bits, \(details.voters) voters", details.packSeconds, details.packGigabytesPerSecond,
                    details.packShareOfBandwidth) + "\n"
            + line("majority", details.majoritySeconds, details.majorityGigabytesPerSecond,
                   details.majorityShareOfBandwidth)
    }
}
