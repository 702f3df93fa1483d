import Coordinator
import Foundation
import Platform
import Protocol
import TestSupport
import Testing

/// Members of the cluster, with its token, that do what they should not.
@Suite struct HostilePeerTests {
    let folder: TestFolder
    let server: RunningServer
    let client: CoordinatorClient
    let log = Guarded<[String]>([])

    init() throws {
        folder = try TestFolder()
        var limits = PeerLimits()
        // Whoever is sent away is so for what it did, and not because time has passed.
        limits.frameMilliseconds = 600_000
        server = try RunningServer(folder: folder.file("state"), limits: limits) { [log] line in
            log.withLock { $0.append(line) }
        }
        client = try server.client()
    }

    private func isSentAway(_ peer: FakeWorker, because reason: String) throws -> Bool {
        try peer.waitForEnd()
        return wait { log.withLock { $0.contains { $0.contains("connection closed: ") && $0.contains(reason) } } }
    }

    private func get(_ blob: BlobReference) -> Message { .blobGet(blob.digest, offset: 0, byteCountMax: 100) }

    @Test func aWorkerReadsWhatItsLeaseNamesAndNothingElse() throws {
        defer { server.stop() }
        let (a, b) = (try submit(client, "a"), try submit(client, "b"))
        let (first, one) = try leased(server, "first")
        let (second, two) = try leased(server, "second")
        #expect(one.description.inputs == [a] && two.description.inputs == [b])
        #expect(try first.fetch(a) == Array("patient a".utf8))
        #expect(try second.fetch(b) == Array("patient b".utf8))
        #expect(refusal(try first.request(get(b))) == .notAllowed)
        #expect(refusal(try second.request(get(a))) == .notAllowed)
        // Also not by claiming somebody else's lease.
        let thief = try FakeWorker(server, name: "thief", held: [two.lease, Lease(work: two.lease.work, epoch: 7)])
        #expect(refusal(try thief.request(get(b))) == .notAllowed)
        // A lease that was lost on the way is worth something again, one that has ended is not.
        let again = try FakeWorker(server, name: "second", held: [two.lease])
        #expect(try again.fetch(b) == Array("patient b".utf8))
        #expect(try again.finish(two, [try again.upload([1], role: "replica", name: "w")]) == .accepted)
        #expect(refusal(try again.request(get(b))) == .notAllowed)
    }

    @Test func aWorkerWithoutALeaseUploadsNothing() throws {
        defer { server.stop() }
        let idle = try FakeWorker(server, name: "idle")
        let digest = ContentDigest(bytes: SHA256.digest(of: [5]))
        #expect(refusal(try idle.request(.blobOffer(digest, byteCount: 1))) == .staleLease)
        #expect(refusal(try idle.request(.blobPut(digest, offset: 0, bytes: [5]))) == .staleLease)
        #expect(try files().allSatisfy { !$0.contains("\(digest)") })
    }

    @Test func nobodyOverwritesABlob() throws {
        defer { server.stop() }
        let a = try submit(client, "a")
        let (worker, _) = try leased(server, "worker")
        #expect(try worker.request(.blobOffer(a.digest, byteCount: a.byteCount))
            == .blobOffset(a.digest, offset: a.byteCount))
        let zeros = [UInt8](repeating: 0, count: 9)
        #expect(refusal(try worker.request(.blobPut(a.digest, offset: 0, bytes: zeros))) == .damaged)
        #expect(refusal(try worker.request(.blobOffer(a.digest, byteCount: 5))) == .malformed)
        #expect(try client.download(a) == Array("patient a".utf8))
    }

    @Test func noNameFromTheWireBecomesAPath() throws {
        defer { server.stop() }
        _ = try submit(client, "../../escape")
        let (worker, assignment) = try leased(server, "../../worker")
        let checkpoint = Checkpoint(
            iteration: 1, blob: try worker.upload([1], role: "../../r", name: "../../../checkpoint"))
        #expect(try worker.request(.checkpointSaved(assignment.lease, checkpoint, [])) == .accepted)
        let weights = try worker.upload([2], role: "replica", name: "/tmp/../x")
        #expect(try worker.finish(assignment, [weights]) == .accepted)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["state"])
        #expect(try files().allSatisfy { !$0.contains("escape") && !$0.contains("checkpoint") && !$0.contains("..") })
    }

    @Test func whoeverUploadsSomethingElseThanAnnouncedIsSentAway() throws {
        defer { server.stop() }
        let liar = try FakeWorker(server, name: "", role: .client)
        let digest = ContentDigest(bytes: SHA256.digest(of: [1, 2, 3]))
        for _ in 0...Limits.blobFaultsMax {
            _ = try liar.request(.blobOffer(digest, byteCount: 3))
            let answer = try liar.request(.blobPut(digest, offset: 0, bytes: [9, 9, 9]))
            #expect(refusal(answer) == .damaged)
        }
        try liar.waitForEnd()
        let greedy = try FakeWorker(server, name: "", role: .client)
        _ = try greedy.request(.blobOffer(digest, byteCount: 3))
        #expect(refusal(try greedy.request(.blobPut(digest, offset: 0, bytes: [1, 2, 3, 4]))) == .malformed)
        // And the honest one comes through.
        #expect(try client.download(try client.upload(bytes: [1, 2, 3], role: "ct", name: "a")) == [1, 2, 3])
    }

    @Test func whoeverAsksOnWithoutTakingTheAnswersIsSentAway() throws {
        defer { server.stop() }
        // So that an answer has some length, and a socket's buffers fill.
        for number in 0..<30 { _ = try submit(client, "run \(number)") }
        let deaf = try FakeWorker(server, name: "", role: .client)
        deaf.listens(false)
        var bytes: [UInt8] = []
        for number in 1...3_000 {
            bytes += try MessageCoding.encode(.statusRequest(nil, history: true), requestID: UInt32(number))
        }
        deaf.sendRaw(bytes)
        try? deaf.wait(seconds: 0.2) { false }
        #expect(try client.status().runs.count == 30)
        // Stays deaf until it is gone: if it listened, the server would be rid of the answers.
        try? deaf.wait(seconds: Double(Limits.overfullMilliseconds) / 1_000 + 6) { deaf.endReason != nil }
        try deaf.waitForEnd()
        #expect(deaf.answerCount < 3_000)
    }

    @Test func manyMessagesAtOnceAreAllAnswered() throws {
        defer { server.stop() }
        let worker = try FakeWorker(server, name: "w")
        var last: UInt32 = 0
        for _ in 0..<2_000 { last = try worker.send(.heartbeat([])) }
        try worker.wait { worker.hasAnswer(to: last) }
        #expect(worker.answerCount == 2_000)
    }

    @Test func thoseWhoSayNothingMakeRoom() throws {
        defer { server.stop() }
        let count = Limits.connectionsBeforeWelcomePerAddressMax + 6
        let silent = try (0..<count).map { _ in try FakeWorker(server, name: "", greets: false) }
        func waitUntilGone(_ goneCount: Int) throws {
            #expect(try wait {
                for one in silent { try one.turn() }
                return silent.count { $0.endReason != nil } >= goneCount
            })
        }
        try waitUntilGone(6)
        // The newcomer is served although the address has its fill.
        #expect(try server.client().status().runs.isEmpty)
        try waitUntilGone(7)
        // The oldest, in their order, though many may have been accepted in one millisecond.
        #expect(silent.map { $0.endReason != nil } == (0..<count).map { $0 < 7 })
    }

    @Test func aFrameThatIsNotWhatItSaysEndsTheConnection() throws {
        defer { server.stop() }
        let damaged = try FakeWorker(server, name: "w")
        var bytes = try MessageCoding.encode(.heartbeat([]), requestID: 5)
        bytes[12] ^= 1
        damaged.sendRaw(bytes)
        #expect(try isSentAway(damaged, because: "checksum"))
        let huge = try FakeWorker(server, name: "w")
        huge.sendRaw([0xFF, 0xFF, 0xFF, 0x7F] + [UInt8](repeating: 0, count: 12))
        #expect(try isSentAway(huge, because: "2147483663 bytes"))
        // Before the welcome only little is taken.
        let early = try FakeWorker(server, name: "w", greets: false)
        early.sendRaw([0, 0x20, 0, 0] + [UInt8](repeating: 0, count: 12))
        #expect(try isSentAway(early, because: "8208 bytes"))
    }

    private func files() throws -> [String] { try FileManager.default.subpathsOfDirectory(atPath: folder.path) }
}
