import Coordinator
import Foundation
import Platform
import Protocol
import TestSupport
import Testing

/// What people say to a coordinator about runs and workers, and what it says of them.
@Suite struct RunControlTests {
    private let folder = try! TestFolder()

    private func training(_ client: CoordinatorClient, key: String, memoryByteCount: UInt64 = 0) throws -> Submission {
        Submission(
            plan: .training(50), recipe: "test", parameters: "{\"preset\":{\"name\":\"demo\"}}", seed: 5,
            replicaCount: 1, checkpointSeconds: 60,
            inputs: [try client.upload(bytes: Array("data".utf8), role: "volume", name: "data")], itemManifest: nil,
            idempotencyKey: key, label: "march", submitter: "ada@lab3", memoryByteCount: memoryByteCount)
    }

    private func refusal(_ body: () throws -> Void) -> Refusal? {
        do {
            try body()
        } catch ClientError.refused(let refusal) {
            return refusal
        } catch {}
        return nil
    }

    @Test func theStatusSaysWhichRunItIs() throws {
        let server = try RunningServer(folder: folder.path)
        defer { server.stop() }
        let client = try server.client()
        let run = try client.submit(try training(client, key: "k"))
        let told = try client.status(of: run).runs[0]
        #expect(told.label == "march" && told.submitter == "ada@lab3" && told.seed == 5)
        #expect(told.parameters == "{\"preset\":{\"name\":\"demo\"}}" && !told.isPaused && told.priority == 0)
        #expect(told.submittedAt.hasPrefix("20") && told.endedAt == nil && told.refusals == nil)
        // The same command from elsewhere is the same run.
        var again = try training(client, key: "k")
        again.label = "april"
        again.submitter = "bob@lab4"
        #expect(try client.submit(again) == run)
    }

    @Test func aPausedRunGetsNothingUntilItIsResumed() throws {
        let server = try RunningServer(folder: folder.path)
        defer { server.stop() }
        let client = try server.client()
        let run = try client.submit(try training(client, key: "k"))
        try client.pause(run)
        try client.prioritise(run, priority: 7)
        #expect(try client.status(of: run).runs[0].isPaused)
        let worker = try FakeWorker(server, name: "w")
        try worker.idle()
        _ = try worker.request(.heartbeat([]))
        #expect(try client.status(of: run).runs[0].works.leased == 0)
        try client.resume(run)
        _ = try worker.nextAssignment()
        #expect(try client.status(of: run).runs[0].priority == 7)
        #expect(refusal { try client.pause(RunID(9)) }?.code == .unknown)
        #expect(refusal { try client.forget(run) }?.code == .notAllowed)
        try client.cancel(run)
        #expect(refusal { try client.resume(run) }?.code == .notAllowed)
    }

    @Test func aForgottenRunLeavesNothingAndItsNumbersAreNotGivenAgain() throws {
        let port: UInt16
        do {
            let server = try RunningServer(folder: folder.path)
            defer { server.stop() }
            let client = try server.client()
            port = server.port
            let run = try client.submit(try training(client, key: "k"))
            let worker = try FakeWorker(server, name: "w")
            try worker.idle()
            let assignment = try worker.nextAssignment()
            let kept = try worker.upload(Array("at 40".utf8), role: "checkpoint", name: "at-40")
            _ = try worker.request(.checkpointSaved(assignment.lease, Checkpoint(iteration: 40, blob: kept), []))
            try client.cancel(run)
            func isThere(_ blob: BlobReference) -> Bool {
                FileSystem.exists("\(folder.path)/blobs/\("\(blob.digest)".prefix(2))/\(blob.digest)")
            }
            let input = assignment.description.inputs[0]
            #expect(isThere(kept) && isThere(input))
            try client.forget(run)
            #expect(try client.status().runs.isEmpty)
            // The checkpoint may be kept until its worker says that it holds it no more.
            #expect(wait { !isThere(input) && !isThere(kept) })
            #expect(refusal { try client.forget(run) }?.code == .unknown)
        }
        let server = try RunningServer(folder: folder.path, port: port)
        defer { server.stop() }
        let client = try server.client()
        #expect(try client.submit(try training(client, key: "k")) == RunID(2))
    }

    @Test func aDrainedWorkerIsToldToLeave() throws {
        let server = try RunningServer(folder: folder.path)
        defer { server.stop() }
        let client = try server.client()
        let worker = try FakeWorker(server, name: "lab3:411-9f2c1b04")
        try client.drain(worker: "lab3")
        #expect(try worker.nextPush() == .leave)
        #expect(try client.status().workers.first?.isLeaving == true)
        #expect(refusal { try client.drain(worker: "lab4") }?.message.contains("'lab4'") == true)
    }

    @Test func whatFitsOnNoWorkerIsSaidAndNotSent() throws {
        let server = try RunningServer(folder: folder.path)
        defer { server.stop() }
        let client = try server.client()
        let run = try client.submit(try training(client, key: "k", memoryByteCount: 12 << 30))
        #expect(try client.status(of: run).runs[0].problem == nil)
        let small = try FakeWorker(server, name: "small", memoryByteCount: 8 << 30)
        try small.idle()
        _ = try small.request(.heartbeat([]))
        let told = try client.status(of: run)
        #expect(told.runs[0].problem?.contains("12.0 GiB") == true && told.runs[0].problem?.contains("8.0 GiB") == true)
        #expect(told.runs[0].works.leased == 0 && told.workers[0].memoryByteCount == 8 << 30)
        let large = try FakeWorker(server, name: "large", memoryByteCount: 16 << 30)
        try large.idle()
        _ = try large.nextAssignment()
        #expect(try client.status(of: run).runs[0].problem == nil)
    }

    @Test func aRefusalStandsInTheStatusWithItsReason() throws {
        let server = try RunningServer(folder: folder.path)
        defer { server.stop() }
        let client = try server.client()
        let run = try client.submit(try training(client, key: "k"))
        let worker = try FakeWorker(server, name: "w")
        try worker.idle()
        let assignment = try worker.nextAssignment()
        _ = try worker.request(.surrender(assignment.lease, .inputRefused, "data: it is no CT"))
        let told = try client.status(of: run).runs[0]
        #expect(told.refusals?.map(\.name) == ["replica-0"] && told.refusals?.first?.reason == "data: it is no CT")
        #expect(told.state == "ended" && told.endedAt != nil && told.refusedCount == 1)
    }

    @Test func aFullDiskStandsInTheStatusUntilThereIsRoom() throws {
        let server = try RunningServer(folder: folder.path)
        defer { server.stop() }
        let client = try server.client()
        let run = try client.submit(try training(client, key: "k"))
        let worker = try FakeWorker(server, name: "w")
        try worker.idle()
        let assignment = try worker.nextAssignment()
        let bytes = [UInt8](repeating: 3, count: 1000), digest = ContentDigest(bytes: SHA256.digest(of: bytes))
        Failpoint.set("file.write", .fail(ENOSPC), detailPart: folder.path)
        defer { Failpoint.clear("file.write", detailPart: folder.path) }
        _ = try worker.request(.blobOffer(digest, byteCount: 1000))
        _ = try worker.request(.blobPut(digest, offset: 0, bytes: bytes))
        let told = try client.status(of: run)
        #expect(told.problem?.contains(folder.path) == true && told.runs[0].problem == told.problem)
        Failpoint.clear("file.write", detailPart: folder.path)
        _ = try worker.upload(bytes, role: "checkpoint", name: "c")
        #expect(try client.status(of: run).problem == nil)
        _ = assignment
    }

    @Test func runsThatEndedLongAgoAreForgottenByThemselves() throws {
        let server = try RunningServer(folder: folder.path, endedRunSeconds: 0.2)
        defer { server.stop() }
        let client = try server.client()
        let ended = try client.submit(try training(client, key: "ended"))
        let running = try client.submit(try training(client, key: "running"))
        try client.cancel(ended)
        #expect(try wait { try client.status().runs.map(\.id) == [running.value] })
    }
}
