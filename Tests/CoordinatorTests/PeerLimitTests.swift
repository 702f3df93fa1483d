import Coordinator
import Foundation
import Platform
import Protocol
import TestSupport
import Testing

/// The bounds of docs/SECURITY.md, each at a coordinator whose patience is short.
@Suite struct PeerLimitTests {
    let folder: TestFolder
    let log = Guarded<[String]>([])

    init() throws { folder = try TestFolder() }

    private func server(
        leaseSeconds: Double = 20, _ change: (inout PeerLimits) -> Void = { _ in }
    ) throws -> RunningServer {
        var limits = PeerLimits()
        change(&limits)
        let log = log
        return try RunningServer(folder: folder.file("state"), leaseSeconds: leaseSeconds, limits: limits) { line in
            log.withLock { $0.append(line) }
        }
    }

    /// Waits a while: the lines about peers are written after their connections have ended.
    private func isLogged(_ text: String) -> Bool {
        wait { log.withLock { $0.contains { $0.contains(text) } } }
    }

    // MARK: - Time

    /// A member's as well, however regularly a byte of it comes.
    @Test func aFrameThatDoesNotEndInTimeEndsTheConnection() throws {
        let server = try server { $0.frameMilliseconds = 400 }
        defer { server.stop() }
        let honest = try FakeWorker(server, name: "honest"), slow = try FakeWorker(server, name: "slow")
        // So long that it has not ended either if the server stands still and then finds many bytes at once.
        let digest = ContentDigest(bytes: SHA256.digest(of: []))
        let frame = try MessageCoding.encode(
            .blobPut(digest, offset: 0, bytes: [UInt8](repeating: 0, count: 1_000)), requestID: 99)
        let deadline = Date().addingTimeInterval(FakeWorker.patienceSeconds)
        for byte in frame where slow.endReason == nil && Date() < deadline {
            slow.sendRaw([byte])
            try? slow.wait(seconds: 0.15) { slow.endReason != nil }
        }
        #expect(slow.endReason != nil && !slow.hasAnswer(to: 99))
        #expect(try honest.request(.heartbeat([])) == .heartbeatAnswer)
        #expect(isLogged("it did not end a frame in time"))
    }

    @Test func aSilentWorkerIsDroppedAndOneThatIsHeardStays() throws {
        try expectTheSilentIsDropped(role: .worker, asking: .heartbeat([])) { seconds in
            try server(leaseSeconds: seconds / 3)
        }
    }

    @Test func aSilentClientIsDroppedAndOneThatAsksStays() throws {
        try expectTheSilentIsDropped(role: .client, asking: .statusRequest(nil, history: false)) { seconds in
            try server { $0.clientSilenceMilliseconds = UInt64(seconds * 1_000) }
        }
    }

    /// - Parameter server: one that bears so many seconds of silence. Where the machine stood still and the other one
    ///   may have been silent for as long, the next one bears more.
    private func expectTheSilentIsDropped(
        role: PeerRole, asking question: Message, _ server: (Double) throws -> RunningServer
    ) throws {
        for seconds in [1.2, 5, 20] {
            let server = try server(seconds)
            defer { server.stop() }
            let silent = try FakeWorker(server, name: "silent", role: role)
            var heardAt = Date()
            let heard = try FakeWorker(server, name: "heard", role: role)
            let deadline = Date().addingTimeInterval(FakeWorker.patienceSeconds)
            var isOver = false, isStaying = true
            while !isOver, isStaying {
                isOver = silent.endReason != nil || Date() > deadline
                let now = Date()
                isStaying = (try? heard.request(question)) != nil
                if isStaying { heardAt = now }
                try? silent.wait(seconds: 0.1) { silent.endReason != nil }
            }
            if !isStaying, Date().timeIntervalSince(heardAt) > seconds { continue }
            #expect(isStaying, "the other one was dropped as well")
            #expect(silent.endReason != nil && isLogged("it has been silent too long"))
            return
        }
        Issue.record("the machine stands still")
    }

    // MARK: - Numbers

    @Test func whoeverOpensMoreRequestsThanAllowedIsSentAway() throws {
        let server = try server()
        defer { server.stop() }
        let greedy = try FakeWorker(server, name: "", role: .client)
        let digest = ContentDigest(bytes: SHA256.digest(of: [1]))
        var bytes: [UInt8] = []
        for number in 1...UInt32(3 * Limits.openRequestsMax) {
            bytes += try MessageCoding.encode(.blobGet(digest, offset: 0, byteCountMax: 1), requestID: 100 + number)
        }
        greedy.sendRaw(bytes)
        try greedy.waitForEnd()
        #expect(isLogged("too many open requests"))
        // As many as allowed, one after the other, as often as one likes.
        let modest = try FakeWorker(server, name: "", role: .client)
        for _ in 0..<(2 * Limits.openRequestsMax) {
            #expect(refusal(try modest.request(.blobGet(digest, offset: 0, byteCountMax: 1))) == .unknown)
        }
    }

    @Test func oneAddressHasItsShareOfACoordinator() throws {
        let server = try server { $0.connectionsPerAddressMax = 3 }
        defer { server.stop() }
        let members = try (0..<3).map { try FakeWorker(server, name: "w\($0)") }
        let late = try FakeWorker(server, name: "late", greets: false)
        try late.waitForEnd()
        #expect(isLogged("connections from its address already"))
        for member in members { #expect(try member.request(.heartbeat([])) == .heartbeatAnswer) }
    }

    @Test func aCoordinatorHasSoManyPlacesAndNoMore() throws {
        let server = try server { $0.connectionsMax = 2 }
        defer { server.stop() }
        let members = try (0..<2).map { try FakeWorker(server, name: "w\($0)") }
        let late = try FakeWorker(server, name: "late", greets: false)
        try late.waitForEnd()
        #expect(isLogged("there are 2 connections already"))
        for member in members { #expect(try member.request(.heartbeat([])) == .heartbeatAnswer) }
    }

    /// A flood of peers that are sent away is counted in the log, not told line by line.
    @Test func theLogTellsOfTwentyRejectionsASecondAndCountsTheRest() throws {
        let server = try server()
        let began = Date(), count = 90
        for _ in 0..<3 {
            let wave = try (0..<count / 3).map { _ in try FakeWorker(server, name: "", greets: false) }
            for one in wave { one.sendRaw(Array("GET / HTTP/1.1\r\n\r\n".utf8)) }
            for one in wave { try one.waitForEnd() }
        }
        let seconds = Date().timeIntervalSince(began)
        server.stop()
        let lines = log.withLock { $0.map { $0 } }
        let told = lines.count { $0.contains("connection closed") }
        let counted = lines.reduce(0) { sum, line in
            guard let end = line.range(of: " more connections were ended") else { return sum }
            return sum + (Int(line[..<end.lowerBound]) ?? 0)
        }
        #expect(told + counted == count, "\(told) told, \(counted) counted")
        #expect(told <= Limits.rejectionLinesPerSecondMax * (Int(seconds) + 2))
        #expect(seconds > 3 || counted > 0)
    }

    // MARK: - Lies about work

    @Test func whoeverGoesOnStatingWhatDoesNotCountIsSentAwayAndNamed() throws {
        let server = try server { $0.staleResultsMax = 5 }
        defer { server.stop() }
        let client = try server.client()
        _ = try submit(client, "a")
        let (holder, assignment) = try leased(server, "holder")
        let liar = try FakeWorker(server, name: "liar")
        let result = WorkResult(lease: assignment.lease, outputs: [], reportJSON: "{}", metrics: [])
        for _ in 0..<5 { #expect(refusal(try liar.request(.finished(result))) == .staleLease) }
        #expect(refusal(try liar.request(.finished(result))) == .limit)
        try liar.waitForEnd()
        #expect(isLogged("it goes on stating results under leases that do not count"))
        #expect(try holder.finish(assignment, [try holder.upload([1], role: "replica", name: "w")]) == .accepted)
    }

    /// Also by coming again and again it fills neither audit nor log.
    @Test func ofStaleResultsOnlyAMinutesShareIsWrittenDown() throws {
        let server = try server { $0.staleResultsRecordedMax = 7 }
        defer { server.stop() }
        let client = try server.client()
        for number in 0..<10 {
            let liar = try FakeWorker(server, name: "liar-\(number)")
            for work in 1...2 as ClosedRange<UInt64> {
                let lease = Lease(work: WorkID(work), epoch: 9)
                let result = WorkResult(lease: lease, outputs: [], reportJSON: "{}", metrics: [])
                #expect(refusal(try liar.request(.finished(result))) == .staleLease)
            }
        }
        let events = try client.status(of: nil, history: true).events ?? []
        #expect(events.count { $0.message.contains("turned down") } == 7)
        #expect(log.withLock { $0.count { $0.contains("turned down") } } == 7)
    }

    @Test func onlyWhoHoldsAWorkHasItsFilesChecked() throws {
        let server = try server()
        defer { server.stop() }
        let client = try server.client()
        _ = try submit(client, "a")
        let (holder, assignment) = try leased(server, "holder")
        let blob = try holder.upload([UInt8](repeating: 7, count: 100), role: "checkpoint", name: "at-3")
        #expect(try holder.request(.checkpointSaved(assignment.lease, Checkpoint(iteration: 3, blob: blob), []))
            == .accepted)
        let file = folder.file("state/blobs/\("\(blob.digest)".prefix(2))/\(blob.digest)")
        let handle = try #require(FileHandle(forWritingAtPath: file))
        try handle.write(contentsOf: [8])
        try handle.close()
        let stranger = try FakeWorker(server, name: "stranger")
        let newer = Lease(work: assignment.lease.work, epoch: 9), nobodys = Lease(work: WorkID(77), epoch: 1)
        for lease in [assignment.lease, newer, nobodys] {
            #expect(try stranger.request(.surrender(lease, .failed, "I say so")) == .accepted)
        }
        // What the blob thread has been asked to do is done before it answers this.
        _ = try client.upload(bytes: [1], role: "ct", name: "one")
        #expect(FileSystem.exists(file))
        #expect(try holder.request(.surrender(assignment.lease, .failed, "cannot read it")) == .accepted)
        _ = try client.upload(bytes: [2], role: "ct", name: "two")
        #expect(!FileSystem.exists(file))
    }

    @Test func figuresBeyondTheRunsEndAreRefused() throws {
        let server = try server()
        defer { server.stop() }
        let client = try server.client()
        _ = try submit(client, "a")
        let (worker, assignment) = try leased(server, "worker")
        let beyond = [9, 10].map { IterationFigures(iteration: $0, ["loss": 1, "dice": 0.5, "seconds": 0.1]) }
        let blob = try worker.upload([1], role: "replica", name: "w")
        let checkpoint = Checkpoint(iteration: 9, blob: blob)
        #expect(refusal(try worker.request(.checkpointSaved(assignment.lease, checkpoint, beyond))) == .malformed)
        #expect(refusal(try worker.finish(assignment, [blob], metrics: beyond)) == .malformed)
        #expect(try client.figures(of: RunID(1), step: "train", replica: 0).isEmpty)
        #expect(try worker.finish(assignment, [blob], metrics: [beyond[0]]) == .accepted)
        #expect(try client.figures(of: RunID(1), step: "train", replica: 0).map(\.iteration) == [9])
    }

    @Test func noWordOfAPeerMakesALineOfItsOwn() throws {
        let server = try server()
        defer { server.stop() }
        let client = try server.client()
        _ = try submit(client, "a")
        let (worker, assignment) = try leased(server, "worker")
        let forged = "no\n2026-01-01 00:00:00  run 7 ended\n\u{2028}x"
        #expect(try worker.request(.surrender(assignment.lease, .failed, forged)) == .accepted)
        let lines = log.withLock { $0.map { $0 } }
        #expect(lines.contains { $0.contains("run 7 ended") })
        let texts = lines + (try client.status(of: nil, history: true).events ?? []).map(\.message)
        for text in texts {
            #expect(!text.unicodeScalars.contains { $0.properties.generalCategory == .control || $0 == "\u{2028}" })
        }
    }
}
