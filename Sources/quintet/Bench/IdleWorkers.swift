import Foundation
import Platform
import Protocol

/// A thousand workers that compute nothing, on one thread: each takes what it is given, says that it is done, and asks
/// for more. What is measured with them is the coordinator.
final class IdleWorkers {
    private struct Worker {
        let number: Int
        var decoder = FrameDecoder()
        var isWelcome = false
        var heartbeatAt: Double
        /// When the heartbeat left that has not been answered yet.
        var heartbeatSentAt: Double?
    }

    private let loop: NetworkLoop
    private let port: UInt16
    private let count: Int
    private var workers: [ConnectionID: Worker] = [:]
    private var welcomeCount = 0
    private(set) var acceptedCount = 0
    /// Seconds from a heartbeat to its answer.
    private(set) var heartbeatSeconds: [Double] = []
    private(set) var messageCount = 0

    private static let heartbeatSeconds = 1.0
    /// Before it says hello, a peer is one of few.
    private static let connectingMax = 32
    private static let heartbeatID: UInt32 = 1, finishedID: UInt32 = 2

    private var isTakingWork: Bool

    /// - Parameter isTakingWork: false: nobody asks for work before `takeWork`.
    init(port: UInt16, count: Int, isTakingWork: Bool) throws {
        OpenFileLimit.raise(to: count + 256)
        loop = try NetworkLoop()
        (self.port, self.count, self.isTakingWork) = (port, count, isTakingWork)
    }

    func takeWork() throws {
        isTakingWork = true
        for connection in workers.keys { try send(.idle, 0, on: connection) }
    }

    /// Until `isEnough`, or nothing has come for so long.
    func run(silentSecondsMax: Double = 30, until isEnough: (IdleWorkers) -> Bool) throws {
        var heardAt = BenchClock.now()
        while !isEnough(self) {
            if StopSignal.isRequested { throw Interrupted("interrupted; nothing was measured to the end") }
            while workers.count < min(count, welcomeCount + Self.connectingMax) { try connect() }
            let events = try loop.wait(timeoutMilliseconds: 50), now = BenchClock.now()
            for event in events { try take(event, at: now) }
            if !events.isEmpty { heardAt = now }
            guard now - heardAt < silentSecondsMax else {
                throw CommandError("the coordinator has said nothing for \(Int(silentSecondsMax)) s")
            }
            try sendHeartbeats(at: now)
        }
    }

    var areAllConnected: Bool { welcomeCount == count }

    private func connect() throws {
        let connection = try loop.connect(host: "127.0.0.1", port: port, security: .plaintext)
        // Not all at the same moment.
        let first = BenchClock.now() + Self.heartbeatSeconds * Double(workers.count) / Double(count)
        workers[connection] = Worker(number: workers.count, heartbeatAt: first)
    }

    private func take(_ event: NetworkEvent, at now: Double) throws {
        switch event {
        case .connected(let connection):
            loop.send(FrameEncoder.magic, on: connection)
            let hello = Hello(
                role: .worker, versionMin: VersionNegotiation.versionMin,
                versionMax: VersionNegotiation.versionMax, build: "bench",
                name: "bench\(workers[connection]!.number):1", threadCount: 1, device: "cpu", held: [])
            try send(.hello(hello), 0, on: connection)
        case .received(let connection, let bytes):
            workers[connection]!.decoder.append(bytes)
            while let frame = try workers[connection]!.decoder.next() {
                let (requestID, message) = try MessageCoding.decode(frame)
                try receive(message, requestID, on: connection, at: now)
            }
        case .closed(_, let reason): throw CommandError("the coordinator has closed a connection: \(reason)")
        case .accepted, .rejected, .drained: break
        }
    }

    private func receive(
        _ message: Message, _ requestID: UInt32, on connection: ConnectionID, at now: Double
    ) throws {
        messageCount += 1
        switch message {
        case .welcome:
            workers[connection]!.decoder.frameBytesMax = Limits.frameBytesMax
            workers[connection]!.isWelcome = true
            welcomeCount += 1
            if isTakingWork { try send(.idle, 0, on: connection) }
        case .assignment(let assignment):
            let result = WorkResult(lease: assignment.lease, outputs: [], reportJSON: "{}", metrics: [])
            try send(.finished(result), Self.finishedID, on: connection)
            try send(.idle, 0, on: connection)
        case .accepted: acceptedCount += 1
        case .heartbeatAnswer:
            if let sent = workers[connection]!.heartbeatSentAt { heartbeatSeconds.append(now - sent) }
            workers[connection]!.heartbeatSentAt = nil
        // Somebody else was quicker: a thousand idle workers do again what one has not ended.
        case .revoke: break
        case .refusal(let refusal) where refusal.code == .staleLease: break
        case .refusal(let refusal): throw CommandError("the coordinator refuses: \(refusal.message)")
        default: throw CommandError("the coordinator says what a worker does not expect")
        }
    }

    private func sendHeartbeats(at now: Double) throws {
        for (connection, worker) in workers where worker.isWelcome && worker.heartbeatAt <= now {
            guard worker.heartbeatSentAt == nil else { continue }
            workers[connection]!.heartbeatAt = now + Self.heartbeatSeconds
            workers[connection]!.heartbeatSentAt = now
            try send(.heartbeat([]), Self.heartbeatID, on: connection)
        }
    }

    private func send(_ message: Message, _ requestID: UInt32, on connection: ConnectionID) throws {
        messageCount += 1
        loop.send(try MessageCoding.encode(message, requestID: requestID), on: connection)
    }
}
