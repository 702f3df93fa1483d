import Coordinator
import Foundation
import Platform
import TestSupport
import Testing

/// What a worker has answered was accepted by its form; what it says may be anything. It costs the other volumes and
/// the run nothing.
@Suite(.serialized) struct LyingWorkerTests {
    /// A coordinator, with one worker, for as long as the body runs.
    private func withCluster(
        _ road: Road, port: UInt16 = 0, hasWorker: Bool = true, _ body: (String) throws -> Void
    ) throws {
        try? FileManager.default.removeItem(atPath: road.path("port"))
        let coordinator = try road.start([
            "coordinator", "--state", "state", "--listen", "127.0.0.1:\(port)", "--port-file", "port",
        ])
        defer { _ = coordinator.stop() }
        let address = "127.0.0.1:\(try HostileCluster.port(in: road, coordinator))"
        let worker = hasWorker ? try road.start(["worker", "--coordinator", address, "--cache", "cache"]) : nil
        defer { _ = worker?.stop() }
        try body(address)
    }

    /// An archive that is sent and answered while its client stands still.
    private func segmentStandingStill(_ road: Road, _ out: String) throws -> (RunningProgram, UInt16) {
        var found: (RunningProgram, UInt16)?
        try withCluster(road, hasWorker: false) { address in
            let port = try #require(UInt16(address.split(separator: ":")[1]))
            let client = try road.start(words(out, address))
            found = (client, port)
            func works(_ isSo: (StatusReport.Works) -> Bool) throws -> Bool {
                let status = try CoordinatorClient(address: NetworkAddress(host: "127.0.0.1", port: port)).status()
                return status.runs.contains { $0.label == out && isSo($0.works) }
            }
            try #require(try wait { try works { $0.total == 12 } })
            client.signal(SIGSTOP)
            let worker = try road.start(["worker", "--coordinator", address, "--cache", "cache"])
            defer { _ = worker.stop() }
            try #require(try wait { try works { $0.done == 12 } })
        }
        return try #require(found)
    }

    private func words(_ out: String, _ address: String) -> [String] {
        [
            "segment", "--run", "run", "--in", "phantoms/diseased", "--masks", "phantoms/lungs", "--out", out,
            "--coordinator", address,
        ]
    }

    private func train(_ road: Road, _ run: String, _ address: String) throws -> Road.Outcome {
        try road.start(
            [
                "train", "--data", "data", "--run", run, "--replicas", "1", "--iterations", "2", "--threshold", "0.5",
                "--coordinator", address,
            ] + RoadTests.network
        ).wait()
    }

    private func segment(_ road: Road, _ out: String, _ address: String) throws -> Road.Outcome {
        try road.start(words(out, address)).wait()
    }

    @Test func answersThatNobodyCanUseAreNamedAndTheOthersCollected() throws {
        let road = try Road()
        defer { road.remove() }
        try road.succeed(
            "phantom", "--out", "phantoms", "--count", "1", "--diseased", "4", "--spacing", "6,5,5", "--quiet")
        try road.succeed(
            "prepare", "phantoms/healthy", "--masks", "phantoms/lungs", "--out", "data", "--preset", "demo",
            "--spacing", "6,5,5", "--plane", "40,64", "--quiet")
        try withCluster(road) { address in
            let outcome = try train(road, "run", address)
            #expect(outcome.code == 0, "\(outcome.errors)")
            #expect(try segment(road, "masks", address).code == 0)
        }
        let (client, port) = try segmentStandingStill(road, "masks-again")
        try lie(in: road)
        try withCluster(road, port: port) { address in
            client.signal(SIGCONT)
            let trained = try train(road, "again", address)
            #expect(trained.code == 0, "\(trained.errors)")
            #expect(trained.errors.contains("the report of replica 0"))
            #expect(road.bytes("again/replica-0.safetensors") == road.bytes("run/replica-0.safetensors"))
            let report = String(decoding: road.bytes("again/report.html") ?? Data(), as: UTF8.self)
            #expect(report.contains("<td>unknown</td>"))
            let segmented = client.wait()
            #expect(segmented.code == 3, "\(segmented.errors)")
            for name in ["diseased-00", "diseased-01", "diseased-02"] {
                #expect(segmented.errors.contains("\(name).nii.gz: "), "\(segmented.errors)")
                #expect(road.bytes("masks-again/\(name).nii.gz") == nil)
            }
            #expect(road.bytes("masks-again/diseased-03.nii.gz") == road.bytes("masks/diseased-03.nii.gz"))
            let table = String(decoding: road.bytes("masks-again/archive.csv") ?? Data(), as: UTF8.self)
            #expect(table.split(separator: "\n").count == 5, "\(table)")
        }
    }

    /// The same runs as if their worker had answered otherwise: no report, impossible figures, a name of its own.
    private func lie(in road: Road) throws {
        let store = try Database(path: road.path("state/state.sqlite"))
        defer { store.close() }
        let finish = """
            SELECT w.id FROM works w JOIN items i ON i.run = w.run AND i.position = w.position
            WHERE w.step = 2 AND w.run = (SELECT max(id) FROM runs) AND i.name = 'diseased-0
            """
        for statement in [
            "UPDATE figures SET figures = 'dice=0.5 loss=0.5 seconds=1e300'",
            "UPDATE works SET report = 'nonsense' WHERE step = 0 AND report <> ''",
            "UPDATE works SET report = '{\"vote\": 7}' WHERE id = (\(finish)0')",
            "UPDATE works SET report = replace(report, '\"lungML\":', '\"lungML\":-') WHERE id = (\(finish)1')",
            "UPDATE outputs SET name = '../../evil' WHERE role = 'mask' AND work = (\(finish)2')",
        ] { try store.execute(statement) }
    }
}
