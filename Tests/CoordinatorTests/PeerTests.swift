import Coordinator
import Platform
import Protocol
import Testing

/// How long a peer may take for what, and how much it may say before it is welcomed (docs/SECURITY.md). By numbers:
/// the clock is an argument.
@Suite struct PeerTests {
    private let limits = PeerLimits()

    private func peer(_ role: Peer.Role, connection: ConnectionID) -> Peer {
        var peer = Peer(connection: connection, address: "10.0.0.7:40112", nowMilliseconds: 1_000)
        peer.role = role
        return peer
    }

    private func connection() throws -> ConnectionID {
        try NetworkLoop().connect(host: "127.0.0.1", port: 9, security: .plaintext)
    }

    private func isOverdue(_ peer: Peer, at nowMilliseconds: UInt64) -> Bool {
        peer.overdue(at: nowMilliseconds, silenceMilliseconds: 30_000, limits) != nil
    }

    @Test func whoDoesNotSayHelloHasFiveSeconds() throws {
        let stranger = peer(.unknown, connection: try connection())
        #expect(!isOverdue(stranger, at: 6_000) && isOverdue(stranger, at: 6_001))
    }

    @Test func aFrameHasTenSecondsFromItsFirstByteToItsLast() throws {
        var client = peer(.client, connection: try connection())
        #expect(!isOverdue(client, at: 20_000))
        client.frameBeganMilliseconds = 2_000
        #expect(!isOverdue(client, at: 12_000) && isOverdue(client, at: 12_001))
    }

    @Test func workersAreSilentNoLongerThanALeaseAndClientsTenMinutes() throws {
        let worker = peer(.worker("w"), connection: try connection())
        #expect(!isOverdue(worker, at: 31_000) && isOverdue(worker, at: 31_001))
        let client = peer(.client, connection: try connection())
        #expect(!isOverdue(client, at: 601_000) && isOverdue(client, at: 601_001))
    }

    /// At its header: not a byte of what it claims is waited for.
    @Test func beforeHelloAFrameHasFourKiB() throws {
        for (byteCount, isTaken) in [(4_096, true), (4_097, false), (1 << 20, false)] {
            var stranger = peer(.unknown, connection: try connection())
            var header = [UInt8](repeating: 0, count: 16)
            // The length is that of the payload alone.
            withUnsafeBytes(of: UInt32(byteCount - 16).littleEndian) { header.replaceSubrange(0..<4, with: $0) }
            stranger.decoder.append(FrameEncoder.magic + header)
            if isTaken {
                #expect(try stranger.decoder.next() == nil)
            } else {
                #expect(throws: ProtocolError.self, "\(byteCount)") { try stranger.decoder.next() }
            }
        }
    }
}
