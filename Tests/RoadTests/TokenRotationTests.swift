import Foundation
import TestSupport
import Testing

/// A token is replaced while a run goes on.
@Suite(.serialized) struct TokenRotationTests {
    @Test func aTokenIsReplacedWithoutStoppingARun() throws {
        let road = try Road()
        defer { road.remove() }
        try road.prepareSmallData()
        for name in ["old", "new"] { try road.succeed("token", "new", name) }

        let port = try lastingPort()
        func coordinator(_ tokens: String...) throws -> RunningProgram {
            try? FileManager.default.removeItem(atPath: road.path("port"))
            let words = ["coordinator", "--state", "state", "--listen", "127.0.0.1:\(port)", "--port-file", "port"]
            let program = try road.start(words + tokens.flatMap { ["--token-file", $0] })
            _ = try HostileCluster.port(in: road, program)
            return program
        }
        func worker(_ token: String) throws -> RunningProgram {
            try road.start([
                "worker", "--coordinator", "127.0.0.1:\(port)", "--cache", "cache", "--token-file", token,
            ])
        }

        let first = try coordinator("old")
        let oldWorker = try worker("old")
        let run = try road.start([
            "train", "--data", "data", "--run", "run", "--replicas", "2", "--iterations", "400", "--slab", "8",
            "--channels", "4,8", "--strides", "2", "--batch", "1", "--checkpoint-seconds", "1", "--coordinator",
            "127.0.0.1:\(port)", "--token-file", "old", "--quiet",
        ])
        #expect(wait { isFetched(road) })
        // Both are good now: the old worker and the client come back by themselves, a new worker comes in.
        #expect(first.stop().code == 0)
        let second = try coordinator("new", "old")
        let newWorker = try worker("new")
        #expect(oldWorker.stop().code == 0)
        let outcome = run.wait()
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(road.bytes("run/replica-1.safetensors") != nil)
        // And the old one is good no more.
        #expect(second.stop().code == 0)
        let third = try coordinator("new")
        let refused = try road.run("status", "--coordinator", "127.0.0.1:\(port)", "--token-file", "old")
        #expect(refused.code != 0 && refused.errors.contains("token"), "\(refused.errors)")
        try road.succeed("status", "--coordinator", "127.0.0.1:\(port)", "--token-file", "new")
        #expect(newWorker.stop().code == 0 && third.stop().code == 0)
    }

    /// Whether the worker has a lease and its data.
    private func isFetched(_ road: Road) -> Bool {
        let files = FileManager.default.enumerator(atPath: road.path("cache/blobs"))
        return files?.contains { ("\($0)".split(separator: "/").last?.count ?? 0) == 64 } == true
    }
}
