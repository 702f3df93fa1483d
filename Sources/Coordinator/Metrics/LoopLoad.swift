/// How busy the one thread is that decides: everybody waits for it.
package struct LoopLoad {
    /// Outside of waiting for the network, since the start.
    package private(set) var busySeconds = 0.0
    package private(set) var turnCount = 0
    private var longestNow = 0.0
    private var longestBefore = 0.0
    private var minuteBeganMilliseconds: UInt64 = 0

    package init() {}

    /// The longest turn of the last one to two minutes.
    package var longestSeconds: Double { max(longestNow, longestBefore) }

    package mutating func note(seconds: Double, at nowMilliseconds: UInt64) {
        if nowMilliseconds >= minuteBeganMilliseconds + 60_000 {
            (longestBefore, longestNow, minuteBeganMilliseconds) = (longestNow, 0, nowMilliseconds)
        }
        busySeconds += seconds
        turnCount += 1
        longestNow = max(longestNow, seconds)
    }
}
