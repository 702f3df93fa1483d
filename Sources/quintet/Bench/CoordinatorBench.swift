import Coordinator
import Foundation
import Platform
import Protocol
import Recipes

/// `quintet bench coordinator`: what a coordinator alone does, in a process of its own, with workers that compute
/// nothing: each item of its run is one lease and one result that is kept.
enum CoordinatorBench {
    struct Figures: Encodable {
        var workers: Int
        var items: Int
        /// From the submission to its answer.
        var registrationSeconds: Double
        /// From the start of a process on the same folder, after a SIGKILL, to its first status, all items waiting.
        var restartSeconds: Double
        var leasesPerSecond: Double
        /// From a worker's heartbeat to its answer, while leases go at that pace; this process's own delays count.
        var heartbeatMillisecondsMedian: Double
        var heartbeatMilliseconds99: Double
        var heartbeatMillisecondsMax: Double
        var residentBytesRegistered: UInt64
        var residentBytesPeak: UInt64
        /// Some seconds after the run has ended.
        var residentBytesEnded: UInt64
        var restartSecondsEnded: Double
        var residentBytesEndedRestarted: UInt64
        /// What workers and coordinator have said, for each item.
        var messagesPerItem: Double
        /// Handed to the disk by the coordinator from the submission to the end, for each item.
        var writtenBytesPerItem: Double
        /// Of the state folder after the end, for each item.
        var keptBytesPerItem: Double
    }

    static let leaseSeconds = 5

    static func run(_ arguments: Arguments) throws {
        let workerCount = try arguments.integer("--workers", 1...20_000) ?? 1_000
        let itemCount = try arguments.integer("--items", 1...1_000_000) ?? 100_000
        let folder = NSTemporaryDirectory() + "quintet-bench-\(ProcessInfo.processInfo.processIdentifier)"
        defer { try? FileSystem.removeTree(folder) }
        try FileSystem.makeFolder(folder, isPrivate: true)
        let figures = try measure(workerCount, itemCount, folder)
        Console.out(arguments.has("--json") ? JSONText.encode(figures) : figures.text)
    }

    private static func measure(_ workerCount: Int, _ itemCount: Int, _ folder: String) throws -> Figures {
        var process = try CoordinatorProcess(folder: folder)
        defer { process.kill() }
        let (run, registrationSeconds) = try submit(itemCount, to: process)
        let registered = Machine.residentByteCounts(of: process.id).now
        let restartSeconds = try process.startAgain()
        let before = process.writtenByteCount
        let workers = try IdleWorkers(port: process.port, count: workerCount, isTakingWork: false)
        try workers.run { $0.areAllConnected }
        let start = BenchClock.now()
        try workers.takeWork()
        try workers.run { $0.acceptedCount == itemCount }
        let seconds = BenchClock.now() - start
        try expectEnd(of: run, itemCount, at: process)
        // A run leaves memory a lease's time after its end.
        MonotonicClock.sleep(milliseconds: UInt64(leaseSeconds + 2) * 1_000)
        let (ended, peak) = Machine.residentByteCounts(of: process.id)
        let written = process.writtenByteCount - before
        let restartSecondsEnded = try process.startAgain()
        let latencies = workers.heartbeatSeconds.sorted().map { $0 * 1_000 }
        return Figures(
            workers: workerCount, items: itemCount, registrationSeconds: registrationSeconds,
            restartSeconds: restartSeconds, leasesPerSecond: Double(itemCount) / seconds,
            heartbeatMillisecondsMedian: quantile(latencies, 0.5), heartbeatMilliseconds99: quantile(latencies, 0.99),
            heartbeatMillisecondsMax: latencies.last ?? .nan, residentBytesRegistered: registered,
            residentBytesPeak: peak, residentBytesEnded: ended, restartSecondsEnded: restartSecondsEnded,
            residentBytesEndedRestarted: Machine.residentByteCounts(of: process.id).now,
            messagesPerItem: Double(workers.messageCount) / Double(itemCount),
            writtenBytesPerItem: Double(written) / Double(itemCount),
            keptBytesPerItem: Double(try process.keptByteCount()) / Double(itemCount))
    }

    static func quantile(_ sorted: [Double], _ share: Double) -> Double {
        sorted.isEmpty ? .nan : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
    }

    /// Each item has two inputs, as a CT and its mask.
    private static func submit(_ itemCount: Int, to process: CoordinatorProcess) throws -> (RunID, Double) {
        let client = try process.client()
        let blob = try client.upload(bytes: Array("nothing".utf8), role: "volume", name: "nothing")
        var mask = blob
        mask.role = "mask"
        let manifest = try client.uploadManifest((0..<itemCount).map { item in
            let name = "archive/patient-\(item)/series-1"
            return ItemSubmission(name: name, inputs: [blob, mask].map { input in
                var input = input
                input.name = name
                return input
            })
        })
        let plan = Plan(
            name: "bench", steps: [Step(label: "nothing", kind: .task, fan: .item, inputs: [StepInput(.item)])])
        let start = BenchClock.now()
        let run = try client.submit(Submission(
            plan: plan, recipe: "bench", parameters: "{}", seed: 1, replicaCount: 1, checkpointSeconds: 60, inputs: [],
            itemManifest: manifest, idempotencyKey: "bench"))
        return (run, BenchClock.now() - start)
    }

    private static func expectEnd(of run: RunID, _ itemCount: Int, at process: CoordinatorProcess) throws {
        let report = try process.client().status(of: run).runs[0]
        guard report.state == "ended", report.works.done == itemCount else {
            throw CommandError("the run is \(report.state) with \(report.works.done) of \(itemCount) items done")
        }
    }
}

/// The coordinator that is measured.
struct CoordinatorProcess {
    private let folder: String
    private var child: ChildProcess
    private(set) var port: UInt16
    var id: Int32 { child.processID }

    private let live: String?

    /// - Parameter live: where it serves its live page; nil: nowhere.
    init(folder: String, live: String? = nil) throws {
        (self.folder, self.live) = (folder, live)
        (child, port) = try Self.start(folder, live)
    }

    private static func start(_ folder: String, _ live: String?) throws -> (ChildProcess, UInt16) {
        let file = folder + "/port"
        try? FileSystem.remove(file)
        let child = try ChildProcess(
            arguments: [
                "coordinator", "--state", folder + "/state", "--listen", "127.0.0.1:0", "--port-file", file, "--quiet",
                "--lease-seconds", "\(CoordinatorBench.leaseSeconds)",
            ] + (live.map { ["--http", $0] } ?? []), output: .file(folder + "/log"))
        let deadline = BenchClock.now() + 60
        while BenchClock.now() < deadline, child.poll() == nil {
            let text = try? FileSystem.readText(file, byteCountMax: 100)
            if let port = text.flatMap({ UInt16($0.filter(\.isNumber)) }) { return (child, port) }
            MonotonicClock.sleep(milliseconds: 2)
        }
        child.signal(SIGKILL)
        let log = (try? FileSystem.readText(folder + "/log", byteCountMax: 10_000)) ?? ""
        throw CommandError("the coordinator does not start: \(log)")
    }

    func client() throws -> CoordinatorClient {
        try CoordinatorClient(address: NetworkAddress(host: "127.0.0.1", port: port))
    }

    /// SIGKILL, and a new one on the same folder.
    /// - Returns: seconds to its first status.
    mutating func startAgain() throws -> Double {
        kill()
        let start = BenchClock.now()
        (child, port) = try Self.start(folder, live)
        _ = try client().status()
        return BenchClock.now() - start
    }

    func kill() {
        child.signal(SIGKILL)
        _ = child.wait()
    }

    /// Computed so far, by all of its threads.
    var processorSeconds: Double {
        let text = (try? FileSystem.readText("/proc/\(id)/stat", byteCountMax: 10_000)) ?? ""
        // The name before it may hold anything, a bracket ends it.
        let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    var writtenByteCount: UInt64 {
        let text = (try? FileSystem.readText("/proc/\(id)/io", byteCountMax: 10_000)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("write_bytes:") }
        return line.flatMap { UInt64($0.filter(\.isNumber)) } ?? 0
    }

    func keptByteCount() throws -> UInt64 {
        try FileSystem.list(folder + "/state").filter { $0.hasPrefix("state.sqlite") }
            .reduce(0) { $0 + (try FileSystem.byteCount(of: "\(folder)/state/\($1)")) }
    }
}

extension CoordinatorBench.Figures {
    var text: String {
        func milliseconds(_ value: Double) -> String { Text.fixed(value, 1) }
        func mebibytes(_ count: UInt64) -> String { "\(count >> 20) MiB" }
        return """
            \(workers) workers, \(items) items: \(Text.fixed(leasesPerSecond, 0)) leases a second
            heartbeats answered after \(milliseconds(heartbeatMillisecondsMedian)) ms (median), \
            \(milliseconds(heartbeatMilliseconds99)) ms (99 of 100), \(milliseconds(heartbeatMillisecondsMax)) ms (all)
            registered in \(Text.fixed(registrationSeconds, 2)) s; restarted in \(Text.fixed(restartSeconds, 2)) s, \
            after the end in \(Text.fixed(restartSecondsEnded, 2)) s
            memory: \(mebibytes(residentBytesRegistered)) registered, at most \(mebibytes(residentBytesPeak)), \
            \(mebibytes(residentBytesEnded)) after the end, \(mebibytes(residentBytesEndedRestarted)) started after it
            an item: \(Text.fixed(messagesPerItem, 1)) messages, \(Text.fixed(writtenBytesPerItem, 0)) bytes written, \
            \(Text.fixed(keptBytesPerItem, 0)) bytes kept
            """
    }
}
