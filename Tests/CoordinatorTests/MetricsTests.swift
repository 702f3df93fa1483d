import Coordinator
import Foundation
import Platform
import Protocol
import TestSupport
import Testing

/// What a coordinator tells those who watch over it.
@Suite struct MetricsTests {
    let folder: TestFolder

    init() throws { folder = try TestFolder() }

    /// By hand, after Prometheus' description of its text format. Notices a missing escape, a type that is wrong, and a
    /// metric without values that is announced.
    @Test func aPageIsInPrometheusTextFormat() {
        var page = PrometheusText()
        page.add("a_bytes", .gauge, "With \\ and\nmore.", [
            ([("x", "1"), ("y", "a\"b\\c\nd")], 3), ([("x", "2"), ("y", "")], 0.5),
        ])
        page.add("b_total", .counter, "Plain.", 1e18)
        page.add("c", .gauge, "Never.", [])
        page.add("d", .gauge, "Not known.", nil)
        page.add("e", .gauge, "None.", .nan)
        #expect(page.page == """
            # HELP a_bytes With \\\\ and\\nmore.
            # TYPE a_bytes gauge
            a_bytes{x="1",y="a\\"b\\\\c\\nd"} 3
            a_bytes{x="2",y=""} 0.5
            # HELP b_total Plain.
            # TYPE b_total counter
            b_total 1e+18
            # HELP e None.
            # TYPE e gauge
            e NaN

            """)
    }

    /// Notices a longest turn that is forgotten at once, or for ever remembered.
    @Test func theLongestTurnIsThatOfTheLastMinutes() {
        var load = LoopLoad()
        load.note(seconds: 2, at: 70_000)
        load.note(seconds: 1, at: 100_000)
        #expect(load.longestSeconds == 2 && load.busySeconds == 3 && load.turnCount == 2)
        load.note(seconds: 0.5, at: 131_000)
        #expect(load.longestSeconds == 2)
        load.note(seconds: 0.25, at: 192_000)
        #expect(load.longestSeconds == 0.5)
    }

    private func get(_ port: UInt16, _ path: String) throws -> (status: Int, body: String) {
        let loop = try NetworkLoop()
        let connection = try loop.connect(host: "127.0.0.1", port: port, security: .plaintext)
        loop.send(Array("GET \(path) HTTP/1.0\r\n\r\n".utf8), on: connection)
        var bytes: [UInt8] = [], hasEnded = false
        while !hasEnded {
            for event in try loop.wait(timeoutMilliseconds: 100) {
                if case .received(_, let piece) = event { bytes += piece }
                if case .closed = event { hasEnded = true }
            }
        }
        let parts = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n\r\n")
        return (Int(parts[0].split(separator: " ")[1])!, parts.dropFirst().joined(separator: "\r\n\r\n"))
    }

    private func value(_ name: String, in page: String) -> Double? {
        let line = page.split(separator: "\n").first { $0.hasPrefix("\(name) ") }
        return line.flatMap { Double($0.split(separator: " ").last!) }
    }

    /// A training of two replicas with one worker: numbers that the test has made itself. Notices counts that stand
    /// still, count twice, or are of something else.
    @Test func theMetricsAreWhatHasHappened() throws {
        let server = try RunningServer(folder: folder.file("state"), hasMetrics: true)
        defer { server.stop() }
        let port = try #require(server.server.metricsPort)
        #expect(try get(port, "/health") == (200, "ok\n"))
        #expect(try get(port, "/ready") == (200, "ok\n"))
        #expect(try get(port, "/other").status == 404)
        let client = try server.client()
        let data = try client.upload(bytes: Array("data".utf8), role: "volume", name: "data")
        _ = try client.submit(Submission(
            plan: .training(100), recipe: "fake", parameters: "{}", seed: 1, replicaCount: 2, checkpointSeconds: 60,
            inputs: [data], itemManifest: nil, idempotencyKey: "k"))
        let worker = try FakeWorker(server, name: "w")
        try worker.idle()
        let assignment = try worker.nextAssignment()
        let blob = try worker.upload(Array("state".utf8), role: "state", name: "replica-0")
        let figures = IterationFigures(iteration: 40, ["loss": 0.25])
        #expect(try worker.request(.checkpointSaved(
            assignment.lease, Checkpoint(iteration: 40, blob: blob), [figures])) == .accepted)
        let page = try get(port, "/metrics").body
        let expected: [(String, Double)] = [
            ("quintet_workers{state=\"computing\"}", 1), ("quintet_workers{state=\"idle\"}", 0),
            ("quintet_workers_of_use", 2), ("quintet_leases_total", 1), ("quintet_checkpoints_total", 1),
            ("quintet_results_total", 0), ("quintet_work{state=\"leased\"}", 1), ("quintet_work{state=\"ready\"}", 1),
            ("quintet_replica_safe_iterations{run=\"1\",step=\"train\",replica=\"0\"}", 40),
            ("quintet_replica_figure{run=\"1\",step=\"train\",replica=\"0\",figure=\"loss\"}", 0.25),
            ("quintet_problem", 0), ("quintet_lease_ends_total{outcome=\"failed\"}", 0),
        ]
        for (name, number) in expected { #expect(value(name, in: page) == number, "\(name)") }
        #expect(try #require(value("quintet_received_bytes_total", in: page)) > 100)
        #expect(try #require(value("quintet_state_free_bytes", in: page)) > 1e6)
        #expect(try worker.request(.surrender(assignment.lease, .failed, "no")) == .accepted)
        #expect(value("quintet_lease_ends_total{outcome=\"failed\"}", in: try get(port, "/metrics").body) == 1)
    }

    private struct Line: Decodable {
        var id: Int64
        var kind: String
        var worker: String?
    }

    private func lines(_ path: String) throws -> [Line] {
        try FileSystem.readText(path, byteCountMax: 1 << 20).split(separator: "\n").map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
    }

    /// Notices an event that is lost or told twice over a restart, a log that is moved away, and a time without room.
    @Test func everyEventIsALineOfJSONOnce() throws {
        let (database, log) = (folder.file("state.sqlite"), folder.file("events.jsonl"))
        func commit(_ store: Store, _ names: String...) throws {
            let turn = Turn(number: 1, changes: names.map { .workerConnected($0, testFacts) })
            _ = try store.commit([turn], wallMilliseconds: 0)
        }
        var store = try Store(path: database)
        try commit(store, "before")
        var events = try EventLog(path: log, stateFolder: folder.path, store: store, log: .none)
        try commit(store, "a", "b")
        events.append(from: store)
        try FileSystem.rename(log, to: folder.file("rotated.jsonl"))
        try commit(store, "c")
        events.append(from: store)
        #expect(try lines(folder.file("rotated.jsonl")).map(\.worker) == ["a", "b"])
        #expect(try lines(log).map(\.worker) == ["c"])
        events.close()
        store.close()
        store = try Store(path: database)
        // While nobody writes the log.
        try commit(store, "d")
        events = try EventLog(path: log, stateFolder: folder.path, store: store, log: .none)
        Failpoint.set("file.write", .fail(ENOSPC), hitNumber: 1, detailPart: log)
        try commit(store, "e")
        events.append(from: store)
        Failpoint.clear("file.write", detailPart: log)
        #expect(try lines(log).map(\.worker) == ["c"])
        try commit(store, "f")
        events.append(from: store)
        let all = try lines(log)
        #expect(all.map(\.worker) == ["c", "d", "e", "f"])
        #expect(all.map(\.id) == all.map(\.id).sorted() && all.allSatisfy { $0.kind == "connect" })
    }
}
