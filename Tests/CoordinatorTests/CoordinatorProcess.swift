import Coordinator
import Foundation
import Platform
import Protocol
import Recipes
import TestSupport
import Worker

/// `quintet coordinator` as a process of its own, started again whenever it dies.
final class CoordinatorProcess {
    private let testFolder: TestFolder
    private var folder: String { testFolder.path }
    private let state = Guarded(State())
    private let hasEnded = DispatchSemaphore(value: 0)
    private var hasStopped = false
    let port: UInt16

    private struct State: Sendable {
        var crashCount = 0
        var leaveCount = 0
        var isStopping = false
        var isKilledFor = false
        var isAbandoned = false
        /// Of the one that runs, or ran last.
        var processID: Int32 = 0
        var problem: String?
    }

    /// The program that was built with the tests, beside them.
    private static let program = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        .appendingPathComponent("quintet").path

    var crashCount: Int { state.withLock { $0.crashCount } }
    /// How often a failpoint made it leave.
    var leaveCount: Int { state.withLock { $0.leaveCount } }
    /// What its workers said.
    let workerLog = Guarded<[String]>([])
    var stateFolder: String { folder + "/state" }
    var log: String { (try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? "" }

    /// - Parameter failpoints: for the first process; those after it have none.
    init(folder testFolder: TestFolder, failpoints: String = "", leaseSeconds: Int = 1) throws {
        self.testFolder = testFolder
        port = try lastingPort()
        nonisolated(unsafe) let first = try Self.start(testFolder.path, port: port, failpoints, leaseSeconds)
        let (state, hasEnded, port, folder) = (state, hasEnded, port, testFolder.path)
        Thread.detachNewThread {
            Self.watch(first, state, mayLeave: failpoints.contains("=leave")) {
                try Self.start(folder, port: port, "", leaseSeconds)
            }
            hasEnded.signal()
        }
    }

    /// A test that throws leaves none behind: this returns when the process is gone, for the test's own may end next.
    deinit {
        state.withLock { $0.isAbandoned = true }
        if !hasStopped { hasEnded.wait() }
    }

    var processID: Int32 { state.withLock { $0.processID } }

    private static func start(
        _ folder: String, port: UInt16, _ failpoints: String, _ leaseSeconds: Int
    ) throws -> ChildProcess {
        try ChildProcess(
            executable: program,
            arguments: [
                "coordinator", "--state", folder + "/state", "--listen", "127.0.0.1:\(port)", "--lease-seconds",
                "\(leaseSeconds)",
            ],
            environment: failpoints.isEmpty ? [:] : ["QUINTET_FAILPOINTS": failpoints],
            output: .file(folder + "/log"))
    }

    private static func watch(
        _ first: ChildProcess, _ state: Guarded<State>, mayLeave: Bool, again: () throws -> ChildProcess
    ) {
        var process = first
        var hasBeenAsked = false
        while true {
            state.withLock { $0.processID = process.processID }
            MonotonicClock.sleep(milliseconds: 5)
            let (isStopping, isKilledFor, isAbandoned) = state.withLock { state in
                defer { state.isKilledFor = false }
                return (state.isStopping, state.isKilledFor, state.isAbandoned)
            }
            if isAbandoned {
                process.signal(SIGKILL)
                _ = process.wait()
                return
            }
            if isKilledFor { process.signal(SIGKILL) }
            if isStopping, !hasBeenAsked {
                hasBeenAsked = true
                process.signal(SIGTERM)
            }
            guard let exit = process.poll() else { continue }
            if exit == .code(0), isStopping { return }
            let hasLeft = mayLeave && exit == .code(0)
            guard hasLeft || exit == .signal(SIGKILL), !isStopping else {
                return state.withLock { $0.problem = "the coordinator ended with \(exit)" }
            }
            do {
                process = try again()
                state.withLock { if hasLeft { $0.leaveCount += 1 } else { $0.crashCount += 1 } }
            } catch {
                return state.withLock { $0.problem = "\(error)" }
            }
        }
    }

    /// SIGKILL; returns when the next process runs (it may not listen yet).
    func kill() {
        let before = crashCount
        state.withLock { $0.isKilledFor = true }
        while crashCount == before, state.withLock({ $0.problem }) == nil { MonotonicClock.sleep(milliseconds: 1) }
    }

    /// SIGTERM.
    /// - Returns: what went wrong with it, in all its lives.
    func stop() -> String? {
        state.withLock { $0.isStopping = true }
        hasEnded.wait()
        hasStopped = true
        return state.withLock { $0.problem }
    }

    /// Waits for one that is just starting.
    func client() throws -> CoordinatorClient {
        let deadline = MonotonicClock.nowMilliseconds() + 120_000
        while MonotonicClock.nowMilliseconds() < deadline {
            do {
                return try CoordinatorClient(address: NetworkAddress(host: "127.0.0.1", port: port))
            } catch ClientError.unreachable {
                MonotonicClock.sleep(milliseconds: 2)
            }
        }
        throw ClientError.unreachable(address: "127.0.0.1:\(port)", reason: "nothing for a long time")
    }

    /// A real worker on a thread of its own, with the chain recipe.
    func startWorker(_ name: String) -> WorkerDaemon {
        let workerLog = workerLog
        let daemon = WorkerDaemon(
            configuration: WorkerConfiguration(
                host: "127.0.0.1", port: port, security: .plaintext, threadCount: 1,
                cacheDirectory: "\(folder)/cache-\(name)", name: name, build: "test",
                log: Log { _, line in workerLog.withLock { $0.append(line) } }),
            recipes: [ChainRecipe.name: ChainRecipe()])
        Thread.detachNewThread { try? daemon.run() }
        return daemon
    }
}
