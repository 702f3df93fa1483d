import Foundation
import Platform
import Protocol
import TestSupport
import Testing

/// A real coordinator with a token, and those who attack it.
final class HostileCluster {
    /// QUINTET_FULL=1 (cluster/security.sh): the sizes of the reliability scorecard, and times are judged.
    static let isFull = ProcessInfo.processInfo.environment["QUINTET_FULL"] == "1"

    let road: Road
    let coordinator: RunningProgram
    let port: UInt16
    let token: ClusterToken
    var security: ConnectionSecurity { .preSharedKeys([token]) }

    init() throws {
        OpenFileLimit.raise(to: 8_192)
        road = try Road()
        try road.succeed("token", "new", "token")
        try road.succeed("token", "new", "other-token")
        token = try ClusterToken.load(file: road.path("token"))
        coordinator = try road.start([
            "coordinator", "--state", "state", "--listen", "127.0.0.1:0", "--port-file", "port", "--token-file",
            "token",
        ])
        port = try Self.port(in: road, coordinator)
    }

    static func port(in road: Road, _ coordinator: RunningProgram) throws -> UInt16 {
        var port: UInt16?
        _ = wait {
            let isRunning = coordinator.isRunning
            let text = road.bytes("port").map { String(decoding: $0, as: UTF8.self) } ?? ""
            port = UInt16(text.trimmingCharacters(in: .whitespacesAndNewlines))
            return port != nil || !isRunning
        }
        guard let port else {
            throw NetworkError("the coordinator does not say where it listens: \(coordinator.errorsSoFar)")
        }
        return port
    }

    /// Ends the coordinator; its outcome. The folder stays until `remove`.
    func stop() -> Road.Outcome { coordinator.stop() }

    /// How many lines of its log, those that were counted only included, say that somebody was sent away.
    func rejectionCount(in log: String) -> Int {
        log.split(separator: "\n").reduce(0) { count, line in
            if let number = line.range(of: " more connections were ended").map({ line[..<$0.lowerBound] }) {
                return count + (number.split(separator: " ").last.flatMap { Int($0) } ?? 0)
            }
            return count + (line.contains("was turned away") || line.contains("connection closed") ? 1 : 0)
        }
    }

    func remove() { road.remove() }
}

/// A member of the cluster that sends heartbeats one after the other and measures how long each answer takes, on a
/// thread of its own.
final class Heartbeats: @unchecked Sendable {
    // Unchecked: the state is touched under `lock` only.
    private let lock = NSLock()
    private var latencies: [Double] = []
    private var failure: String?
    private var isEnding = false
    private let ended = DispatchSemaphore(value: 0), begun = DispatchSemaphore(value: 0)

    init(port: UInt16, security: ConnectionSecurity, name: String) {
        let thread = Thread { [self] in
            do { try beat(port, security, name) } catch { lock.withLock { failure = "\(error)" } }
            begun.signal()
            ended.signal()
        }
        thread.start()
    }

    /// Returns when the coordinator has said welcome, or will not. Who dials in the middle of a flood from the same
    /// address must try again: those that have not said hello make room for one another.
    func waitUntilMember() { begun.wait() }

    /// Milliseconds, in ascending order.
    /// - Throws: what ended the connection early.
    func end() throws -> [Double] {
        lock.withLock { isEnding = true }
        ended.wait()
        if let failure { throw NetworkError("the heartbeats ended: \(failure)") }
        return latencies.sorted()
    }

    private func beat(_ port: UInt16, _ security: ConnectionSecurity, _ name: String) throws {
        let loop = try NetworkLoop()
        let connection = try loop.connect(host: "127.0.0.1", port: port, security: security)
        var decoder = FrameDecoder(), answers = 0
        func exchange(_ message: Message, _ requestID: UInt32) throws {
            let before = answers
            loop.send(try MessageCoding.encode(message, requestID: requestID), on: connection)
            while answers == before {
                for event in try loop.wait(timeoutMilliseconds: 1_000) {
                    if case .closed(_, let reason) = event { throw NetworkError(reason) }
                    guard case .received(_, let bytes) = event else { continue }
                    decoder.append(bytes)
                    while let frame = try decoder.next() {
                        if case .refusal(let refusal) = try MessageCoding.decode(frame).message {
                            throw NetworkError(refusal.message)
                        }
                        answers += 1
                    }
                }
            }
        }
        loop.send(FrameEncoder.magic, on: connection)
        let hello = Hello(
            role: .worker, versionMin: 4, versionMax: 4, build: "test", name: name, threadCount: 1, device: "cpu",
            held: [])
        try exchange(.hello(hello), 1)
        begun.signal()
        decoder.frameBytesMax = Limits.frameBytesMax
        var number: UInt32 = 1
        while !lock.withLock({ isEnding }) {
            number += 1
            let began = MonotonicClock.nowNanoseconds()
            try exchange(.heartbeat([]), number)
            let milliseconds = Double(MonotonicClock.nowNanoseconds() - began) / 1e6
            lock.withLock { latencies.append(milliseconds) }
            Thread.sleep(forTimeInterval: 0.02)
        }
    }
}

extension Array where Element == Double {
    /// Of an ascending array.
    func percentile(_ share: Double) -> Double {
        isEmpty ? .nan : self[Swift.min(count - 1, Int(share * Double(count)))]
    }
}
