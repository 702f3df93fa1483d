import Platform
import Testing

extension NetworkLimits {
    /// For tests that are not about the patience of a loop: their own thread, which is both sides, may stand still.
    static var patient: NetworkLimits {
        var limits = NetworkLimits()
        limits.connectMilliseconds = 60_000
        limits.handshakeMilliseconds = 60_000
        limits.closeMilliseconds = 60_000
        limits.overfullMilliseconds = 60_000
        limits.stalledMilliseconds = 60_000
        return limits
    }
}

/// One loop that is both sides of its connections, driven until something has happened.
final class NetworkHarness {
    let loop: NetworkLoop
    var accepted: [ConnectionID] = []
    var connected: [ConnectionID] = []
    var closed: [ConnectionID: String] = [:]
    var rejected: [String] = []
    var received: [ConnectionID: [UInt8]] = [:]
    var drained: Set<ConnectionID> = []

    init(limits: NetworkLimits = .patient) throws { loop = try NetworkLoop(limits: limits) }

    func turn() throws {
        for event in try loop.wait(timeoutMilliseconds: 50) {
            switch event {
            case .accepted(let id, _): accepted.append(id)
            case .rejected(_, let reason): rejected.append(reason)
            case .connected(let id): connected.append(id)
            case .received(let id, let bytes): received[id, default: []] += bytes
            case .drained(let id): drained.insert(id)
            case .closed(let id, let reason):
                #expect(closed[id] == nil, "a second closed")
                closed[id] = reason
            }
        }
    }

    func run(seconds: Double = 60, until isDone: () -> Bool) throws {
        let end = MonotonicClock.nowMilliseconds() + UInt64(seconds * 1000)
        while !isDone() {
            try #require(
                MonotonicClock.nowMilliseconds() < end,
                "nothing more happened; closed \(closed), rejected \(rejected)")
            try turn()
        }
    }

    func received(on id: ConnectionID) -> [UInt8] { received[id] ?? [] }

    /// A connection with both of its ends.
    func pair(
        host: String = "127.0.0.1", server: ConnectionSecurity = .plaintext, client: ConnectionSecurity = .plaintext
    ) throws -> (server: ConnectionID, client: ConnectionID) {
        let port = try loop.listen(host: host, port: 0, security: server)
        let before = accepted.count
        let id = try loop.connect(host: host, port: port, security: client)
        try run { accepted.count > before && connected.contains(id) }
        return (accepted[before], id)
    }
}
