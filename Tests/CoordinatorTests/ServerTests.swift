import Coordinator
import Foundation
import Imaging
import Platform
import Protocol
import TestSupport
import Testing
import VotingAggregator

@Suite struct ServerTests {
    let folder: TestFolder
    let state: String

    init() throws {
        folder = try TestFolder()
        state = folder.file("state")
    }

    private func trainSubmission(_ client: CoordinatorClient, key: String = "k", replicas: UInt16 = 2) throws
        -> Submission
    {
        let data = try client.upload(bytes: Array("data".utf8), role: "volume", name: "data")
        return Submission(
            plan: .training(100), recipe: "fake", parameters: "{}", seed: 1, replicaCount: replicas,
            checkpointSeconds: 60, inputs: [data], itemManifest: nil, idempotencyKey: key)
    }

    private func metric(_ iteration: UInt32) -> IterationFigures {
        IterationFigures(iteration: iteration, ["loss": 1, "dice": 0.5, "seconds": 0.1])
    }

    @Test func aTrainingRunGoesOnWhereALostWorkerStopped() throws {
        // So long that b asks for work before a's is free again.
        let server = try RunningServer(folder: state, leaseSeconds: 6)
        defer { server.stop() }
        let client = try server.client()
        let run = try client.submit(try trainSubmission(client))
        let a = try FakeWorker(server, name: "a")
        try a.idle()
        let first = try a.nextAssignment()
        #expect(try a.fetch(first.description.inputs[0]) == Array("data".utf8))
        let checkpoint = Checkpoint(
            iteration: 40, blob: try a.upload(Array("at 40".utf8), role: "checkpoint", name: "at-40"))
        #expect(try a.request(.checkpointSaved(first.lease, checkpoint, (1...40).map(metric))) == .accepted)
        // 40 iterations of the 200 that two replicas have.
        #expect(try client.status(of: run).runs[0].fraction == 0.2)
        try a.drop()

        let b = try FakeWorker(server, name: "b")
        try b.idle()
        let second = try b.nextAssignment()
        #expect(second.description.replica == 1)
        #expect(try b.finish(second, [try b.upload([1, 1], role: "replica", name: "w1")]) == .accepted)
        try b.idle()
        let again = try b.nextAssignment()  // when the lease of a has run out
        #expect(again.lease == Lease(work: first.lease.work, epoch: 2))
        #expect(again.resume == checkpoint)
        #expect(try b.fetch(checkpoint.blob) == Array("at 40".utf8))

        // a was not dead after all: its result comes too late.
        let zombie = try FakeWorker(server, name: "a", held: [first.lease])
        #expect(try zombie.nextPush() == .revoke(first.lease))
        let late = ContentDigest(bytes: SHA256.digest(of: [9]))
        for message in [
            Message.blobOffer(late, byteCount: 1),
            .finished(WorkResult(lease: first.lease, outputs: [checkpoint.blob], reportJSON: "{}", metrics: [])),
        ] {
            guard case .refusal(let refusal) = try zombie.request(message) else {
                throw ClientError.violation("the zombie's result was taken")
            }
            #expect(refusal.code == .staleLease)
        }

        let weights = try b.upload([0, 0], role: "replica", name: "w0")
        #expect(try b.finish(again, [weights], metrics: (41...100).map(metric)) == .accepted)
        #expect(try b.finish(again, [weights]) == .accepted)  // said twice
        try b.idle()
        let calibration = try b.nextAssignment()
        #expect(calibration.description.step == "calibrate")
        #expect(calibration.description.inputs.filter { $0.role == "replica" }.map(\.digest)
            == [weights.digest, ContentDigest(bytes: SHA256.digest(of: [1, 1]))])
        #expect(try client.status(of: run).runs[0].state == "running")
        #expect(try b.finish(calibration, []) == .accepted)

        let status = try client.status(of: run, history: true)
        #expect(status.runs[0].state == "ended" && status.runs[0].fraction == 1)
        let stale = try #require(status.events?.first { $0.kind == "stale" })
        #expect(stale.message.contains("turned down"))
        #expect(stale.work != nil && stale.epoch != nil && stale.worker != nil && stale.run == run.value)
        #expect(status.events?.first { $0.kind == "checkpoint" }?.iteration != nil)
        let outputs = try client.outputs(of: run)
        #expect(outputs.map(\.name) == ["replica-1", "replica-0", "calibrate"])
        #expect(try client.download(outputs[1].outputs[0]) == [0, 0])
        #expect(try client.figures(of: run, step: "train", replica: 0).map(\.iteration) == Array(1...100))
    }

    @Test func anArchiveIsVotedOnBitByBitAndItsVotesAreForgotten() throws {
        let server = try RunningServer(folder: state)
        defer { server.stop() }
        let client = try server.client()
        let shape = VolumeShape(depth: 2, height: 3, width: 70)
        let volumes = try ["anna", "bert"].map {
            ItemSubmission(name: $0, inputs: [try client.upload(bytes: Array($0.utf8), role: "ct", name: $0)])
        }
        let weights = try (0..<3).map {
            try client.upload(bytes: [UInt8($0)], role: "replica", name: "replica-\($0)")
        }
        let run = try client.submit(
            Submission(
                plan: .segmenting, recipe: "fake", parameters: "{}", seed: 1, replicaCount: 3,
                checkpointSeconds: 60, inputs: weights, itemManifest: try client.uploadManifest(volumes),
                idempotencyKey: "s"))
        let worker = try FakeWorker(server, name: "w")
        // Voters 0 and 1 say yes at x = 5, 0 and 2 at x = 69, only 2 at x = 7.
        let votes = [[5, 69], [5], [69, 7]].map { voxels in
            var mask = BitMask(shape: shape)
            for x in voxels { mask[1, 2, x] = true }
            return mask.bytes()
        }
        var steps: [String] = []
        while steps.count < 4 {
            try worker.idle()
            let assignment = try worker.nextAssignment()
            steps.append(assignment.description.step)
            if assignment.description.step == "predict" {
                if assignment.description.inputs.last?.name == "bert" {
                    let refused = Message.surrender(assignment.lease, .inputRefused, "bert is broken")
                    #expect(try worker.request(refused) == .accepted)
                    steps.append("finish")
                    continue
                }
                let blobs = try votes.enumerated().map {
                    try worker.upload($1, role: "votes", name: "votes-\($0)")
                }
                #expect(try worker.finish(assignment, blobs) == .accepted)
            } else {
                let inputs = assignment.description.inputs
                #expect(inputs.map(\.role) == ["ct", "voted", "votes", "votes", "votes"])
                let voted = try BitMask(bytes: try worker.fetch(inputs[1]))
                #expect(voted.voxelCount == 2 && voted[1, 2, 5] && voted[1, 2, 69])
                #expect(try worker.finish(assignment, [try worker.upload([7], role: "mask", name: "m")]) == .accepted)
                #expect(throws: ClientError.self) { try client.download(inputs[1]) }
            }
        }
        let outputs = try client.outputs(of: run)
        #expect(Set(outputs.map(\.name)) == ["anna", "bert"])
        #expect(outputs.first { $0.state == .refused }?.report == "bert is broken")
        #expect(try client.status(of: run).runs[0].refusedCount == 1)
    }

    @Test func acknowledgedResultsSurviveAKill() throws {
        let port = try lastingPort()
        var server = try RunningServer(folder: state, port: port)
        let client = try server.client()
        let submission = try trainSubmission(client)
        let run = try client.submit(submission)
        let a = try FakeWorker(server, name: "a")
        try a.idle()
        let done = try a.nextAssignment()
        #expect(try a.finish(done, [try a.upload([5, 5], role: "replica", name: "w")]) == .accepted)
        try a.idle()
        let held = try a.nextAssignment()
        server.crash()
        server = try RunningServer(folder: state, port: port)
        defer { server.stop() }

        // The client's connection is made again under it; the same submission is the same run.
        #expect(try client.submit(submission) == run)
        #expect(try client.outputs(of: run).map(\.name) == ["replica-0"])
        let back = try FakeWorker(server, name: "a", held: [held.lease])
        #expect(try back.finish(done, [try back.upload([5, 5], role: "replica", name: "w")]) == .accepted)
        #expect(try back.finish(held, [try back.upload([6], role: "replica", name: "w")]) == .accepted)
        #expect(try client.outputs(of: run).map(\.name) == ["replica-0", "replica-1"])
    }

    @Test func aResultWhoseBlobsAreMissingIsRefused() throws {
        let server = try RunningServer(folder: state)
        defer { server.stop() }
        let client = try server.client()
        _ = try client.submit(try trainSubmission(client, replicas: 1))
        let worker = try FakeWorker(server, name: "w")
        try worker.idle()
        let assignment = try worker.nextAssignment()
        guard case .refusal(let refusal) = try worker.finish(assignment, [blob("replica", "never uploaded")]) else {
            throw ClientError.violation("it was taken")
        }
        #expect(refusal.code == .unknown && refusal.message.contains("never uploaded"))
        #expect(try worker.finish(assignment, [try worker.upload([1], role: "replica", name: "w")]) == .accepted)
    }

    @Test func aFullDiskAtTheCheckpointIsSaidAndNothingIsLost() throws {
        let server = try RunningServer(folder: state)
        defer { server.stop() }
        let client = try server.client()
        let run = try client.submit(try trainSubmission(client, replicas: 1))
        let worker = try FakeWorker(server, name: "w")
        try worker.idle()
        let assignment = try worker.nextAssignment()
        let bytes = [UInt8](repeating: 3, count: 1000)
        let digest = ContentDigest(bytes: SHA256.digest(of: bytes))
        Failpoint.set("file.write", .fail(ENOSPC), detailPart: state)
        _ = try worker.request(.blobOffer(digest, byteCount: 1000))
        guard case .refusal(let refusal) = try worker.request(.blobPut(digest, offset: 0, bytes: bytes)) else {
            throw ClientError.violation("it was taken")
        }
        #expect(refusal.code == .diskFull && refusal.message.contains(state))
        Failpoint.clear("file.write", detailPart: state)
        let checkpoint = Checkpoint(iteration: 9, blob: try worker.upload(bytes, role: "checkpoint", name: "c"))
        // Now the database has no room. What waits for it waits; the others are served, and are told.
        Failpoint.set("store.beforeCommit", .fail(ENOSPC), detailPart: state)
        let saved = try worker.send(.checkpointSaved(assignment.lease, checkpoint, []))
        try worker.turn()
        #expect(wait { (try? client.status(of: run).problem?.contains(state)) == true })
        #expect(try worker.request(.heartbeat([])) == .heartbeatAnswer)
        #expect(!worker.hasAnswer(to: saved) && worker.endReason == nil)
        Failpoint.clear("store.beforeCommit", detailPart: state)
        try worker.wait { worker.hasAnswer(to: saved) }
        #expect(wait { (try? client.status(of: run).problem) == .some(nil) })
        #expect(try client.status(of: run).runs[0].replicas?[0].checkpointIteration == 9)
    }

    @Test func whatNoRunNeedsIsRemovedAndNothingElse() throws {
        // So long that nothing goes between its upload and its use.
        let server = try RunningServer(folder: state, unusedBlobSeconds: 6)
        defer { server.stop() }
        let client = try server.client()
        let run = try client.submit(try trainSubmission(client, replicas: 1))
        let worker = try FakeWorker(server, name: "w")
        try worker.idle()
        let assignment = try worker.nextAssignment()
        let kept = try worker.upload(Array("at 40".utf8), role: "checkpoint", name: "at-40")
        #expect(try worker.request(.checkpointSaved(assignment.lease, Checkpoint(iteration: 40, blob: kept), []))
            == .accepted)
        // Never submitted; and begun, never ended.
        let unused = try client.upload(bytes: Array("unused".utf8), role: "ct", name: "unused")
        let begun = ContentDigest(bytes: SHA256.digest(of: Array("begun".utf8)))
        try AtomicFile.write("beg", to: "\(state)/blobs/partial/\(begun)-5")
        func file(_ digest: ContentDigest) -> String { "\(state)/blobs/\("\(digest)".prefix(2))/\(digest)" }
        func isThere(_ digest: ContentDigest) -> Bool { FileSystem.exists(file(digest)) }
        #expect(isThere(unused.digest))
        let input = assignment.description.inputs[0].digest
        for path in [file(unused.digest), "\(state)/blobs/partial/\(begun)-5", file(kept.digest), file(input)] {
            let longAgo = [FileAttributeKey.modificationDate: Date(timeIntervalSince1970: 0)]
            try FileManager.default.setAttributes(longAgo, ofItemAtPath: path)
        }
        #expect(wait { !isThere(unused.digest) && !FileSystem.exists("\(state)/blobs/partial/\(begun)-5") })
        #expect(isThere(kept.digest) && isThere(input))
        // Whoever still wants to use it sends it again.
        #expect(try client.upload(bytes: Array("unused".utf8), role: "ct", name: "unused") == unused)
        let weights = try worker.upload([1], role: "replica", name: "w")
        #expect(try worker.finish(assignment, [weights]) == .accepted)
        #expect(try client.download(weights) == [1])
        #expect(try client.outputs(of: run).count == 1)
    }

    /// A hundred workers lose their leases to another one and come back with results and checkpoints.
    @Test func noneOfAHundredZombiesIsHeard() throws {
        let server = try RunningServer(folder: state, leaseSeconds: 3)
        defer { server.stop() }
        let client = try server.client()
        let count = 100
        let runs = try ["first", "second"].map {
            try client.submit(try trainSubmission(client, key: $0, replicas: UInt16(count / 2)))
        }
        var lost: [(name: String, lease: Lease)] = []
        for number in 0..<count {
            let worker = try FakeWorker(server, name: "zombie-\(number)")
            try worker.idle()
            lost.append(("zombie-\(number)", try worker.nextAssignment().lease))
            try worker.drop()
        }
        let heir = try FakeWorker(server, name: "heir")
        var (refusedCount, doneCount) = (0, 0)
        while doneCount < count {
            try heir.idle()
            let assignment = try heir.nextAssignment()
            guard assignment.description.step == "train" else {
                #expect(try heir.finish(assignment, []) == .accepted)
                continue
            }
            let right = try heir.upload([1, UInt8(doneCount)], role: "replica", name: "right")
            // Usually one; on a slow machine the first ones' leases run out while the last ones get theirs.
            let zombies = lost.filter { $0.lease.work == assignment.lease.work }
            for zombie in zombies {
                #expect(zombie.lease.epoch < assignment.lease.epoch)
                if try isTurnedDown(zombie.name, zombie.lease, server) { refusedCount += 1 }
            }
            #expect(try heir.finish(assignment, [right]) == .accepted)
            doneCount += 1
        }
        #expect(refusedCount == count)
        for zombie in lost { #expect(try isTurnedDown(zombie.name, zombie.lease, server)) }
        for run in runs {
            let outputs = try client.outputs(of: run).filter { $0.step == "train" }
            #expect(outputs.count == count / 2 && Set(outputs.map(\.name)).count == count / 2)
            for output in outputs { #expect(output.outputs[0].name == "right") }
        }
    }

    /// Comes back with a lease, bytes, a checkpoint and a result: told to stop, and all three refused.
    private func isTurnedDown(_ name: String, _ lease: Lease, _ server: RunningServer) throws -> Bool {
        let zombie = try FakeWorker(server, name: name, held: [lease])
        defer { try? zombie.drop() }
        guard try zombie.nextPush() == .revoke(lease) else { return false }
        #expect(throws: (any Error).self) { try zombie.upload([8], role: "replica", name: "late") }
        let wrong = try server.client().upload(bytes: [9], role: "replica", name: "wrong")
        let result = WorkResult(lease: lease, outputs: [wrong], reportJSON: "{}", metrics: [])
        let checkpoint = Checkpoint(iteration: 99, blob: wrong)
        return try isStale(zombie.request(.checkpointSaved(lease, checkpoint, [])))
            && isStale(zombie.request(.finished(result)))
    }

    private func isStale(_ answer: Message) -> Bool {
        if case .refusal(let refusal) = answer { refusal.code == .staleLease } else { false }
    }

    @Test func aDamagedCheckpointCostsOneInterval() throws {
        let server = try RunningServer(folder: state)
        defer { server.stop() }
        let client = try server.client()
        _ = try client.submit(try trainSubmission(client, replicas: 1))
        let first = try FakeWorker(server, name: "a")
        try first.idle()
        let assignment = try first.nextAssignment()
        var checkpoints: [Checkpoint] = []
        for iteration in [10, 20, 30] as [UInt32] {
            let bytes = [UInt8](repeating: UInt8(iteration), count: 100)
            let blob = try first.upload(bytes, role: "checkpoint", name: "at-\(iteration)")
            checkpoints.append(Checkpoint(iteration: iteration, blob: blob))
            #expect(try first.request(.checkpointSaved(assignment.lease, checkpoints.last!, [])) == .accepted)
        }
        func file(_ checkpoint: Checkpoint) -> String {
            "\(state)/blobs/\("\(checkpoint.blob.digest)".prefix(2))/\(checkpoint.blob.digest)"
        }
        // The last one is gone: noticed before it is given to anyone.
        try FileManager.default.removeItem(atPath: file(checkpoints[2]))
        #expect(try first.request(.surrender(assignment.lease, .drained, "")) == .accepted)
        let second = try FakeWorker(server, name: "b")
        try second.idle()
        let again = try second.nextAssignment()
        #expect(again.resume == checkpoints[1])
        // The one before has rotted: noticed when a worker fails with it.
        try Data([UInt8](repeating: 99, count: 100)).write(to: URL(fileURLWithPath: file(checkpoints[1])))
        #expect(try second.request(.surrender(again.lease, .failed, "it arrived damaged")) == .accepted)
        #expect(try wait { try client.status().runs[0].replicas?[0].checkpointIteration == 10 })
        let third = try FakeWorker(server, name: "c")
        try third.idle()
        #expect(try third.nextAssignment().resume == checkpoints[0])
    }

    @Test func filesOnThisMachineAreUsedWhereTheyLie() throws {
        var server = try RunningServer(folder: state)
        let path = folder.file("ct.nii")
        let bytes = [UInt8](repeating: 8, count: 300_000)
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let digest = ContentDigest(bytes: SHA256.digest(of: bytes))
        try server.server.registerExternalBlob(path: path, digest: digest, byteCount: 300_000)
        var client = try server.client()
        let reference = BlobReference(role: "ct", name: "ct", digest: digest, byteCount: 300_000)
        #expect(try client.download(reference) == bytes)
        server.crash()
        server = try RunningServer(folder: state)
        defer { server.stop() }
        client = try server.client()
        #expect(try client.download(reference) == bytes)
        #expect(try FileManager.default.subpathsOfDirectory(atPath: state + "/blobs").allSatisfy { $0.count < 64 })
    }

    @Test func anUploadGoesOnAndADownloadIsChecked() throws {
        let server = try RunningServer(folder: state)
        defer { server.stop() }
        let client = try server.client()
        let path = folder.file("large")
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        // The first half is there from an upload that was cut.
        let other = try FakeWorker(server, name: "", role: .client)
        let digest = ContentDigest(bytes: SHA256.digest(of: bytes))
        _ = try other.request(.blobOffer(digest, byteCount: 3_000_000))
        _ = try other.request(.blobPut(digest, offset: 0, bytes: Array(bytes[..<200_000])))
        #expect(try other.request(.blobOffer(digest, byteCount: 3_000_000)) == .blobOffset(digest, offset: 200_000))
        let reference = try client.upload(path: path, role: "ct", name: "large")
        #expect(reference.digest == digest)
        try client.download(reference, to: folder.file("back"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.file("back"))) == Data(bytes))
        #expect(!FileManager.default.fileExists(atPath: folder.file(".quintet-download")))
    }

    @Test func cancelRevokesAndTellsWhatIsUnknown() throws {
        let server = try RunningServer(folder: state)
        defer { server.stop() }
        let client = try server.client()
        let run = try client.submit(try trainSubmission(client, replicas: 1))
        let worker = try FakeWorker(server, name: "w")
        try worker.idle()
        let assignment = try worker.nextAssignment()
        try client.cancel(run)
        #expect(try worker.nextPush() == .revoke(assignment.lease))
        #expect(try client.status(of: run).runs[0].state == "cancelled")
        #expect(throws: ClientError.self) { try client.cancel(RunID(99)) }
        #expect(throws: ClientError.self) { try client.outputs(of: RunID(99)) }
    }

    @Test func aWorkerOfAnotherVersionIsRefusedByName() throws {
        let log = Guarded<[String]>([])
        let server = try RunningServer(folder: state, log: { line in log.withLock { $0.append(line) } })
        defer { server.stop() }
        let worker = try FakeWorker(server, name: "w", version: 77)
        guard case .refusal(let refusal) = worker.greeting else { throw ClientError.violation("it was welcomed") }
        #expect(refusal.code == .version && refusal.message.contains("77") && refusal.message.contains("fake"))
        try worker.waitForEnd()
        let words = "connection closed: its program (fake) speaks protocol 77, this coordinator 4"
        #expect(wait { log.withLock { $0.contains { $0.contains("127.0.0.1:") && $0.contains(words) } } })
    }

    @Test func whoeverSpeaksNonsenseIsSentAway() throws {
        let log = Guarded<[String]>([])
        var limits = PeerLimits()
        // It is the nonsense that ends a connection, and no deadline.
        limits.frameMilliseconds = 600_000
        let server = try RunningServer(folder: state, limits: limits) { line in log.withLock { $0.append(line) } }
        defer { server.stop() }
        func isLogged(_ reason: String) -> Bool {
            wait { log.withLock { $0.contains { $0.contains("connection closed: ") && $0.contains(reason) } } }
        }
        let foreign = try FakeWorker(server, name: "x", greets: false, magic: Array("GET / HTTP/1.1\r\n\r\n".utf8))
        try foreign.waitForEnd()
        #expect(isLogged("\(ProtocolError.foreignProtocol)"))
        let stranger = try FakeWorker(server, name: "x", greets: false)
        stranger.sendRaw(Array("GET / HTTP/1.1\r\n\r\n".utf8) + [UInt8](repeating: 0, count: 64))
        try stranger.waitForEnd()
        // "GET " as a length.
        #expect(isLogged("542393687 bytes"))
        let early = try FakeWorker(server, name: "x", greets: false)
        try early.send(.heartbeat([]))
        try early.waitForEnd()
        #expect(isLogged("it did not say hello"))
        _ = try server.client().status()
    }

    @Test func aStateFolderHasOneCoordinator() throws {
        let server = try RunningServer(folder: state)
        defer { server.stop() }
        do {
            _ = try CoordinatorServer(configuration: CoordinatorConfiguration(stateDirectory: state))
            Issue.record("a second one started")
        } catch { #expect("\(error)".contains(state)) }
    }

    @Test func withoutATokenOnlyLoopbackIsListenedAt() throws {
        for host in ["*", "0.0.0.0"] {
            do {
                _ = try CoordinatorServer(
                    configuration: CoordinatorConfiguration(stateDirectory: state, host: host))
                Issue.record("it listens at \(host)")
            } catch { #expect("\(error)".contains("quintet token new")) }
        }
    }

    @Test func aCoordinatorThatIsNotThereIsNamed() throws {
        let server = try RunningServer(folder: state)
        let address = NetworkAddress(host: "127.0.0.1", port: server.server.port)
        server.stop()
        do {
            _ = try CoordinatorClient(address: address)
            Issue.record("it connected")
        } catch { #expect("\(error)".contains("\(address)")) }
    }

    @Test func aWorkerThatConnectsAgainReplacesItsOldConnection() throws {
        let server = try RunningServer(folder: state)
        defer { server.stop() }
        let client = try server.client()
        _ = try client.submit(try trainSubmission(client, replicas: 1))
        let old = try FakeWorker(server, name: "w")
        try old.idle()
        let assignment = try old.nextAssignment()
        let new = try FakeWorker(server, name: "w", held: [assignment.lease])
        try old.waitForEnd()
        #expect(try new.finish(assignment, [try new.upload([1], role: "replica", name: "w")]) == .accepted)
        #expect(try client.status().workers.filter(\.isConnected).map(\.name) == ["w"])
    }
}
