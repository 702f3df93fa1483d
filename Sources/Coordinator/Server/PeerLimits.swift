import Platform
import Protocol

/// What one peer may ask of a coordinator, and how long it may take: the bounds of `Limits`. A value, so that tests
/// need not wait as long as people's networks do.
package struct PeerLimits: Sendable {
    package var connectionsMax = Limits.connectionsMax
    package var connectionsPerAddressMax = Limits.connectionsPerAddressMax
    package var handshakeMilliseconds = Limits.handshakeMilliseconds
    package var frameMilliseconds = Limits.frameMilliseconds
    package var clientSilenceMilliseconds = Limits.clientSilenceMilliseconds
    package var staleResultsMax = Limits.staleResultsMax
    package var staleResultsRecordedMax = Limits.staleResultsRecordedMax

    package init() {}

    /// What the network takes care of. All of it: nothing is left to the loop's defaults.
    var network: NetworkLimits {
        var limits = NetworkLimits()
        limits.connectionsMax = connectionsMax
        limits.connectionsPerAddressMax = connectionsPerAddressMax
        limits.handshakesMax = Limits.connectionsBeforeWelcomeMax
        limits.handshakesPerAddressMax = Limits.connectionsBeforeWelcomePerAddressMax
        limits.queuedByteCountMax = Limits.queuedBytesMax
        limits.overfullMilliseconds = Limits.overfullMilliseconds
        limits.stalledMilliseconds = Limits.stalledMilliseconds
        limits.handshakeMilliseconds = handshakeMilliseconds
        limits.closeMilliseconds = Limits.closeMilliseconds
        limits.turnByteCountMax = Limits.turnBytesMax
        return limits
    }
}

/// How often something has happened in the minute at hand.
struct MinuteCount: Sendable {
    private var beganMilliseconds: UInt64 = 0
    private var count = 0

    /// Once more. Returns how often by now.
    mutating func note(at nowMilliseconds: UInt64) -> Int {
        if nowMilliseconds >= beganMilliseconds + 60_000 { (beganMilliseconds, count) = (nowMilliseconds, 0) }
        count += 1
        return count
    }
}
