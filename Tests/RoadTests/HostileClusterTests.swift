import Coordinator
import Foundation
import Platform
import Protocol
import TestSupport
import Testing

/// Those without the token, against a real coordinator. `cluster/security.sh` runs it at full size.
@Suite(.serialized) struct HostileClusterTests {
    private static let isFull = HostileCluster.isFull

    private var hello: [UInt8] {
        get throws {
            let hello = Hello(
                role: .worker, versionMin: 4, versionMax: 4, build: "test", name: "stranger", threadCount: 1,
                device: "cpu", held: [])
            return FrameEncoder.magic + (try MessageCoding.encode(.hello(hello), requestID: 1))
        }
    }

    @Test func slowAndSilentPeersAreDroppedAndCostTheOthersNothing() throws {
        let cluster = try HostileCluster()
        defer { cluster.remove() }
        let (slowCount, silentCount) = Self.isFull ? (200, 1_000) : (10, 40)
        let heartbeats = Heartbeats(port: cluster.port, security: cluster.security, name: "member")
        heartbeats.waitUntilMember()
        var begins: [ConnectionID: UInt64] = [:], lifetimes: [UInt64] = [], slow: [ConnectionID] = []
        let loop = try NetworkLoop()
        for number in 0..<(slowCount + silentCount) {
            // Every fourth slow one has the token and is slow with its hello.
            let isMember = number < slowCount && number % 4 == 3
            let connection = try loop.connect(
                host: "127.0.0.1", port: cluster.port, security: isMember ? cluster.security : .plaintext)
            begins[connection] = MonotonicClock.nowMilliseconds()
            if number < slowCount { slow.append(connection) }
        }
        let drip = try hello
        var second = 0, nextDrip = MonotonicClock.nowMilliseconds()
        let deadline = MonotonicClock.nowMilliseconds() + 120_000
        while lifetimes.count < begins.count, MonotonicClock.nowMilliseconds() < deadline {
            if MonotonicClock.nowMilliseconds() >= nextDrip {
                // Without the token: a TLS record's header first, then anything.
                for connection in slow {
                    loop.send([second < 5 ? [0x16, 3, 1, 2, 0][second] : drip[second % drip.count]], on: connection)
                }
                (second, nextDrip) = (second + 1, nextDrip + 1_000)
            }
            for event in try loop.wait(timeoutMilliseconds: 50) {
                guard case .closed(let connection, _) = event else { continue }
                lifetimes.append(MonotonicClock.nowMilliseconds() - begins[connection]!)
            }
        }
        let latencies = try heartbeats.end()
        let outcome = cluster.stop()
        #expect(lifetimes.count == slowCount + silentCount, "\(lifetimes.count) were dropped")
        #expect(cluster.rejectionCount(in: outcome.errors + outcome.output) >= slowCount + silentCount)
        let longest = Double(lifetimes.max() ?? 0) / 1000, late = latencies.percentile(0.99)
        print("slow and silent: \(lifetimes.count) peers dropped, the last one after \(longest) s; \(latencies.count) "
            + "heartbeats, median \(latencies.percentile(0.5)) ms, 99 % \(late) ms, longest \(latencies.last ?? 0) ms")
        if Self.isFull { #expect(longest <= 10.5 && late < 100) }
    }

    @Test func nobodyComesInWithoutTheToken() throws {
        let cluster = try HostileCluster()
        defer { cluster.remove() }
        let count = Self.isFull ? 1_000 : 20
        let other = try ClusterToken.load(file: cluster.road.path("other-token"))
        let recorded = try recordOneSession(cluster)
        let before = try rows(cluster)
        let attacks: [(name: String, security: ConnectionSecurity, bytes: [UInt8])] = [
            ("no key", .plaintext, try hello), ("wrong key", .preSharedKeys([other]), try hello),
            ("replay", .plaintext, recorded), ("downgrade", .plaintext, Self.oldHello),
            ("downgrade, TLS 1.3 struck out", .plaintext, Self.withoutTLS13(recorded)),
        ]
        for attack in attacks {
            let answers = try run(attack.security, attack.bytes, count: count, port: cluster.port)
            #expect(answers.accepted == 0, "\(attack.name): \(answers.accepted) were accepted")
            // For what it says: what ends by the handshake's deadline alone has been refused by nobody.
            #expect(answers.soonest < Limits.handshakeMilliseconds, "\(attack.name): \(answers.soonest) ms")
            print("\(attack.name): \(count) tried, \(answers.accepted) accepted")
        }
        let after = try rows(cluster)
        #expect(after == before, "rows changed: \(before) -> \(after)")
        let outcome = cluster.stop()
        let turnedAway = cluster.rejectionCount(in: outcome.errors + outcome.output)
        print("turned away: \(turnedAway) in the log of \(attacks.count * count)")
        #expect(turnedAway >= attacks.count * count)
        try expectNoKey(in: cluster)
    }

    /// Tries `count` times, 50 at a time. Accepted is whoever gets as far as a word of the protocol; `soonest` is how
    /// many milliseconds the one had that was sent away first.
    private func run(
        _ security: ConnectionSecurity, _ bytes: [UInt8], count: Int, port: UInt16
    ) throws -> (accepted: Int, closed: Int, soonest: UInt64) {
        var accepted = 0, closed = 0, soonest = UInt64.max
        for _ in 0..<((count + 49) / 50) {
            let loop = try NetworkLoop()
            let wave = min(50, count - closed)
            var isWithTLS = false
            if case .preSharedKeys = security { isWithTLS = true }
            for _ in 0..<wave {
                loop.send(bytes, on: try loop.connect(host: "127.0.0.1", port: port, security: security))
            }
            var ended = 0
            let began = MonotonicClock.nowMilliseconds()
            while ended < wave, MonotonicClock.nowMilliseconds() < began + 120_000 {
                for event in try loop.wait(timeoutMilliseconds: 100) {
                    switch event {
                    case .connected: accepted += isWithTLS ? 1 : 0
                    case .received(_, let answer): accepted += answer.starts(with: FrameEncoder.magic) ? 1 : 0
                    case .closed:
                        ended += 1
                        soonest = min(soonest, MonotonicClock.nowMilliseconds() - began)
                    default: break
                    }
                }
            }
            closed += ended
        }
        #expect(closed == count, "\(closed) of \(count) were sent away")
        return (accepted, closed, soonest)
    }

    /// What a member's program says first, taken down on the way.
    private func recordOneSession(_ cluster: HostileCluster) throws -> [UInt8] {
        let loop = try NetworkLoop()
        let middlePort = try loop.listen(host: "127.0.0.1", port: 0, security: .plaintext)
        let heartbeats = Heartbeats(port: middlePort, security: cluster.security, name: "recorded")
        var near: ConnectionID?, far: ConnectionID?
        var recorded: [UInt8] = []
        let deadline = MonotonicClock.nowMilliseconds() + 60_000
        while recorded.count < 2_000, MonotonicClock.nowMilliseconds() < deadline {
            for event in try loop.wait(timeoutMilliseconds: 100) {
                switch event {
                case .accepted(let connection, _):
                    near = connection
                    far = try loop.connect(host: "127.0.0.1", port: cluster.port, security: .plaintext)
                case .received(let connection, let bytes) where connection == near:
                    recorded += bytes
                    loop.send(bytes, on: far!)
                case .received(_, let bytes): loop.send(bytes, on: near!)
                default: break
                }
            }
        }
        #expect(recorded.count >= 2_000)
        // The end of the middle is the end of the heartbeats.
        for connection in [near, far] { if let connection { loop.abort(connection, reason: "recorded") } }
        _ = try loop.wait(timeoutMilliseconds: 0)
        _ = try? heartbeats.end()
        return recorded
    }

    /// A ClientHello of TLS 1.2 that offers pre-shared keys and more.
    private static let oldHello: [UInt8] = {
        let suites: [UInt8] = [0x00, 0xA8, 0x00, 0x8C, 0x00, 0xAE, 0xC0, 0x2F, 0x00, 0x2F, 0x00, 0x0A]
        let body: [UInt8] = [3, 3] + [UInt8](repeating: 7, count: 32) + [0, 0, UInt8(suites.count)] + suites + [1, 0]
        let handshake: [UInt8] = [1, 0, 0, UInt8(body.count)] + body
        return [0x16, 3, 1, 0, UInt8(handshake.count)] + handshake
    }()

    /// A recorded ClientHello whose offer of TLS 1.3 (extension 43) is renamed to one that nobody knows.
    private static func withoutTLS13(_ recorded: [UInt8]) -> [UInt8] {
        var bytes = recorded
        for index in bytes.indices.dropLast(6) where bytes[index...].starts(with: [0, 43, 0, 3, 2, 3, 4]) {
            (bytes[index], bytes[index + 1]) = (0xAA, 0xAA)
            return bytes
        }
        Issue.record("the recorded hello does not offer TLS 1.3")
        return bytes
    }

    /// How many rows each table has, once the coordinator has no connection of ours.
    private func rows(_ cluster: HostileCluster) throws -> [String: Int] {
        let store = try Database(path: cluster.road.path("state/state.sqlite"))
        defer { store.close() }
        #expect(wait {
            var connected = 1
            try? store.query("SELECT count(*) FROM workers WHERE connected = 1") { connected = $0.int(0) }
            return connected == 0
        })
        var counts: [String: Int] = [:]
        for table in ["runs", "works", "workers", "leases", "blobs", "outputs", "checkpoints", "figures", "events"] {
            try store.query("SELECT count(*) FROM \(table)") { counts[table] = $0.int(0) }
        }
        return counts
    }

    /// The key is in no file but its own: not in logs, database, blobs; as hexadecimal, bytes or base 64.
    private func expectNoKey(in cluster: HostileCluster) throws {
        let text = String(decoding: cluster.road.bytes("token") ?? Data(), as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(text.count == 64)
        let key = Data(stride(from: 0, to: 64, by: 2).map { offset in
            UInt8(text.dropFirst(offset).prefix(2), radix: 16)!
        })
        let forms = [
            Data(text.utf8), Data(text.uppercased().utf8), key, Data(key.base64EncodedString().dropLast().utf8),
        ]
        var fileCount = 0
        for file in try FileManager.default.subpathsOfDirectory(atPath: cluster.road.folder) where file != "token" {
            guard let content = cluster.road.bytes(file) else { continue }
            fileCount += 1
            for form in forms { #expect(content.range(of: form) == nil, "\(file) holds the key") }
        }
        #expect(fileCount > 4)
        // The search does find.
        #expect(cluster.road.bytes("token")!.range(of: forms[0]) != nil)
    }

    @Test func theKeyIsInNoProcessListAndNoError() throws {
        let cluster = try HostileCluster()
        defer { cluster.remove() }
        let address = "127.0.0.1:\(cluster.port)"
        let words = ["worker", "--coordinator", address, "--cache", "cache", "--token-file"]
        let worker = try cluster.road.start(words + ["token"])
        // Then it has read the token, which is closed to it below.
        #expect(wait { worker.errorsSoFar.contains("serving a coordinator") }, "\(worker.errorsSoFar)")
        let key = String(decoding: cluster.road.bytes("token")!.prefix(64), as: UTF8.self)
        var seen = 0
        for process in try FileManager.default.contentsOfDirectory(atPath: "/proc") where Int(process) != nil {
            for file in ["cmdline", "environ"] {
                guard let text = FileManager.default.contents(atPath: "/proc/\(process)/\(file)") else { continue }
                seen += 1
                #expect(text.range(of: Data(key.utf8)) == nil, "process \(process) shows the key")
            }
        }
        #expect(seen > 4)
        // A token file that others can read, a damaged one, a wrong one: said without the key.
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: cluster.road.path("token"))
        try Data((key + "0").utf8).write(to: URL(fileURLWithPath: cluster.road.path("damaged")))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: cluster.road.path("damaged"))
        for (file, word) in [("token", "chmod 600"), ("damaged", "quintet token"), ("other-token", "token")] {
            let outcome = try cluster.road.start(words + [file]).wait()
            #expect(outcome.code != 0 && outcome.errors.contains(word), "\(outcome.errors)")
            #expect(!(outcome.errors + outcome.output).contains(key.prefix(16)))
        }
        #expect(worker.stop().code == 0)
        _ = cluster.stop()
        try FileManager.default.removeItem(atPath: cluster.road.path("damaged"))
        try expectNoKey(in: cluster)
    }

    @Test(arguments: [(0, 0), (1, 1), (2, 2), (3, 3), (0, 65_535), (7, 3)] as [(UInt16, UInt16)])
    func everyVersionIsAgreedOrRefusedByName(versionMin: UInt16, versionMax: UInt16) throws {
        let cluster = try HostileCluster()
        defer { cluster.remove() }
        let loop = try NetworkLoop()
        let connection = try loop.connect(host: "127.0.0.1", port: cluster.port, security: cluster.security)
        let hello = Hello(
            role: .client, versionMin: versionMin, versionMax: versionMax, build: "quintet 9.9", name: "",
            threadCount: 1, device: "cpu", held: [])
        // What a foreign version's encoder would not refuse to say.
        var bytes = try MessageCoding.encode(
            .hello(Hello(
                role: .client, versionMin: 4, versionMax: 4, build: hello.build, name: "", threadCount: 1,
                device: "cpu", held: [])), requestID: 1)
        for (index, value) in [versionMin, versionMax].enumerated() {
            bytes[16 + 2 * index] = UInt8(value & 0xFF)
            bytes[17 + 2 * index] = UInt8(value >> 8)
        }
        var checksum = CRC32C()
        bytes.withUnsafeBytes {
            checksum.update(UnsafeRawBufferPointer(rebasing: $0[..<12]))
            checksum.update(UnsafeRawBufferPointer(rebasing: $0[16...]))
        }
        for index in 0..<4 { bytes[12 + index] = UInt8(truncatingIfNeeded: checksum.value >> UInt32(8 * index)) }
        let began = MonotonicClock.nowMilliseconds(), ours = VersionNegotiation.versionMax
        loop.send(FrameEncoder.magic + bytes, on: connection)
        var decoder = FrameDecoder(), answer: Message?
        while answer == nil, MonotonicClock.nowMilliseconds() < began + 60_000 {
            for case .received(_, let bytes) in try loop.wait(timeoutMilliseconds: 100) {
                decoder.append(bytes)
                if let frame = try decoder.next() { answer = try MessageCoding.decode(frame).message }
            }
        }
        let seconds = Double(MonotonicClock.nowMilliseconds() - began) / 1000
        print("versions \(versionMin) to \(versionMax): \(answer.map { "\($0)".prefix(60) } ?? "none") in \(seconds) s")
        if Self.isFull { #expect(seconds < 1) }
        switch answer {
        case .welcome(let welcome): #expect(versionMin <= ours && versionMax >= ours && welcome.version == ours)
        case .refusal(let refusal):
            #expect(versionMin > ours || versionMax < ours)
            #expect(refusal.message.contains("\(versionMin)"), "\(refusal.message)")
        default: Issue.record("no answer")
        }
        _ = cluster.stop()
    }
}
