import Coordinator
import Foundation
import Platform
import Protocol
import TestSupport
import Testing

/// To know a digest is not to have the bytes.
@Suite struct SentBlobTests {
    let folder: TestFolder

    init() throws { folder = try TestFolder() }

    private func server(port: UInt16 = 0) throws -> RunningServer {
        try RunningServer(folder: folder.file("state"), port: port)
    }

    private func save(_ blob: BlobReference, at iteration: UInt32, _ lease: Lease) -> Message {
        .checkpointSaved(lease, Checkpoint(iteration: iteration, blob: blob), [])
    }

    /// Another run's image as one's own checkpoint or result would be one's own to read.
    @Test func aKnownDigestOpensNoBlobOfAnotherRun() throws {
        let server = try server()
        defer { server.stop() }
        let client = try server.client()
        let secret = try submit(client, "a")
        _ = try submit(client, "b")
        let (_, other) = try leased(server, "other")
        #expect(other.description.inputs == [secret])
        let (liar, own) = try leased(server, "liar")
        for _ in 0..<2 {
            #expect(refusal(try liar.request(save(secret, at: 1, own.lease))) == .unknown)
            #expect(refusal(try liar.finish(own, [secret])) == .unknown)
            #expect(refusal(try liar.request(.blobGet(secret.digest, offset: 0, byteCountMax: 9))) == .notAllowed)
            // An offer shows no more than that one knows it; it is asked for.
            #expect(try liar.request(.blobOffer(secret.digest, byteCount: secret.byteCount))
                == .blobOffset(secret.digest, offset: 0))
        }
        let guess = [UInt8](repeating: 32, count: Int(secret.byteCount))
        #expect(refusal(try liar.request(.blobPut(secret.digest, offset: 0, bytes: guess))) == .damaged)
        #expect(refusal(try liar.request(.blobPut(secret.digest, offset: 0, bytes: guess + [1]))) == .malformed)
        #expect(refusal(try liar.request(save(secret, at: 1, own.lease))) == .unknown)
        #expect(try client.download(secret) == Array("patient a".utf8))
        #expect(try liar.finish(own, [try liar.upload([1], role: "replica", name: "w")]) == .accepted)
    }

    /// What is uploaded and not submitted yet is nobody's to have removed.
    @Test func anUploadThatWaitsForItsRunIsNotTakenAway() throws {
        let server = try server()
        defer { server.stop() }
        let client = try server.client()
        _ = try submit(client, "a")
        let (liar, own) = try leased(server, "liar")
        let waiting = try client.upload(bytes: [4, 5, 6], role: "ct", name: "waiting")
        #expect(refusal(try liar.request(save(waiting, at: 1, own.lease))) == .unknown)
        // Checkpoints after it would have it forgotten.
        for iteration in 2...6 as ClosedRange<UInt32> {
            let blob = try liar.upload([UInt8(iteration)], role: "checkpoint", name: "c")
            #expect(try liar.request(save(blob, at: iteration, own.lease)) == .accepted)
        }
        #expect(try client.download(waiting) == [4, 5, 6])
    }

    /// What is stated under a lease that does not count goes from the disk, but only what its worker has sent.
    @Test func nobodyHasAnothersUploadRemovedUnderALeaseThatDoesNotCount() throws {
        let server = try server()
        defer { server.stop() }
        let client = try server.client()
        _ = try submit(client, "a")
        let (liar, own) = try leased(server, "liar")
        let waiting = try client.upload(bytes: [4, 5, 6], role: "ct", name: "waiting")
        let old = Lease(work: own.lease.work, epoch: own.lease.epoch + 1)
        #expect(refusal(try liar.request(save(waiting, at: 1, old))) == .staleLease)
        #expect(try liar.finish(own, [try liar.upload([1], role: "replica", name: "w")]) == .accepted)
        #expect(try liar.request(save(waiting, at: 1, own.lease)) == .accepted)
        #expect(try client.download(waiting) == [4, 5, 6])
    }

    @Test func whoeverHasTheBytesOfWhatIsHereSendsThemAndIsBelieved() throws {
        let server = try server()
        defer { server.stop() }
        let client = try server.client()
        _ = try submit(client, "a")
        let bytes = (0..<1_000).map { UInt8(truncatingIfNeeded: $0) }
        let present = try client.upload(bytes: bytes, role: "ct", name: "present")
        let (worker, own) = try leased(server, "worker")
        #expect(try worker.request(.blobOffer(present.digest, byteCount: 1_000))
            == .blobOffset(present.digest, offset: 0))
        for piece in stride(from: 0, to: 1_000, by: 250) {
            let put = Message.blobPut(
                present.digest, offset: UInt64(piece), bytes: Array(bytes[piece..<(piece + 250)]))
            #expect(try worker.request(put) == .blobOffset(present.digest, offset: UInt64(piece + 250)))
        }
        #expect(try worker.request(.blobOffer(present.digest, byteCount: 1_000))
            == .blobOffset(present.digest, offset: 1_000))
        #expect(try worker.request(save(present, at: 1, own.lease)) == .accepted)
        #expect(try client.download(present) == bytes)
    }

    /// A worker and its backup send the same bytes at the same time: neither is held up, and both are believed.
    @Test func twoWhoSendTheSameAreBothLedThroughAllOfIt() throws {
        let server = try server()
        defer { server.stop() }
        let client = try server.client()
        for key in ["a", "b"] { _ = try submit(client, key) }
        let bytes = (0..<900).map { UInt8(truncatingIfNeeded: $0) }
        let digest = ContentDigest(bytes: SHA256.digest(of: bytes))
        let both = try ["one", "two"].map { try leased(server, $0) }
        func put(_ piece: Int) -> Message {
            .blobPut(digest, offset: UInt64(piece * 300), bytes: Array(bytes[(piece * 300)..<(piece * 300 + 300)]))
        }
        func answer(_ piece: Int) -> Message { .blobOffset(digest, offset: UInt64(piece * 300)) }
        #expect(try both[0].0.request(.blobOffer(digest, byteCount: 900)) == answer(0))
        #expect(try both[0].0.request(put(0)) == answer(1))
        #expect(try both[0].0.request(put(1)) == answer(2))
        #expect(try both[1].0.request(.blobOffer(digest, byteCount: 900)) == answer(0))
        #expect(try both[1].0.request(put(0)) == answer(1))
        #expect(try both[0].0.request(put(2)) == answer(3))
        #expect(try both[1].0.request(put(1)) == answer(2))
        #expect(try both[1].0.request(put(2)) == answer(3))
        let blob = BlobReference(role: "replica", name: "w", digest: digest, byteCount: 900)
        for (worker, assignment) in both { #expect(try worker.finish(assignment, [blob]) == .accepted) }
        #expect(try client.download(blob) == bytes)
    }

    /// What was sent over one connection is stated over the next one.
    @Test func aWorkerThatConnectsAgainStatesWhatItHasSent() throws {
        let server = try server()
        defer { server.stop() }
        _ = try submit(try server.client(), "a")
        let (worker, own) = try leased(server, "worker")
        let blob = try worker.upload([1, 2], role: "checkpoint", name: "c")
        try worker.drop()
        let again = try FakeWorker(server, name: "worker", held: [own.lease])
        #expect(try again.request(save(blob, at: 1, own.lease)) == .accepted)
    }

    /// After a restart nobody knows who sent what: it is sent again.
    @Test func aWorkerThatSentBeforeARestartSendsAgainAndIsBelieved() throws {
        let port = try lastingPort()
        var server = try server(port: port)
        let client = try server.client()
        _ = try submit(client, "a")
        let (worker, own) = try leased(server, "worker")
        let blob = try worker.upload([1, 2], role: "checkpoint", name: "c")
        server.crash()
        server = try self.server(port: port)
        defer { server.stop() }
        let again = try FakeWorker(server, name: "worker", held: [own.lease])
        #expect(refusal(try again.request(save(blob, at: 1, own.lease))) == .unknown)
        #expect(try again.upload([1, 2], role: "checkpoint", name: "c") == blob)
        #expect(try again.request(save(blob, at: 1, own.lease)) == .accepted)
        // What the lease reads may be stated without: it is the worker's to have.
        #expect(try again.request(.blobOffer(blob.digest, byteCount: 2)) == .blobOffset(blob.digest, offset: 2))
        var result = blob
        result.role = "replica"
        #expect(try again.finish(own, [result]) == .accepted)
    }
}
