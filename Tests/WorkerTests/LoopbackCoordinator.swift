import Foundation
import Platform
import Protocol
import Synchronization
import TestSupport
import Worker

/// The model coordinator behind a real socket of this machine, with a script that makes trouble.
final class LoopbackCoordinator: Sendable {
    enum Trouble: Sendable {
        /// None: the model answers.
        case none
        /// The connection is cut; nobody listens for so long.
        case cut(awayMilliseconds: UInt64 = 0)
        case answer([Message])
        case garbage
    }

    /// Called before every message is answered.
    typealias Script = @Sendable (Message, inout ModelCoordinator) -> Trouble

    let port: UInt16
    private let model: Guarded<ModelCoordinator>
    private let messages = Guarded<[Message]>([])
    private let isEnding = Atomic(false)
    private let hasEnded = DispatchSemaphore(value: 0)
    private let script: Script
    private let security: ConnectionSecurity

    init(
        _ model: ModelCoordinator, security: ConnectionSecurity = .plaintext,
        script: @escaping Script = { _, _ in .none }
    ) throws {
        self.security = security
        self.model = Guarded(model)
        self.script = script
        let loop = try NetworkLoop()
        port = try loop.listen(host: "127.0.0.1", port: try lastingPort(), security: security)
        nonisolated(unsafe) let handedOver = loop
        Thread.detachNewThread { self.serve(handedOver) }
    }

    func end() {
        isEnding.store(true, ordering: .relaxed)
        hasEnded.wait()
    }

    func withModel<Result>(_ body: (inout ModelCoordinator) -> Result) -> Result {
        model.withLock { body(&$0) }
    }

    /// Everything workers have said.
    var heard: [Message] { messages.withLock { $0.map { $0 } } }

    /// Waits until it is so; false after `seconds`.
    func wait(seconds: Double = 120, until condition: (ModelCoordinator) -> Bool) -> Bool {
        TestSupport.wait(seconds: seconds) { model.withLock { condition($0) } }
    }

    private struct Peer {
        var decoder = FrameDecoder(frameBytesMax: Limits.frameBytesMax)
        var name = ""
    }

    private func serve(_ loop: NetworkLoop) {
        var peers: [ConnectionID: Peer] = [:]
        var listenAgainAt: UInt64?
        while !isEnding.load(ordering: .relaxed) {
            if let time = listenAgainAt, MonotonicClock.nowMilliseconds() >= time {
                listenAgainAt = nil
                _ = try? loop.listen(host: "127.0.0.1", port: port, security: security)
            }
            for event in (try? loop.wait(timeoutMilliseconds: 20)) ?? [] {
                switch event {
                case .accepted(let connection, _):
                    peers[connection] = Peer()
                    loop.send(FrameEncoder.magic, on: connection)
                case .received(let connection, let bytes):
                    peers[connection]?.decoder.append(bytes)
                    while let frame = try? peers[connection]?.decoder.next(), var peer = peers[connection],
                        let (requestID, message) = try? MessageCoding.decode(frame)
                    {
                        if case .hello(let hello) = message { peer.name = hello.name }
                        peers[connection] = peer
                        if let away = answer(message, requestID, peer.name, connection, loop) {
                            peers[connection] = nil
                            guard away > 0 else { continue }
                            loop.stopListening()
                            listenAgainAt = MonotonicClock.nowMilliseconds() + away
                        }
                    }
                case .closed(let connection, _): peers[connection] = nil
                case .rejected, .connected, .drained: break
                }
            }
        }
        hasEnded.signal()
    }

    /// - Returns: for a cut connection, how long nobody listens.
    private func answer(
        _ message: Message, _ requestID: UInt32, _ name: String, _ connection: ConnectionID, _ loop: NetworkLoop
    ) -> UInt64? {
        messages.withLock { $0.append(message) }
        let (trouble, answers) = model.withLock { model in
            let trouble = script(message, &model)
            if case .none = trouble {
                return (trouble, model.answer(message, from: name, at: MonotonicClock.nowMilliseconds()))
            }
            return (trouble, [])
        }
        var all = answers
        switch trouble {
        case .none: break
        case .answer(let messages): all = messages
        case .garbage: loop.send(Array("HTTP/1.1 400 Bad Request".utf8), on: connection)
        case .cut(let awayMilliseconds):
            loop.abort(connection, reason: "the script says so")
            return awayMilliseconds
        }
        for answer in all {
            let isPushed = if case .revoke = answer { true } else { false }
            guard let bytes = try? MessageCoding.encode(answer, requestID: isPushed ? 0 : requestID) else { continue }
            loop.send(bytes, on: connection)
        }
        return nil
    }
}

/// A daemon on a thread of its own.
final class DaemonBench: Sendable {
    let daemon: WorkerDaemon
    let cache: String
    private let outcome: Guarded<Result<Void, any Error>?>
    private let collected: Lines
    private let hasEnded = DispatchSemaphore(value: 0)

    init(port: UInt16, name: String, cache: String, threadCount: Int = 2, security: ConnectionSecurity = .plaintext) {
        let lines = Lines()
        collected = lines
        self.cache = cache
        self.outcome = Guarded(nil)
        daemon = WorkerDaemon(
            configuration: WorkerConfiguration(
                host: "127.0.0.1", port: port, security: security, threadCount: threadCount, cacheDirectory: cache,
                cacheBytesMax: 1 << 30, name: name, build: "quintet-test", log: Log { lines.add($1) }),
            recipes: ["fake": FakeRecipe()])
        Thread.detachNewThread { [self] in
            let result = Result { try daemon.run() }
            outcome.withLock { $0 = result }
            hasEnded.signal()
        }
    }

    var log: [String] { collected.all }

    /// Waits for a line that contains this.
    func hasLogged(_ text: String) -> Bool {
        wait { log.contains { $0.contains(text) } }
    }

    /// Whether it ends in time, and as it should.
    var hasLeft: Bool { if case .success? = waitForEnd() { true } else { false } }

    /// nil when it has not ended in time.
    func waitForEnd(seconds: Double = 60) -> Result<Void, any Error>? {
        guard hasEnded.wait(timeout: .now() + seconds) == .success else { return nil }
        hasEnded.signal()
        return outcome.withLock { $0 }
    }
}

final class Lines: Sendable {
    private let lines = Guarded<[String]>([])
    /// A copy of its own: the sanitizer does not see how a shared array's count of references orders its uses.
    var all: [String] { lines.withLock { $0.map { $0 } } }
    @Sendable func add(_ line: String) { lines.withLock { $0.append(line) } }
}
