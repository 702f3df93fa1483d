import Glibc
import Platform
import Testing

/// Peers that take a place and give nothing for it.
@Suite struct HostileConnectionTests {
    private let folder: TemporaryFolder
    private let security: ConnectionSecurity

    init() throws {
        folder = try TemporaryFolder()
        security = .preSharedKeys([try ClusterToken.generate(to: folder.file("token"))])
    }

    /// Both loops go on until the condition holds.
    private func run(_ one: NetworkHarness, _ other: NetworkHarness, until isDone: () -> Bool) throws {
        try one.run {
            try? other.turn()
            return isDone()
        }
    }

    @Test func theOldestWithoutATokenMakesRoomForAMember() throws {
        var limits = NetworkLimits.patient
        limits.handshakesMax = 4
        let server = try NetworkHarness(limits: limits), crowd = try NetworkHarness()
        let port = try server.loop.listen(host: "127.0.0.1", port: 0, security: security)
        let silent = try (0..<4).map { _ in
            try crowd.loop.connect(host: "127.0.0.1", port: port, security: .plaintext)
        }
        try run(server, crowd) { crowd.connected.count == 4 }
        let member = try crowd.loop.connect(host: "127.0.0.1", port: port, security: security)
        try run(server, crowd) { server.accepted.count == 1 && crowd.closed[silent[0]] != nil }
        #expect(crowd.connected.contains(member) && crowd.closed.count == 1)
        #expect(server.rejected == ["it had not shown a token when its place was needed"])
    }

    @Test func theOldestMakesRoomWhenEveryPlaceIsTaken() throws {
        var limits = NetworkLimits.patient
        limits.connectionsMax = 3
        let server = try NetworkHarness(limits: limits), crowd = try NetworkHarness()
        let port = try server.loop.listen(host: "127.0.0.1", port: 0, security: security)
        func dial(_ security: ConnectionSecurity) throws -> ConnectionID {
            try crowd.loop.connect(host: "127.0.0.1", port: port, security: security)
        }
        let first = try dial(security)
        try run(server, crowd) { server.accepted.count == 1 }
        let silent = [try dial(.plaintext), try dial(.plaintext)]
        try run(server, crowd) { silent.allSatisfy(crowd.connected.contains) }
        _ = try dial(security)
        try run(server, crowd) { server.accepted.count == 2 && crowd.closed.count == 1 }
        _ = try dial(security)
        try run(server, crowd) { server.accepted.count == 3 && crowd.closed.count == 2 }
        // Members only now: they keep their places.
        let late = try dial(security)
        try run(server, crowd) { crowd.closed[late] != nil }
        #expect(crowd.closed[first] == nil && server.accepted.count == 3)
        #expect(server.rejected.last?.contains("3 connections already") == true)
    }

    @Test func oneAddressHasItsShareOnly() throws {
        var limits = NetworkLimits.patient
        limits.connectionsPerAddressMax = 2
        let server = try NetworkHarness(limits: limits), crowd = try NetworkHarness()
        let port = try server.loop.listen(host: "127.0.0.1", port: 0, security: .plaintext)
        for _ in 0..<3 { _ = try crowd.loop.connect(host: "127.0.0.1", port: port, security: .plaintext) }
        try run(server, crowd) { server.accepted.count == 2 && server.rejected.count == 1 && crowd.closed.count == 1 }
        #expect(server.rejected[0].contains("from its address"))
    }

    @Test func whoeverTakesNothingOfWhatItAskedForIsDropped() throws {
        var limits = NetworkLimits.patient
        limits.stalledMilliseconds = 300
        let server = try NetworkHarness(limits: limits), client = try NetworkHarness()
        let port = try server.loop.listen(host: "127.0.0.1", port: 0, security: .plaintext)
        let deaf = try client.loop.connect(host: "127.0.0.1", port: port, security: .plaintext)
        try run(server, client) { server.accepted.count == 1 && client.connected.contains(deaf) }
        client.loop.setReading(false, on: deaf)
        // More than the kernel's own buffers take.
        server.loop.send(.init(repeating: 1, count: 40_000_000), on: server.accepted[0])
        try server.run { server.closed.count == 1 }
        #expect(server.closed[server.accepted[0]] == "it takes nothing of what it asked for")
    }

    @Test func whoeverAsksForMoreThanItTakesIsDropped() throws {
        var limits = NetworkLimits.patient
        limits.queuedByteCountMax = 1 << 20
        limits.overfullMilliseconds = 300
        let server = try NetworkHarness(limits: limits), client = try NetworkHarness()
        let port = try server.loop.listen(host: "127.0.0.1", port: 0, security: .plaintext)
        let slow = try client.loop.connect(host: "127.0.0.1", port: port, security: .plaintext)
        try run(server, client) { server.accepted.count == 1 && client.connected.contains(slow) }
        server.loop.send(.init(repeating: 1, count: 400_000_000), on: server.accepted[0])
        // It takes a little at a time.
        var turns = 0
        try server.run {
            turns += 1
            client.loop.setReading(turns % 8 == 0, on: slow)
            _ = try? client.loop.wait(timeoutMilliseconds: 0)
            MonotonicClock.sleep(milliseconds: 5)
            return server.closed.count == 1
        }
        #expect(server.closed[server.accepted[0]]?.contains("more than it takes") == true)
    }

    @Test func theLimitOfOpenFilesIsRaisedAndNeverLowered() {
        let before = OpenFileLimit.raise(to: 0)
        #expect(OpenFileLimit.raise(to: 64) == before)
        #expect(OpenFileLimit.raise(to: before) == before)
    }
}
