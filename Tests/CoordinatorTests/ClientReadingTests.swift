import Coordinator
import Foundation
import Platform
import TestSupport
import Protocol
import Testing

/// What a client is given is all there is, and is what it is called.
@Suite struct ClientReadingTests {
    let folder: TestFolder
    let state: String

    init() throws {
        folder = try TestFolder()
        state = folder.file("state")
    }

    /// A bit that has turned on the coordinator's disk.
    @Test func whatIsNotItsDigestIsNotHandedOut() throws {
        let server = try RunningServer(folder: state)
        defer { server.stop() }
        let client = try server.client()
        let blob = try client.upload(bytes: [1, 2, 3, 4], role: "replica", name: "weights")
        #expect(try client.download(blob) == [1, 2, 3, 4])
        let name = "\(blob.digest)"
        try Data([1, 2, 3, 5]).write(to: URL(fileURLWithPath: "\(state)/blobs/\(name.prefix(2))/\(name)"))
        #expect(throws: ClientError.self) { try client.download(blob) }
    }

    /// Twenty reports of 60 KB are more than one frame holds.
    @Test func outputsThatFillSeveralFramesAllArriveInOrder() throws {
        let server = try RunningServer(folder: state)
        defer { server.stop() }
        let client = try server.client(), replicas: UInt16 = 20
        let data = try client.upload(bytes: [7], role: "volume", name: "data")
        let run = try client.submit(Submission(
            plan: .training(100), recipe: "fake", parameters: "{}", seed: 1, replicaCount: replicas,
            checkpointSeconds: 60, inputs: [data], itemManifest: nil, idempotencyKey: "k"))
        let worker = try FakeWorker(server, name: "w")
        let report = "{\"note\":\"" + String(repeating: "x", count: 60_000) + "\"}"
        for replica in 0..<replicas {
            try worker.idle()
            let assignment = try worker.nextAssignment()
            let weights = try worker.upload([UInt8(replica)], role: "replica", name: "w\(replica)")
            let result = WorkResult(lease: assignment.lease, outputs: [weights], reportJSON: report, metrics: [])
            #expect(try worker.request(.finished(result)) == .accepted)
        }
        let outputs = try client.outputs(of: run)
        #expect(outputs.map(\.name) == (0..<replicas).map { "replica-\($0)" })
        #expect(outputs.allSatisfy { $0.report == report })
        #expect(try client.outputs(of: run, after: outputs[18].sequence).map(\.name) == ["replica-19"])
        #expect(try client.outputs(of: run, after: outputs[19].sequence).isEmpty)
    }
}
