import Platform
import Testing

@Suite struct SecureConnectionTests {
    private let folder: TemporaryFolder
    private let token: ClusterToken
    private let otherToken: ClusterToken

    init() throws {
        folder = try TemporaryFolder()
        token = try ClusterToken.generate(to: folder.file("token"))
        otherToken = try ClusterToken.generate(to: folder.file("other"))
    }

    private var security: ConnectionSecurity { .preSharedKeys([token]) }

    @Test func bytesGoBothWaysUnderTheToken() throws {
        let harness = try NetworkHarness()
        let (server, client) = try harness.pair(server: security, client: security)
        harness.loop.send([1, 2, 3], on: client)
        harness.loop.send([9], on: server)
        try harness.run { harness.received(on: server).count == 3 && harness.received(on: client).count == 1 }
        #expect(harness.received(on: server) == [1, 2, 3])
        #expect(harness.received(on: client) == [9])
        #expect(harness.drained == [server, client])
    }

    @Test func bytesSentBeforeTheHandshakeArriveAfterIt() throws {
        let harness = try NetworkHarness()
        let port = try harness.loop.listen(host: "127.0.0.1", port: 0, security: security)
        let client = try harness.loop.connect(host: "127.0.0.1", port: port, security: security)
        harness.loop.send([7], on: client)
        try harness.run { !harness.accepted.isEmpty && harness.received(on: harness.accepted[0]) == [7] }
    }

    @Test func largeTransfersArriveWholeAndCloseLosesNothing() throws {
        let harness = try NetworkHarness()
        let (server, client) = try harness.pair(server: security, client: security)
        let bytes = testBytes(10_000_000, seed: 5)
        harness.loop.send(bytes, on: client)
        harness.loop.send(Array(bytes.reversed()), on: server)
        try harness.run {
            harness.received(on: server).count == bytes.count && harness.received(on: client).count == bytes.count
        }
        #expect(harness.received(on: server) == bytes)
        #expect(harness.received(on: client) == Array(bytes.reversed()))
        harness.loop.send(bytes, on: server)
        harness.loop.close(server)
        try harness.run { harness.closed[client] != nil && harness.closed[server] != nil }
        #expect(harness.received(on: client).count == 2 * bytes.count)
        #expect(harness.closed[client] == "the peer closed the connection")
    }

    @Test func aPeerWithAnotherTokenIsRefusedOnBothSides() throws {
        let harness = try NetworkHarness()
        let port = try harness.loop.listen(host: "127.0.0.1", port: 0, security: security)
        let client = try harness.loop.connect(host: "127.0.0.1", port: port, security: .preSharedKeys([otherToken]))
        harness.loop.send([1], on: client)
        try harness.run { harness.closed[client] != nil && !harness.rejected.isEmpty }
        #expect(harness.closed[client]?.contains("does not know our token") == true)
        #expect(harness.rejected[0].contains("has not shown a token"))
        #expect(harness.accepted.isEmpty && harness.connected.isEmpty && harness.received.isEmpty)
    }

    @Test func twoTokensAreGoodWhileOneIsReplaced() throws {
        let harness = try NetworkHarness()
        let port = try harness.loop.listen(
            host: "127.0.0.1", port: 0, security: .preSharedKeys([token, otherToken]))
        for one in [token, otherToken] {
            _ = try harness.loop.connect(host: "127.0.0.1", port: port, security: .preSharedKeys([one]))
        }
        try harness.run { harness.accepted.count == 2 && harness.connected.count == 2 }
    }

    /// What was sent before the handshake waits for the token that is taken.
    @Test func aDiallerShowsItsTokensInTurn() throws {
        let harness = try NetworkHarness()
        let port = try harness.loop.listen(host: "127.0.0.1", port: 0, security: security)
        let client = try harness.loop.connect(
            host: "127.0.0.1", port: port, security: .preSharedKeys([otherToken, .generate(), token]))
        harness.loop.send([1, 2, 3], on: client)
        try harness.run { !harness.accepted.isEmpty && harness.received(on: harness.accepted[0]).count == 3 }
        #expect(harness.received(on: harness.accepted[0]) == [1, 2, 3])
        #expect(harness.connected == [client] && harness.rejected.count == 2 && harness.closed.isEmpty)
        let stranger = try harness.loop.connect(
            host: "127.0.0.1", port: port, security: .preSharedKeys([otherToken, .generate()]))
        try harness.run { harness.closed[stranger] != nil && harness.rejected.count == 4 }
        #expect(harness.closed[stranger]?.contains("does not know our token") == true)
        #expect(harness.accepted.count == 1)
    }

    @Test func plaintextIsRefusedWhereTheTokenIsAskedFor() throws {
        let harness = try NetworkHarness()
        let port = try harness.loop.listen(host: "127.0.0.1", port: 0, security: security)
        let client = try harness.loop.connect(host: "127.0.0.1", port: port, security: .plaintext)
        harness.loop.send(Array("QNTT and some bytes of a frame".utf8), on: client)
        try harness.run { harness.closed[client] != nil && !harness.rejected.isEmpty }
        #expect(harness.rejected[0].contains("--token-file"))
        #expect(harness.accepted.isEmpty)
        let words = "without a word, as a coordinator with a token does: give --token-file FILE"
        #expect(harness.closed[client]?.contains(words) == true, "\(harness.closed[client] ?? "")")
    }

    @Test func aDiallerWithATokenNeverGoesBackToPlaintext() throws {
        let harness = try NetworkHarness()
        let port = try harness.loop.listen(host: "127.0.0.1", port: 0, security: .plaintext)
        let client = try harness.loop.connect(host: "127.0.0.1", port: port, security: security)
        harness.loop.send(Array("secret".utf8), on: client)
        try harness.run { harness.accepted.count == 1 }
        harness.loop.send(Array("QNTT and some bytes of a frame".utf8), on: harness.accepted[0])
        try harness.run { harness.closed[client] != nil }
        #expect(harness.closed[client]?.contains("does not speak TLS") == true)
        #expect(harness.closed[client]?.contains("start the coordinator with --token-file FILE, or leave") == true)
        #expect(harness.connected.isEmpty)
        let seen = String(decoding: harness.received(on: harness.accepted[0]), as: UTF8.self)
        #expect(!seen.contains("secret"))
    }

    @Test func recordedBytesOpenNoSecondConnection() throws {
        // A listener in plaintext stands between dialler and server, passes everything on and keeps a copy.
        let harness = try NetworkHarness(), middle = try NetworkHarness()
        let port = try harness.loop.listen(host: "127.0.0.1", port: 0, security: security)
        let middlePort = try middle.loop.listen(host: "127.0.0.1", port: 0, security: .plaintext)
        let client = try harness.loop.connect(host: "127.0.0.1", port: middlePort, security: security)
        harness.loop.send([1, 2, 3], on: client)
        try middle.run {
            try? harness.turn()
            return !middle.accepted.isEmpty
        }
        let near = middle.accepted[0]
        let far = try middle.loop.connect(host: "127.0.0.1", port: port, security: .plaintext)
        var passed: [ConnectionID: Int] = [:]
        try harness.run {
            try? middle.turn()
            for (from, to) in [(near, far), (far, near)] {
                middle.loop.send(Array(middle.received(on: from).dropFirst(passed[from] ?? 0)), on: to)
                passed[from] = middle.received(on: from).count
            }
            return !harness.accepted.isEmpty && harness.received(on: harness.accepted[0]) == [1, 2, 3]
        }
        let replay = try middle.loop.connect(host: "127.0.0.1", port: port, security: .plaintext)
        middle.loop.send(middle.received(on: near), on: replay)
        try harness.run {
            try? middle.turn()
            return !harness.rejected.isEmpty
        }
        #expect(harness.accepted.count == 1)
    }

    @Test func aPeerThatNeverFinishesTheHandshakeIsDropped() throws {
        var limits = NetworkLimits.patient
        limits.handshakeMilliseconds = 200
        let harness = try NetworkHarness(limits: limits)
        let port = try harness.loop.listen(host: "127.0.0.1", port: 0, security: security)
        let silent = try harness.loop.connect(host: "127.0.0.1", port: port, security: .plaintext)
        try harness.run { !harness.rejected.isEmpty && harness.closed[silent] != nil }
        #expect(harness.rejected == ["the handshake took too long"])
    }

    @Test func garbageInsteadOfAHandshakeEndsThatPeerOnly() throws {
        let harness = try NetworkHarness()
        let (server, client) = try harness.pair(server: security, client: security)
        for seed in 0..<50 {
            let port = try harness.loop.listen(host: "127.0.0.1", port: 0, security: security)
            let noisy = try harness.loop.connect(host: "127.0.0.1", port: port, security: .plaintext)
            // Half of it begins like a TLS record.
            let noise = testBytes(300, seed: UInt64(seed))
            harness.loop.send(seed % 2 == 0 ? noise : [0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3] + noise, on: noisy)
            // What is closed before it stands sends nothing.
            try harness.run { harness.connected.contains(noisy) }
            harness.loop.close(noisy)
            try harness.run { harness.rejected.count == seed + 1 }
            // For what it said, not because it has left.
            #expect(harness.rejected[seed].contains("token"), "seed \(seed): \(harness.rejected[seed])")
            harness.loop.stopListening()
        }
        harness.loop.send([1], on: client)
        try harness.run { harness.received(on: server) == [1] }
        #expect(harness.accepted.count == 1)
    }
}
