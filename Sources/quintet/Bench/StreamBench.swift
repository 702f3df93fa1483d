import Coordinator
import Foundation
import Platform
import Protocol
import Recipes

/// `quintet bench stream`: an archive through a coordinator in a process of its own, with workers that compute nothing:
/// CTs are appended as far as a window allows, each one is two leases (as predict and finish), answers are listed and
/// collected, and a run that has grown large is followed by another. Files lie on a made-up shared file system, so that
/// what is measured is scheduler, store and wire.
enum StreamBench {
    struct Figures: Encodable {
        var workers: Int
        var items: Int
        var seconds: Double
        var itemsPerSecond: Double
        var firstAnswerSeconds: Double
        var heartbeatMillisecondsMedian: Double
        var heartbeatMilliseconds99: Double
        var heartbeatMillisecondsMax: Double
        /// Of the coordinator, at each tenth of the way.
        var residentBytes: [UInt64]
        var residentBytesPeak: UInt64
        /// Of the database.
        var keptBytesMost: UInt64
        var keptBytes: UInt64
        var writtenBytesPerItem: Double
        var coordinatorSecondsPerItem: Double
        var messagesPerItem: Double
        var runs: Int
    }

    /// Items at the coordinator at a time, and in one `appendItems`.
    private static let windowItems = 4_000, appendItems = 500

    static func run(_ arguments: Arguments) throws {
        let workerCount = try arguments.integer("--workers", 1...20_000) ?? 1_000
        let itemCount = try arguments.integer("--items", 1...10_000_000) ?? 100_000
        let folder = NSTemporaryDirectory() + "quintet-bench-\(ProcessInfo.processInfo.processIdentifier)"
        defer { try? FileSystem.removeTree(folder) }
        try FileSystem.makeFolder(folder, isPrivate: true)
        let process = try CoordinatorProcess(folder: folder, live: arguments.text("--http"))
        defer { process.kill() }
        let figures = try measure(workerCount, itemCount, process)
        Console.out(arguments.has("--json") ? JSONText.encode(figures) : figures.text)
    }

    private static func measure(
        _ workerCount: Int, _ itemCount: Int, _ process: CoordinatorProcess
    ) throws -> Figures {
        let workers = try IdleWorkers(port: process.port, count: workerCount, isTakingWork: true)
        try workers.run { $0.areAllConnected }
        let before = (written: process.writtenByteCount, seconds: process.processorSeconds)
        let start = BenchClock.now()
        let client = StreamingClient(process, itemCount)
        let thread = BackgroundRun { try client.run() }
        let progress = client.progress
        try workers.run(silentSecondsMax: 120) { _ in thread.failure != nil || progress.withLock { $0.isEnded } }
        if let failure = thread.failure { throw failure }
        thread.join()
        let seconds = BenchClock.now() - start, found = progress.withLock { $0 }
        let latencies = workers.heartbeatSeconds.sorted().map { $0 * 1_000 }
        return Figures(
            workers: workerCount, items: itemCount, seconds: seconds, itemsPerSecond: Double(itemCount) / seconds,
            firstAnswerSeconds: found.firstAnswerAt - start,
            heartbeatMillisecondsMedian: CoordinatorBench.quantile(latencies, 0.5),
            heartbeatMilliseconds99: CoordinatorBench.quantile(latencies, 0.99),
            heartbeatMillisecondsMax: latencies.last ?? .nan, residentBytes: found.residentBytes,
            residentBytesPeak: Machine.residentByteCounts(of: process.id).peak, keptBytesMost: found.keptBytesMost,
            keptBytes: try process.keptByteCount(),
            writtenBytesPerItem: Double(process.writtenByteCount - before.written) / Double(itemCount),
            coordinatorSecondsPerItem: (process.processorSeconds - before.seconds) / Double(itemCount),
            messagesPerItem: Double(workers.messageCount) / Double(itemCount), runs: found.runs)
    }

    struct Progress: Sendable {
        var isEnded = false
        var firstAnswerAt = 0.0
        var residentBytes: [UInt64] = []
        var keptBytesMost: UInt64 = 0
        var runs = 0
    }

    /// As `quintet segment`, without files.
    private final class StreamingClient: @unchecked Sendable {
        // Unchecked: nobody changes the process while it is streamed to.
        let progress = Guarded(Progress())
        private let process: CoordinatorProcess
        private let itemCount: Int

        init(_ process: CoordinatorProcess, _ itemCount: Int) { (self.process, self.itemCount) = (process, itemCount) }

        private static let plan = Plan(name: "bench", steps: [
            Step(label: "predict", kind: .task, fan: .item, inputs: [StepInput(.item)], keep: .untilConsumed),
            Step(label: "finish", kind: .task, fan: .item, inputs: [StepInput(.item), StepInput(.step(0))],
                affinity: 0),
        ])

        func run() throws {
            let client = try process.client()
            var (answered, number) = (0, 0)
            while answered < itemCount {
                number += 1
                let count = min(ArchiveStream.runItemsMax, itemCount - answered)
                let run = try client.submit(Submission(
                    plan: Self.plan, recipe: "bench", parameters: "{}", seed: 1, replicaCount: 1,
                    checkpointSeconds: 60, inputs: [], itemManifest: nil, idempotencyKey: "bench \(number)",
                    isOpen: true))
                try flow(count, through: run, client, from: answered)
                answered += count
                try client.closeItems(of: run)
                while try client.status(of: run).runs[0].state == "running" {
                    try client.watch(run)
                    _ = try client.waitForChange(of: run, seconds: 0.05)
                }
                if answered < itemCount { try client.forget(run) }
                progress.withLock { $0.runs += 1 }
            }
            progress.withLock { $0.isEnded = true }
        }

        private func flow(_ count: Int, through run: RunID, _ client: CoordinatorClient, from first: Int) throws {
            var (sent, collected, sequence) = (0, 0, UInt64(0))
            while collected < count {
                try client.watch(run)
                while sent < count, sent - collected + StreamBench.appendItems <= StreamBench.windowItems {
                    let next = min(count, sent + StreamBench.appendItems)
                    try client.append((sent..<next).map { item(first + $0) }, to: run, first: sent)
                    sent = next
                }
                let outputs = try client.outputs(of: run, after: sequence)
                sequence = outputs.last?.sequence ?? sequence
                try client.collect(outputs.compactMap { $0.item.map { Int($0) } }, of: run)
                collected += outputs.count
                try look(first + collected)
                if outputs.isEmpty { _ = try client.waitForChange(of: run, seconds: 0.2) }
            }
        }

        private func item(_ number: Int) -> ItemSubmission {
            let name = "archive/patient-\(number)/series-1"
            let digest = ContentDigest(bytes: SHA256.digest(of: Array(name.utf8)))
            return ItemSubmission(
                name: name, inputs: [BlobReference(role: "ct", name: name, digest: digest, byteCount: 60_000_000)],
                paths: [name])
        }

        private func look(_ answered: Int) throws {
            let resident = Machine.residentByteCounts(of: process.id).now, kept = try process.keptByteCount()
            progress.withLock { progress in
                if answered > 0, progress.firstAnswerAt == 0 { progress.firstAnswerAt = BenchClock.now() }
                progress.keptBytesMost = max(progress.keptBytesMost, kept)
                if answered * 10 >= (progress.residentBytes.count + 1) * itemCount {
                    progress.residentBytes.append(resident)
                }
            }
        }
    }
}

extension StreamBench.Figures {
    var text: String {
        func milliseconds(_ value: Double) -> String { Text.fixed(value, 1) }
        func mebibytes(_ count: UInt64) -> String { "\(count >> 20)" }
        return """
            \(workers) workers, \(items) CTs in \(runs) runs: \(Text.fixed(itemsPerSecond, 0)) CTs a second, \
            \(Text.fixed(seconds, 0)) s; the first answer after \(Text.fixed(firstAnswerSeconds, 2)) s
            heartbeats answered after \(milliseconds(heartbeatMillisecondsMedian)) ms (median), \
            \(milliseconds(heartbeatMilliseconds99)) ms (99 of 100), \(milliseconds(heartbeatMillisecondsMax)) ms (all)
            memory at each tenth: \(residentBytes.map(mebibytes).joined(separator: " ")) MiB, at most \
            \(mebibytes(residentBytesPeak)) MiB; database at most \(mebibytes(keptBytesMost)) MiB
            a CT: \(Text.fixed(messagesPerItem, 1)) messages, \(Text.fixed(writtenBytesPerItem, 0)) bytes written, \
            \(Text.fixed(coordinatorSecondsPerItem * 1e6, 0)) microseconds of the coordinator's processors
            """
    }
}
