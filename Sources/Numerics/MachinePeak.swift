import CKernels

/// What this machine does at most, measured: the yardstick beside every kernel's speed.
public struct MachinePeak: Codable, Equatable, Sendable {
    public var threadCount: Int
    /// Billions of single-precision operations a second, a fused multiply-add counting as two: registers only.
    public var gigaflops: Double
    /// Billions of bytes a second, read and written, copying memory that no cache holds.
    public var copyGigabytesPerSecond: Double
    /// The same for a = b + 3 c.
    public var triadGigabytesPerSecond: Double

    /// The larger of the two: what a kernel that does nothing but move could reach.
    public var bandwidthGigabytesPerSecond: Double { max(copyGigabytesPerSecond, triadGigabytesPerSecond) }

    /// Floats of each of the three buffers: 64 MiB, beyond the caches of most machines.
    private static let floatCount = 1 << 24
    private static let repetitions = 5
    /// Memory that a measurement takes.
    public static let byteCount = 3 * floatCount * MemoryLayout<Float>.stride

    /// The best of several short measurements, about half a second in all, with the pool's threads.
    ///
    /// - Parameter now: a monotonic clock, in seconds.
    /// - Returns: nil when there are not `byteCount` bytes of memory for it.
    public static func measure(pool: ThreadPool, now: () -> Double) -> MachinePeak? {
        guard let block = quintet_arena_create(byteCount) else { return nil }
        defer { quintet_arena_destroy(block) }
        let first = block.bindMemory(to: Float.self, capacity: 3 * floatCount)
        let second = first + floatCount, third = second + floatCount
        func best(_ work: () -> Double) -> Double {
            (0..<repetitions).map { _ in
                let start = now(), amount = work()
                return amount / (now() - start) / 1e9
            }.max()!
        }
        // Memory that was never written all reads from one page of zeros, which caches hold.
        quintet_fill(pool.handle, 3 * floatCount, 1, first)
        let rounds = rounds(pool, now)
        return MachinePeak(
            threadCount: pool.threadCount, gigaflops: best { quintet_peak_compute(pool.handle, rounds) },
            copyGigabytesPerSecond: best { quintet_peak_copy(pool.handle, first, third, floatCount) },
            triadGigabytesPerSecond: best { quintet_peak_triad(pool.handle, first, second, third, floatCount) })
    }

    /// Rounds that take at least 20 ms: as many as that are on this machine.
    private static func rounds(_ pool: ThreadPool, _ now: () -> Double) -> Int64 {
        var rounds: Int64 = 8
        while true {
            let start = now()
            _ = quintet_peak_compute(pool.handle, rounds)
            if now() - start >= 0.02 { return rounds }
            rounds *= 2
        }
    }
}
