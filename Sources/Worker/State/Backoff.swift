/// Pauses between attempts to reach the coordinator: doubling, and spread by the worker's name so that fifty workers
/// that lost the same coordinator do not come back in the same instant. No random source: the same worker makes the
/// same pauses, and a simulation can be repeated.
struct Backoff: Sendable {
    private let name: String
    private(set) var failureCount: UInt64 = 0

    init(name: String) { self.name = name }

    /// The next pause: between 3/4 and 5/4 of 250 ms, 500 ms, 1 s, ... `lastMilliseconds`.
    mutating func nextPauseMilliseconds(lastMilliseconds: UInt64) -> UInt64 {
        let doublings = min(failureCount, 16)
        let base = min(WorkerLimits.retryFirstMilliseconds << doublings, lastMilliseconds)
        failureCount += 1
        return base * 3 / 4 + spread() % (base / 2 + 1)
    }

    mutating func reset() { failureCount = 0 }

    /// FNV-1a over the name and the attempt's number.
    private func spread() -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in Array(name.utf8) + withUnsafeBytes(of: failureCount.littleEndian, Array.init) {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        return hash >> 16
    }
}
