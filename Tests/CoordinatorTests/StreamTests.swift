import Coordinator
import Foundation
import Imaging
import Platform
import Protocol
import TestSupport
import Testing
import VotingAggregator
import Worker

/// Archives that stream: what is fetched leaves the coordinator, and what a shared file system has does not come there.
@Suite struct StreamTests {
    let folder: TestFolder

    init() throws { folder = try TestFolder() }

    private func startWorker(
        _ name: String, port: UInt16, sharedRoot: String? = nil, log: @escaping @Sendable (String) -> Void = { _ in }
    ) -> WorkerDaemon {
        var configuration = WorkerConfiguration(
            host: "127.0.0.1", port: port, security: .plaintext, threadCount: 1,
            cacheDirectory: folder.file("cache-\(name)"), name: name, build: "test", log: Log { log($1) })
        configuration.sharedRoot = sharedRoot
        let daemon = WorkerDaemon(configuration: configuration, recipes: [ChainRecipe.name: ChainRecipe()])
        Thread.detachNewThread { try? daemon.run() }
        return daemon
    }

    private func openRun(_ client: CoordinatorClient, answerFolder: String = "") throws -> RunID {
        let replica = try client.upload(bytes: [9], role: "replica", name: "replica-0")
        return try client.submit(Submission(
            plan: .segmenting, recipe: ChainRecipe.name, parameters: "{}", seed: 1, replicaCount: 1,
            checkpointSeconds: 60, inputs: [replica], itemManifest: nil, idempotencyKey: "stream", isOpen: true,
            answerFolder: answerFolder))
    }

    private func ct(_ number: UInt8) -> [UInt8] { [number, number >> 1, 4, 7] }

    private func outputs(_ count: Int, of run: RunID, _ client: CoordinatorClient) throws -> [RunOutput] {
        try #require(try wait(seconds: 60) { try client.outputs(of: run).count == count })
        return try client.outputs(of: run)
    }

    /// Of a vote by one replica: the even bytes.
    private func expected(_ bytes: [UInt8]) -> [UInt8] {
        var mask = BitMask(shape: VolumeShape(depth: 1, height: 1, width: bytes.count))
        for (x, byte) in bytes.enumerated() { mask[0, 0, x] = byte % 2 == 0 }
        return mask.bytes()
    }

    /// Without it 20,000 CTs would stay on the coordinator's disk until the last is done.
    @Test func whatIsCollectedLeavesTheDiskAndStaysDone() throws {
        let port = try lastingPort()
        var server = try RunningServer(folder: folder.file("state"), port: port)
        let worker = startWorker("a", port: port)
        defer { worker.requestDrain() }
        let client = try server.client()
        let run = try openRun(client)
        func item(_ number: UInt8) throws -> ItemSubmission {
            ItemSubmission(
                name: "ct-\(number)", inputs: [try client.upload(bytes: ct(number), role: "ct", name: "ct-\(number)")],
                memoryByteCount: 1000)
        }
        let items = try (0..<3).map { try item($0) }
        try client.append(items, to: run, first: 0)
        let first = try outputs(3, of: run, client)
        #expect(Set(first.map(\.item)) == [0, 1, 2] && first.allSatisfy { $0.worker == "a" && !$0.isShared })
        for output in first { #expect(try client.download(output.outputs[0]) == expected(ct(UInt8(output.item!)))) }
        let wanted = [items[0].inputs[0], items[1].inputs[0]] + first.filter { $0.item! < 2 }.map { $0.outputs[0] }
        func isHere(_ blob: BlobReference) -> Bool {
            FileSystem.exists(folder.file("state/blobs/\("\(blob.digest)".prefix(2))/\(blob.digest)"))
        }
        #expect(isHere(items[0].inputs[0]))
        try client.collect([0, 1], of: run)
        #expect(wait { wanted.allSatisfy { !isHere($0) } })
        #expect(isHere(items[2].inputs[0]))
        // What has no answer yet, or never will, is not gone by saying so.
        #expect(throws: ClientError.self) { try client.collect([3], of: run) }
        try client.collect([0], of: run)
        let after = try client.outputs(of: run)
        #expect(after.map(\.sequence) == first.map(\.sequence))
        #expect(after.filter { $0.outputs.isEmpty }.compactMap(\.item).sorted() == [0, 1])
        // A new start knows it, and items that come again, by name, as those that there are.
        server.crash()
        server = try RunningServer(folder: folder.file("state"), port: port)
        defer { server.stop() }
        try client.append(
            items.map { ItemSubmission(name: $0.name, inputs: items[2].inputs, memoryByteCount: 1000) }, to: run,
            first: 0)
        #expect(try openRun(client) == run)
        try client.append([try item(3)], to: run, first: 3)
        #expect(try outputs(4, of: run, client).last?.item == 3)
        try client.closeItems(of: run)
        #expect(try wait { try client.status(of: run).runs[0].state == "ended" })
        let status = try client.status(of: run).runs[0]
        #expect(status.volumeCount == 4 && status.refusedCount == 0 && status.works.done == 12)
    }

    /// A worker that sees the files reads and writes there; one that does not gets them from the client.
    @Test func aSharedFileSystemIsReadWhereItIsSeenAndOtherwiseTheClientIsAsked() throws {
        let server = try RunningServer(folder: folder.file("state"))
        defer { server.stop() }
        let root = folder.file("shared"), answers = "out/.quintet-answers"
        try FileSystem.makeFolder("\(root)/\(answers)")
        try FileSystem.makeFolder("\(root)/in")
        let client = try server.client()
        let run = try openRun(client, answerFolder: answers)
        func item(_ number: UInt8) throws -> ItemSubmission {
            let bytes = ct(number), digest = ContentDigest(bytes: SHA256.digest(of: bytes))
            try AtomicFile.write(bytes, to: "\(root)/in/\(number)")
            return ItemSubmission(
                name: "ct-\(number)",
                inputs: [BlobReference(role: "ct", name: "ct-\(number)", digest: digest, byteCount: 4)],
                paths: ["in/\(number)"])
        }
        try client.append([try item(0), try item(1)], to: run, first: 0)
        let seeing = startWorker("seeing", port: server.port, sharedRoot: root)
        defer { seeing.requestDrain() }
        for output in try outputs(2, of: run, client) {
            #expect(output.isShared && output.worker == "seeing")
            let file = "\(root)/\(answers)/\(output.outputs[0].digest)"
            #expect(try FileSystem.read(file, byteCountMax: 1000) == expected(ct(UInt8(output.item!))))
        }
        #expect(try client.wanted(of: run).isEmpty)
        try client.collect([0, 1], of: run)
        seeing.requestDrain()
        try #require(try wait { try client.status().workers.allSatisfy { !$0.isConnected } })

        // Blind for the root, and blind for one file of it.
        let blind = startWorker("blind", port: server.port)
        defer { blind.requestDrain() }
        let third = try item(2)
        try client.append([third], to: run, first: 2)
        var wanted: [ContentDigest] = []
        try #require(try wait(seconds: 60) {
            wanted = try client.wanted(of: run)
            return !wanted.isEmpty
        })
        #expect(wanted == [third.inputs[0].digest])
        _ = try client.upload(bytes: ct(2), role: "ct", name: "ct-2")
        let output = try #require(try outputs(3, of: run, client).last)
        #expect(!output.isShared && output.worker == "blind")
        #expect(try client.download(output.outputs[0]) == expected(ct(2)))
        try client.collect([2], of: run)
        try client.closeItems(of: run)
        #expect(try wait { try client.status(of: run).runs[0].state == "ended" })
    }

    /// A file that has changed since the client looked at it is not what the answer would be of.
    @Test func aChangedSharedFileIsNotTaken() throws {
        let server = try RunningServer(folder: folder.file("state"))
        defer { server.stop() }
        let root = folder.file("shared"), log = Guarded<[String]>([])
        try FileSystem.makeFolder(root)
        let client = try server.client()
        let run = try openRun(client), bytes = ct(1)
        try AtomicFile.write(ct(5), to: "\(root)/ct")
        try client.append([ItemSubmission(
            name: "ct", inputs: [BlobReference(
                role: "ct", name: "ct", digest: ContentDigest(bytes: SHA256.digest(of: bytes)), byteCount: 4)],
            paths: ["ct"])], to: run, first: 0)
        let worker = startWorker("a", port: server.port, sharedRoot: root) { line in log.withLock { $0.append(line) } }
        defer { worker.requestDrain() }
        try #require(try wait(seconds: 60) { try !client.wanted(of: run).isEmpty })
        #expect(log.withLock { $0.contains { $0.contains("ct is not what it was said to be") } })
        _ = try client.upload(bytes: bytes, role: "ct", name: "ct")
        let output = try #require(try outputs(1, of: run, client).last)
        #expect(try client.download(output.outputs[0]) == expected(bytes))
    }

    /// A volume that is too large for a worker waits for one where it fits.
    @Test func anItemGoesToNoWorkerWithTooLittleMemory() throws {
        let server = try RunningServer(folder: folder.file("state"))
        defer { server.stop() }
        let client = try server.client()
        let run = try openRun(client)
        func item(_ number: UInt8, _ memory: UInt64) throws -> ItemSubmission {
            ItemSubmission(
                name: "ct-\(number)", inputs: [try client.upload(bytes: ct(number), role: "ct", name: "ct")],
                memoryByteCount: memory)
        }
        try client.append([try item(0, 8 << 30), try item(1, 1 << 30)], to: run, first: 0)
        let small = try FakeWorker(server, name: "small", memoryByteCount: 2 << 30)
        try small.idle()
        let little = try item(1, 0).inputs[0].digest, much = try item(0, 0).inputs[0].digest
        #expect(try small.nextAssignment().description.inputs.contains { $0.digest == little })
        let large = try FakeWorker(server, name: "large", memoryByteCount: 16 << 30)
        try large.idle()
        #expect(try large.nextAssignment().description.inputs.contains { $0.digest == much })
    }

    /// Ballots of two CTs may be the same bytes: whoever reads them for one need not send them for the other. Without
    /// it such a result is refused until the work is given back.
    @Test func whatAWorkerReadsForOneItemCountsAsSentForAnother() throws {
        let server = try RunningServer(folder: folder.file("state"))
        defer { server.stop() }
        let client = try server.client()
        let run = try openRun(client)
        let ballot = expected(ct(0))
        try client.append(
            try (UInt8(0)..<2).map { number in
                let blob = try client.upload(bytes: ct(number), role: "ct", name: "ct-\(number)")
                return ItemSubmission(name: "ct-\(number)", inputs: [blob])
            }, to: run, first: 0)
        let first = try FakeWorker(server, name: "first")
        try first.idle()
        let predict = try first.nextAssignment()
        #expect(predict.description.step == "predict")
        let sent = try first.upload(ballot, role: "votes", name: "votes-0")
        #expect(try first.finish(predict, [sent]) == .accepted)
        try first.drop()
        let second = try FakeWorker(server, name: "second")
        try second.idle()
        var held = [try second.nextAssignment()]
        try second.idle()
        held.append(try second.nextAssignment())
        #expect(Set(held.map(\.description.step)) == ["predict", "finish"])
        let other = try #require(held.first { $0.description.step == "predict" })
        #expect(try second.finish(other, [try second.upload(ballot, role: "votes", name: "votes-0")]) == .accepted)
    }
}
