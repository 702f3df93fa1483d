import Glibc
import Platform
import TestSupport
import Testing

@Suite struct NetworkLoopTests {
    @Test(arguments: ["127.0.0.1", "::1", "localhost"])
    func bytesGoBothWays(host: String) throws {
        let harness = try NetworkHarness()
        let (server, client) = try harness.pair(host: host)
        harness.loop.send([1, 2, 3], on: client)
        harness.loop.send([4], on: client)
        harness.loop.send([9], on: server)
        try harness.run { harness.received(on: server).count == 4 && harness.received(on: client).count == 1 }
        #expect(harness.received(on: server) == [1, 2, 3, 4])
        #expect(harness.received(on: client) == [9])
        #expect(harness.drained == [server, client])
    }

    /// What the dialling side asks for binds the other one, too, which knows nothing of it.
    @Test(arguments: [true, false]) func smallSegmentsAreAgreedWithWhoeverListens(isAsked: Bool) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in(), size = socklen_t(MemoryLayout<sockaddr_in>.size)
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        try withUnsafeMutableBytes(of: &address) { bytes in
            let pointer = try #require(bytes.baseAddress).assumingMemoryBound(to: sockaddr.self)
            #expect(bind(listener, pointer, size) == 0 && listen(listener, 1) == 0)
            #expect(getsockname(listener, pointer, &size) == 0)
        }
        let loop = try NetworkLoop()
        _ = try loop.connect(
            host: "127.0.0.1", port: UInt16(bigEndian: address.sin_port), security: .plaintext,
            hasSmallSegments: isAsked)
        let accepted = accept(listener, nil, nil)
        defer { close(accepted) }
        var byteCount: Int32 = 0, optionSize = socklen_t(MemoryLayout<Int32>.size)
        #expect(getsockopt(accepted, Int32(IPPROTO_TCP), TCP_MAXSEG, &byteCount, &optionSize) == 0)
        // The loopback's own are of 64 KiB.
        #expect(isAsked ? byteCount > 0 && byteCount <= 1024 : byteCount > 1024)
    }

    @Test func bytesSentBeforeTheConnectionStandsArrive() throws {
        let harness = try NetworkHarness()
        let port = try harness.loop.listen(host: "127.0.0.1", port: 0, security: .plaintext)
        let client = try harness.loop.connect(host: "127.0.0.1", port: port, security: .plaintext)
        harness.loop.send([7], on: client)
        try harness.run { !harness.accepted.isEmpty && harness.received(on: harness.accepted[0]) == [7] }
    }

    @Test func largeTransfersArriveWhole() throws {
        let harness = try NetworkHarness()
        let (server, client) = try harness.pair()
        let bytes = testBytes(20_000_000, seed: 4)
        harness.loop.send(bytes, on: client)
        harness.loop.send(Array(bytes.reversed()), on: server)
        try harness.run {
            harness.received(on: server).count == bytes.count && harness.received(on: client).count == bytes.count
        }
        #expect(harness.received(on: server) == bytes)
        #expect(harness.received(on: client) == Array(bytes.reversed()))
        #expect(harness.loop.queuedByteCount(client) == 0)
    }

    @Test func aPeerThatDoesNotReadIsNotReadFrom() throws {
        var limits = NetworkLimits.patient
        limits.queuedByteCountMax = 1 << 20
        let harness = try NetworkHarness(limits: limits)
        let (server, client) = try harness.pair()
        harness.loop.setReading(false, on: client)
        // More than the kernel's own buffers take.
        harness.loop.send(.init(repeating: 1, count: 40_000_000), on: server)
        for _ in 0..<10 { try harness.turn() }
        #expect(harness.loop.queuedByteCount(server) > limits.queuedByteCountMax)
        harness.loop.send([5], on: client)
        for _ in 0..<5 { try harness.turn() }
        #expect(harness.received(on: server) == [])
        #expect(!harness.drained.contains(server))
        harness.loop.setReading(true, on: client)
        try harness.run { harness.drained.contains(server) && harness.received(on: server) == [5] }
    }

    @Test func closeSendsWhatIsQueuedFirst() throws {
        let harness = try NetworkHarness()
        let (server, client) = try harness.pair()
        // Unread bytes at the closing side must not make the kernel drop its last answer.
        harness.loop.send(.init(repeating: 1, count: 100_000), on: client)
        harness.loop.send(.init(repeating: 2, count: 5_000_000), on: server)
        harness.loop.close(server)
        harness.loop.send([3], on: server)
        try harness.run { harness.closed[client] != nil && harness.closed[server] != nil }
        #expect(harness.received(on: client).count == 5_000_000)
        #expect(harness.closed[client] == "the peer closed the connection")
        #expect(harness.closed[server] == "closed by this side")
    }

    @Test func abortEndsAtOnceWithTheReasonGiven() throws {
        let harness = try NetworkHarness()
        let (server, client) = try harness.pair()
        harness.loop.abort(server, reason: "a damaged frame")
        try harness.run { harness.closed[client] != nil && harness.closed[server] != nil }
        #expect(harness.closed[server] == "a damaged frame")
        harness.loop.send([1], on: server)
        harness.loop.close(server)
        harness.loop.abort(server, reason: "again")
        try harness.turn()
        #expect(harness.loop.peer(of: server) == nil)
    }

    @Test func aPortWithoutAListenerIsRefusedByName() throws {
        let harness = try NetworkHarness()
        let port = try harness.loop.listen(host: "127.0.0.1", port: 0, security: .plaintext)
        harness.loop.stopListening()
        let client = try harness.loop.connect(host: "127.0.0.1", port: port, security: .plaintext)
        try harness.run { harness.closed[client] != nil }
        #expect(harness.closed[client]?.contains("127.0.0.1:\(port)") == true)
        #expect(harness.closed[client]?.contains("nobody listens there") == true)
        #expect(throws: NetworkError.self) {
            try harness.loop.connect(host: "no-such-host.invalid", port: 1, security: .plaintext)
        }
    }

    /// 192.0.2.1 and its like are nobody's.
    @Test(arguments: ["192.0.2.1", "0.0.0.0", "::", "2001:db8::1", "::ffff:192.0.2.1"])
    func nothingGoesToAnotherMachineInTheClear(host: String) throws {
        let folder = try TemporaryFolder(), harness = try NetworkHarness()
        let refusal = PlaintextError(target: NetworkAddress(host: host, port: 7311))
        #expect(throws: refusal) { try harness.loop.connect(host: host, port: 7311, security: .plaintext) }
        #expect(refusal.description.contains("quintet token new") && refusal.description.contains("--token-file"))
        let token = ConnectionSecurity.preSharedKeys([try ClusterToken.generate(to: folder.file("token"))])
        #expect(throws: Never.self) { try harness.loop.connect(host: host, port: 7311, security: token) }
    }

    @Test func aPortInUseIsNamedWithTheRemedy() throws {
        let harness = try NetworkHarness(), other = try NetworkHarness()
        let port = try harness.loop.listen(host: "127.0.0.1", port: 0, security: .plaintext)
        do {
            _ = try other.loop.listen(host: "127.0.0.1", port: port, security: .plaintext)
            Issue.record("listened twice at one port")
        } catch let error as NetworkError {
            #expect(error.message.contains("127.0.0.1:\(port)"))
            #expect(error.message.contains("choose another"))
        }
    }

    @Test func moreConnectionsThanAllowedAreTurnedAway() throws {
        var limits = NetworkLimits.patient
        limits.connectionsMax = 4
        let harness = try NetworkHarness(limits: limits)
        let port = try harness.loop.listen(host: "127.0.0.1", port: 0, security: .plaintext)
        let dialler = try NetworkHarness()
        for _ in 0..<6 { _ = try dialler.loop.connect(host: "127.0.0.1", port: port, security: .plaintext) }
        try harness.run {
            try? dialler.turn()
            return harness.accepted.count == 4 && harness.rejected.count == 2
        }
        try dialler.run {
            try? harness.turn()
            return dialler.closed.count == 2
        }
    }

    @Test func wakingEndsTheWaitFromAnotherThread() throws {
        /// Wakes a loop as soon as its thread sleeps, that is in the loop's wait.
        final class Sleeper {
            let waker: NetworkWaker
            let status: String
            init(_ waker: NetworkWaker) {
                self.waker = waker
                var name = [CChar](repeating: 0, count: 64)
                readlink("/proc/thread-self", &name, 63)
                status = "/proc/" + String(decoding: name.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self) + "/stat"
            }

            var sleeps: Bool {
                let text = (try? FileSystem.readText(status, byteCountMax: 1 << 12)) ?? ""
                return text.split(separator: ")").last?.hasPrefix(" S ") == true
            }
        }
        let loop = try NetworkLoop()
        var thread = pthread_t()
        let context = Unmanaged.passRetained(Sleeper(loop.waker)).toOpaque()
        pthread_create(
            &thread, nil,
            { context in
                let sleeper = Unmanaged<Sleeper>.fromOpaque(context!).takeRetainedValue()
                _ = wait { sleeper.sleeps }
                sleeper.waker.wake()
                return nil
            }, context)
        let before = MonotonicClock.nowMilliseconds()
        #expect(try loop.wait(timeoutMilliseconds: 120_000) == [])
        pthread_join(thread, nil)
        // And one that comes before the wait is not lost.
        loop.waker.wake()
        #expect(try loop.wait(timeoutMilliseconds: 120_000) == [])
        #expect(MonotonicClock.nowMilliseconds() - before < 120_000)
    }

    @Test func addressesAreReadAsPeopleWriteThem() throws {
        #expect(try NetworkAddress(parsing: "lab3:7000") == NetworkAddress(host: "lab3", port: 7000))
        #expect(try NetworkAddress(parsing: "[::1]:7000") == NetworkAddress(host: "::1", port: 7000))
        #expect(try NetworkAddress(parsing: "[::1]", defaultPort: 1) == NetworkAddress(host: "::1", port: 1))
        #expect(try NetworkAddress(parsing: "*:0") == NetworkAddress(host: "*", port: 0))
        #expect(try NetworkAddress(parsing: "lab3", defaultPort: 9) == NetworkAddress(host: "lab3", port: 9))
        #expect(NetworkAddress(host: "::1", port: 7).description == "[::1]:7")
        for bad in ["", ":7000", "lab3", "lab3:", "lab3:x", "a:65536", "a:-1", "::1:7000", "[::1", "[::1]7", "a b:1"] {
            #expect(throws: NetworkError.self) { try NetworkAddress(parsing: bad) }
        }
        #expect(try NetworkAddress(host: "127.0.0.1", port: 1).isLoopback())
        #expect(try NetworkAddress(host: "::1", port: 1).isLoopback())
        #expect(try !NetworkAddress(host: "*", port: 1).isLoopback())
        #expect(try !NetworkAddress(host: "10.0.0.1", port: 1).isLoopback())
    }
}
