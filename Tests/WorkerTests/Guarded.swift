import Foundation

/// A value behind a lock that the thread sanitizer understands. (It does not see the contended path of
/// `Synchronization.Mutex`, which lies in a library that is not instrumented, and reports races that are none.)
final class Guarded<Value>: @unchecked Sendable {
    // Unchecked: `value` is touched under `lock` only.
    private let lock = NSLock()
    private var value: Value

    init(_ value: Value) { self.value = value }

    func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        lock.lock()
        defer { lock.unlock() }
        return try body(&value)
    }
}
