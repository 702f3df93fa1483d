import Coordinator
import Foundation
import Platform
import Protocol
import TestSupport
import Testing
import Worker

/// The coordinator's process dies, or is told to leave, right before or right after a commit (or a blob's rename), at
/// every kind of commit; another one goes on, and everything ends as if nothing had happened.
@Suite(.serialized) struct CrashSiteTests {
    static let sites = [
        "submit", "connect", "lease", "checkpoint", "result", "release", "ready", "voting", "vote", "finish", "cancel",
        "reopen", "refuse", "arithmetic", "read",
    ].flatMap { ["store.\($0).before", "store.\($0).after"] } + ["blob.land.before", "blob.land.after"]

    @Test func aCoordinatorThatDiesAroundAnyCommitLosesNothing() throws {
        #expect(Self.problems(at: Self.sites, "crash") == [])
        #expect(Self.sites.count >= 20)
    }

    /// SIGTERM while everything is written and nothing committed, or with nobody told yet. It ends what it is at,
    /// leaves with code 0, and what it has acknowledged is there.
    @Test func aCoordinatorThatIsToldToLeaveInMidCommitCommitsAndLeaves() throws {
        let sites = ["submit", "lease", "checkpoint", "result", "vote"].flatMap { ["\($0).before", "\($0).after"] }
        #expect(Self.problems(at: sites.map { "store.\($0)" } + ["blob.land.before"], "leave") == [])
    }

    /// All at the same time: they mostly wait.
    private static func problems(at sites: [String], _ action: String) -> [String] {
        let problems = Guarded<[String]>([])
        let left = DispatchGroup()
        for site in sites {
            left.enter()
            Thread.detachNewThread {
                do {
                    var found = try Life(site, action).live()
                    // Where the machine stood still, a run has ended before it is cancelled, and a worker is drained
                    // that has nothing to hand back.
                    for _ in 0..<4 where found == [Life.untouched] { found = try Life(site, action).live() }
                    problems.withLock { $0 += found.map { "\(site): \($0)" } }
                } catch {
                    problems.withLock { $0.append("\(site): \(error)") }
                }
                left.leave()
            }
        }
        left.wait()
        return problems.withLock { $0 }
    }

    /// Trains, cancels, trains again, drains a worker, segments with a volume that is refused.
    private final class Life {
        static let untouched = "it never came to the place where it was to die or leave"
        private let action: String
        private let folder: TestFolder
        private let coordinator: CoordinatorProcess
        private let client: CoordinatorClient
        private var problems: [String] = []

        init(_ site: String, _ action: String) throws {
            self.action = action
            folder = try TestFolder()
            coordinator = try CoordinatorProcess(folder: folder, failpoints: "\(site)=\(action)@1")
            client = try coordinator.client()
            client.waiting.patienceSeconds = 600
        }

        func live() throws -> [String] {
            var workers = ["a", "b"].map(coordinator.startWorker)
            defer { workers.forEach { $0.requestDrain() } }
            let data = try client.upload(bytes: [1, 2, 3], role: "volume", name: "data")
            let run = try client.submit(training("kept", seed: 42, replicas: 2, data))
            let second = try client.submit(training("cancelled", seed: 7, replicas: 1, data))
            try client.cancel(second)
            expect(try client.submit(training("cancelled", seed: 7, replicas: 1, data)) == second, "another run")
            try waitUntilBusy("a")
            workers[0].requestDrain()
            workers.append(coordinator.startWorker("c"))
            try check(run, seed: 42, replicas: 2)
            try check(second, seed: 7, replicas: 1)
            try segment(try client.outputs(of: run).filter { $0.step == "train" }.map { $0.outputs[0] })
            workers.forEach { $0.requestDrain() }
            if let problem = coordinator.stop() { problems.append("\(problem): \(coordinator.log)") }
            let (deaths, leaves) = (coordinator.crashCount, coordinator.leaveCount)
            let expected = action == "crash" ? (1, 0) : (0, 1)
            expect((deaths, leaves) != (0, 0), Self.untouched)
            expect((deaths, leaves) == expected || (deaths, leaves) == (0, 0), "died \(deaths), left \(leaves) times")
            try checkDatabase()
            return problems
        }

        private func expect(_ isTrue: Bool, _ what: String) { if !isTrue { problems.append(what) } }

        private func training(_ key: String, seed: UInt64, replicas: UInt16, _ data: BlobReference) -> Submission {
            Submission(
                plan: .training(ChainRecipe.iterationCount), recipe: ChainRecipe.name, parameters: "{}", seed: seed,
                replicaCount: replicas, checkpointSeconds: 1, inputs: [data],
                itemManifest: nil, idempotencyKey: key)
        }

        private func wait(for what: String, until isSo: (StatusReport) throws -> Bool) throws {
            guard try TestSupport.wait(seconds: 600, until: { try isSo(client.status()) }) else {
                throw CoordinatorError("\(what) does not come: \(coordinator.log)")
            }
        }

        /// So that it has something to hand back; or until nothing is left to do.
        private func waitUntilBusy(_ worker: String) throws {
            try wait(for: "work for \(worker)") { status in
                status.workers.contains { $0.name == worker && $0.work?.fraction ?? 0 > 0 }
                    || status.runs.allSatisfy { $0.state != "running" }
            }
        }

        private func waitForEnd(_ run: RunID) throws {
            try wait(for: "the end of \(run)") { status in
                status.runs.contains { $0.id == run.value && $0.state != "running" }
            }
        }

        private func check(_ run: RunID, seed: UInt64, replicas: Int) throws {
            try waitForEnd(run)
            let outputs = try client.outputs(of: run)
            let names = (0..<replicas).map { "replica-\($0)" } + ["calibrate"]
            expect(outputs.map(\.name).sorted() == names.sorted(), "\(run) made \(outputs.map(\.name))")
            for replica in 0..<replicas {
                guard let output = outputs.first(where: { $0.name == "replica-\(replica)" }) else { continue }
                let bytes = try client.download(output.outputs[0])
                expect(bytes == ChainRecipe.result(seed: seed, replica: replica), "\(run) \(output.name) is another")
                let iterations = try client.figures(of: run, step: "train", replica: replica).map(\.iteration)
                expect(iterations == Array(1...UInt32(ChainRecipe.iterationCount)), "\(run): \(iterations)")
            }
        }

        private func segment(_ ensemble: [BlobReference]) throws {
            let cts: [(String, [UInt8])] = [("anna", [6, 7, 8, 9]), ("broken", []), ("bert", [12, 13])]
            let volumes = try cts.map {
                ItemSubmission(name: $0.0, inputs: [try client.upload(bytes: $0.1, role: "ct", name: $0.0)])
            }
            let run = try client.submit(Submission(
                plan: .segmenting, recipe: ChainRecipe.name, parameters: "{}", seed: 1, replicaCount: 2,
                checkpointSeconds: 60,
                inputs: ensemble.map {
                    BlobReference(role: "replica", name: $0.name, digest: $0.digest, byteCount: $0.byteCount)
                },
                itemManifest: try client.uploadManifest(volumes), idempotencyKey: "archive"))
            try waitForEnd(run)
            let outputs = try client.outputs(of: run)
            expect(outputs.map(\.name).sorted() == ["anna", "bert", "broken"], "made \(outputs.map(\.name))")
            for output in outputs {
                expect((output.state == .done) == (output.name != "broken"), "\(output.name) is \(output.state)")
            }
        }

        private func checkDatabase() throws {
            let store = try Store(path: coordinator.stateFolder + "/state.sqlite")
            let report = try store.integrityReport()
            expect(report == "ok", report)
            store.close()
            let database = try Database(path: coordinator.stateFolder + "/state.sqlite")
            defer { database.close() }
            try database.query(
                """
                SELECT id, works.state = 'done', (SELECT count(*) FROM leases WHERE work = id AND outcome = 'done'),
                    (SELECT count(*) FROM leases WHERE work = id AND outcome IS NULL) FROM works
                JOIN steps ON steps.run = works.run AND steps.position = step AND kind <> 'vote'
                """
            ) { row in
                expect(row.int(1) == row.int(2), "work \(row.int(0)) was done \(row.int(2)) times")
                expect(row.int(3) == 0, "work \(row.int(0)) has ended with \(row.int(3)) leases running")
            }
            problems += try LeaseBook.problems(in: database)
            let lines = coordinator.workerLog.withLock { $0 }
            problems += try LeaseBook.acknowledgedAndLost(lines, in: database)
            expect(lines.count { $0.hasSuffix(": done") } >= 6, "few results were acknowledged: \(lines)")
        }
    }

    /// Also where nobody has stopped it, because a test has failed before.
    @Test func aCoordinatorThatATestLeavesBehindIsGone() throws {
        var coordinator: CoordinatorProcess? = try CoordinatorProcess(folder: TestFolder())
        _ = try coordinator?.client().status()
        let processID = try #require(coordinator?.processID)
        #expect(kill(processID, 0) == 0)
        coordinator = nil
        #expect(kill(processID, 0) == -1 && errno == ESRCH)
    }

    /// Prints how long it took: from the start of the process to its first answer.
    @Test func aCoordinatorWithTenThousandVolumesGoesOnAfterAKill() throws {
        let folder = try TestFolder()
        let volumes = try (0..<10_000).map { number in
            let bytes = Array("ct \(number)".utf8), digest = ContentDigest(bytes: SHA256.digest(of: bytes))
            let blobs = "\(folder.path)/state/blobs/\("\(digest)".prefix(2))"
            try FileManager.default.createDirectory(atPath: blobs, withIntermediateDirectories: true)
            try Data(bytes).write(to: URL(fileURLWithPath: "\(blobs)/\(digest)"))
            return ItemSubmission(name: "ct-\(number)", inputs: [
                BlobReference(role: "ct", name: "ct-\(number)", digest: digest, byteCount: UInt64(bytes.count))
            ])
        }
        let coordinator = try CoordinatorProcess(folder: folder, leaseSeconds: 30)
        var client = try coordinator.client()
        let replica = try client.upload(bytes: [1], role: "replica", name: "replica-0")
        let run = try client.submit(Submission(
            plan: .segmenting, recipe: ChainRecipe.name, parameters: "{}", seed: 1, replicaCount: 1,
            checkpointSeconds: 60, inputs: [replica], itemManifest: try client.uploadManifest(volumes),
            idempotencyKey: "archive"))
        var times: [UInt64] = []
        for _ in 0..<3 {
            coordinator.kill()
            let start = MonotonicClock.nowMilliseconds()
            client = try coordinator.client()
            let works = try client.status(of: run).runs[0].works
            times.append(MonotonicClock.nowMilliseconds() - start)
            #expect(works.total == 30_000 && works.ready == 10_000)
        }
        #expect(coordinator.stop() == nil)
        let store = try Store(path: coordinator.stateFolder + "/state.sqlite")
        #expect(try store.integrityReport() == "ok")
        store.close()
        print("restarts with 10,000 volumes: \(times) ms from the start of the process to its first status")
    }
}
