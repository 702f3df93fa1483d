import Coordinator
import Foundation
import TestSupport
import Testing
import quintet

/// What a worker is called.
@Suite struct ProcessNameTests {
    /// As in two containers in which a worker is process 1 on one host name: they do not know each other.
    @Test func twoWorkersThatLookAlikeDoNotEvictEachOther() throws {
        let road = try Road()
        defer { road.remove() }
        let coordinator = try road.start([
            "coordinator", "--state", "state", "--listen", "127.0.0.1:0", "--port-file", "port",
        ])
        let port = try HostileCluster.port(in: road, coordinator)
        let workers = try (0..<2).map { number in
            try road.start([
                "worker", "--coordinator", "127.0.0.1:\(port)", "--cache", "cache-\(number)", "--name", "vm:1",
            ])
        }
        func names() -> [String] {
            let text = (try? road.run("status", "--coordinator", "127.0.0.1:\(port)", "--json").output) ?? ""
            let report = try? JSONDecoder().decode(StatusReport.self, from: Data(text.utf8))
            return (report?.workers ?? []).filter(\.isConnected).map(\.name)
        }
        #expect(wait { names().count == 2 }, "\(names())")
        #expect(names().allSatisfy { $0.hasPrefix("vm:1-") })
        for worker in workers {
            let outcome = worker.stop()
            #expect(outcome.code == 0 && !outcome.errors.contains("no coordinator"), "\(outcome.errors)")
        }
        #expect(coordinator.stop().code == 0)
    }

    @Test func aNameIsOneWordAndTheSameForAsLongAsTheProcessLives() throws {
        let name = try ProcessName.make("lab3")
        #expect(name.hasPrefix("lab3-") && name.count == "lab3-".count + 8)
        #expect(try ProcessName.make("lab3") == name)
        for wrong in ["", "two words", "a\u{1B}b", "ä", String(repeating: "x", count: 120)] {
            #expect(throws: (any Error).self) { try ProcessName.make(wrong) }
        }
        #expect(ProcessName.isName("lab3:411-9f2c1b04", ofProcess: 411))
        #expect(!ProcessName.isName("lab3:2411-9f2c1b04", ofProcess: 411))
        #expect(!ProcessName.isName("lab3:41-19f2c1b04", ofProcess: 411))
    }
}
