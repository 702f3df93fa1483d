import Coordinator
import Foundation
import Platform
import Protocol
import TestSupport
import Testing

/// A client whose coordinator is gone: it says so once, waits as long as it is asked to, and ends when it is told to.
@Suite struct PatienceTests {
    private let folder = try! TestFolder()

    private final class Lines: Sendable {
        private let lines = Guarded<[String]>([])
        var all: [String] { lines.withLock { $0 } }
        /// For waiting, without a second owner of the array: how one lets go of it the thread sanitizer does not see.
        var count: Int { lines.withLock { $0.count } }
        func add(_ line: String) { lines.withLock { $0.append(line) } }
    }

    private func client(_ port: UInt16, _ waiting: CoordinatorClient.Waiting) throws -> CoordinatorClient {
        try CoordinatorClient(address: NetworkAddress(host: "127.0.0.1", port: port), waiting: waiting)
    }

    /// Does something on a thread of its own; `wait` tells how it ended.
    private final class Attempt: Sendable {
        private let outcome = Guarded<Result<String, any Error>?>(nil)
        init(_ body: @escaping @Sendable () throws -> String) {
            Thread.detachNewThread { [outcome] in
                let result = Result { try body() }
                outcome.withLock { $0 = result }
            }
        }
        var result: Result<String, any Error>? { outcome.withLock { $0 } }
        var error: ClientError? {
            if case .failure(let error)? = result { error as? ClientError } else { nil }
        }
    }

    @Test func aCoordinatorThatIsGoneIsToldOnceAndOnceMoreWhenItIsBack() throws {
        let port = try lastingPort()
        let first = try RunningServer(folder: folder.path, port: port)
        let lines = Lines()
        let isAsking = Guarded(false)
        let (path, waiting) = (port, CoordinatorClient.Waiting(log: lines.add))
        let attempt = Attempt {
            let client = try CoordinatorClient(
                address: NetworkAddress(host: "127.0.0.1", port: path), waiting: waiting)
            isAsking.withLock { $0 = true }
            while lines.count < 2 { _ = try client.status() }
            return "ended"
        }
        #expect(wait { isAsking.withLock { $0 } })
        first.crash()
        let gone = "the coordinator at 127.0.0.1:\(port) does not answer; trying again"
        #expect(wait { lines.all == [gone] })
        // Several attempts later it is still one line.
        MonotonicClock.sleep(milliseconds: 1_000)
        #expect(lines.all == [gone])
        let second = try RunningServer(folder: folder.path, port: port)
        defer { second.stop() }
        #expect(wait { attempt.result != nil })
        #expect(lines.all == [gone, "the coordinator at 127.0.0.1:\(port) is back"])
    }

    @Test func aClientKnowsWhetherItsLastConnectionStands() throws {
        let server = try RunningServer(folder: folder.path)
        let client = try client(server.port, CoordinatorClient.Waiting(patienceSeconds: 0))
        _ = try client.status()
        #expect(client.isConnected)
        server.crash()
        #expect(throws: ClientError.self) { try client.status() }
        #expect(!client.isConnected)
    }

    @Test func aTokenThatIsRefusedWhileOneWaitsIsSaid() throws {
        let port = try lastingPort(), lines = Lines(), path = folder.path
        let (old, new) = (ClusterToken.generate(), ClusterToken.generate())
        let first = try RunningServer(folder: path, port: port, security: .preSharedKeys([old]))
        let isStopped = Guarded(false), isAsking = Guarded(false)
        let waiting = CoordinatorClient.Waiting(isStopped: { isStopped.withLock { $0 } }, log: lines.add)
        let attempt = Attempt {
            let client = try CoordinatorClient(
                address: NetworkAddress(host: "127.0.0.1", port: port), security: .preSharedKeys([old]),
                waiting: waiting)
            isAsking.withLock { $0 = true }
            while true { _ = try client.status() }
        }
        #expect(wait { isAsking.withLock { $0 } })
        first.crash()
        let second = try RunningServer(folder: path, port: port, security: .preSharedKeys([new]))
        defer { second.stop() }
        let words = "the coordinator at 127.0.0.1:\(port) answers and turns us down: the peer does not know our token"
        #expect(wait { lines.all.contains { $0.hasPrefix(words) && $0.hasSuffix("; trying again") } }, "\(lines.all)")
        isStopped.withLock { $0 = true }
        #expect(wait(seconds: 20) { attempt.error == .interrupted })
    }

    @Test func whoeverWaitsForACoordinatorIsEndedByAStop() throws {
        let port = try lastingPort()
        let server = try RunningServer(folder: folder.path, port: port)
        let isStopped = Guarded(false), isAsking = Guarded(false), lines = Lines()
        let waiting = CoordinatorClient.Waiting(isStopped: { isStopped.withLock { $0 } }, log: lines.add)
        let attempt = Attempt {
            let client = try CoordinatorClient(
                address: NetworkAddress(host: "127.0.0.1", port: port), waiting: waiting)
            isAsking.withLock { $0 = true }
            while true { _ = try client.status() }
        }
        #expect(wait { isAsking.withLock { $0 } })
        server.crash()
        #expect(wait { !lines.all.isEmpty || attempt.result != nil })
        #expect(attempt.result == nil)
        isStopped.withLock { $0 = true }
        #expect(wait(seconds: 20) { attempt.error == .interrupted })
    }

    /// It takes connections and says nothing: what is waited for then is an answer, for up to a minute.
    @Test func whoeverWaitsForAnAnswerIsEndedByAStop() throws {
        let loop = try NetworkLoop()
        let port = try loop.listen(host: "127.0.0.1", port: 0, security: .plaintext)
        let isStopped = Guarded(false)
        let waiting = CoordinatorClient.Waiting(isStopped: { isStopped.withLock { $0 } })
        let attempt = Attempt {
            _ = try CoordinatorClient(address: NetworkAddress(host: "127.0.0.1", port: port), waiting: waiting)
            return "connected"
        }
        var isGreeted = false
        while !isGreeted {
            for event in try loop.wait(timeoutMilliseconds: 100) { if case .received = event { isGreeted = true } }
        }
        isStopped.withLock { $0 = true }
        #expect(wait(seconds: 20) { attempt.error == .interrupted })
    }

    @Test func theFirstConnectionFailsAtOnceUnlessPatienceIsAskedFor() throws {
        let port = try lastingPort()
        let lines = Lines()
        #expect(throws: ClientError.self) { try client(port, CoordinatorClient.Waiting(log: lines.add)) }
        #expect(lines.all == [])
        #expect(throws: ClientError.self) {
            try client(port, CoordinatorClient.Waiting(patienceSeconds: 0.6, isPatientAtFirst: true, log: lines.add))
        }
        #expect(lines.count == 1)
        let patient = CoordinatorClient.Waiting(patienceSeconds: 60, isPatientAtFirst: true, log: lines.add)
        let attempt = Attempt {
            let client = try CoordinatorClient(
                address: NetworkAddress(host: "127.0.0.1", port: port), waiting: patient)
            return try client.status().build
        }
        #expect(wait { lines.count == 2 })
        let server = try RunningServer(folder: folder.path, port: port)
        defer { server.stop() }
        #expect(wait { if case .success("test")? = attempt.result { true } else { false } })
    }

    /// Said in the coordinator's words, and done when there is room again.
    @Test func aCoordinatorWithAFullDiskIsWaitedForByItsClient() throws {
        let server = try RunningServer(folder: folder.path)
        defer { server.stop() }
        let port = server.port, path = folder.path, lines = Lines()
        Failpoint.set("file.write", .fail(ENOSPC), detailPart: path)
        defer { Failpoint.clear("file.write", detailPart: path) }
        let waiting = CoordinatorClient.Waiting(log: lines.add)
        let attempt = Attempt {
            let client = try CoordinatorClient(
                address: NetworkAddress(host: "127.0.0.1", port: port), waiting: waiting)
            return try client.upload(bytes: [1, 2, 3], role: "volume", name: "data").name
        }
        #expect(wait { lines.count == 1 })
        #expect(lines.all.first?.hasSuffix("; trying again") == true && attempt.result == nil, "\(lines.all)")
        Failpoint.clear("file.write", detailPart: path)
        #expect(wait { if case .success("data")? = attempt.result { true } else { false } })
        #expect(lines.all.last == "the coordinator at 127.0.0.1:\(port) is back")
    }
}
