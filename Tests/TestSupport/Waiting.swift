import Platform

/// Waits for what comes at once, unless the machine stands still: the patience costs a test nothing that passes.
///
/// - Returns: false where it is not so in time.
package func wait(seconds: Double = 60, until isSo: () throws -> Bool) rethrows -> Bool {
    let end = MonotonicClock.nowMilliseconds() + UInt64(seconds * 1_000)
    while try !isSo() {
        if MonotonicClock.nowMilliseconds() >= end { return false }
        MonotonicClock.sleep(milliseconds: 10)
    }
    return true
}
