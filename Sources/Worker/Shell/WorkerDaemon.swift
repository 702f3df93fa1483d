import Numerics
import Platform
import Protocol
import Recipes

/// A worker: dials the coordinator, computes what it is given, comes back after every fault.
///
///     StopSignal.install()  // and drainsOnStopSignal: true in the configuration
///     let daemon = WorkerDaemon(configuration: configuration, recipes: [name: recipe])
///     try daemon.run()
public final class WorkerDaemon: Sendable {
    private let configuration: WorkerConfiguration
    private let recipes: [String: any Recipe]
    private let drain = Guarded(Drain())

    private struct Drain {
        var isRequested = false
        var waker: NetworkWaker?
    }

    /// - Parameter recipes: what this worker can compute, by name.
    public init(configuration: WorkerConfiguration, recipes: [String: any Recipe]) {
        self.configuration = configuration
        self.recipes = recipes
    }

    /// Serves until drained; blocks. Once per daemon.
    /// - Throws: what a recipe throws that cannot prove its arithmetic; `PlaintextError` for another machine without a
    ///   token; `WorkerError.refused` when the coordinator will never take this worker; `FileError` when the cache's
    ///   folder cannot be made; `NetworkError` when the system has no sockets or memory left.
    public func run() throws {
        let arithmetic = try provedArithmetic()
        let loop = try NetworkLoop()
        let shell = try WorkerShell(configuration, recipes: recipes, arithmetic: arithmetic, loop: loop)
        drain.withLock { $0.waker = loop.waker }
        defer { drain.withLock { $0.waker = nil } }
        if configuration.drainsOnStopSignal { StopSignal.wake(loop.waker) }
        var notice = configuration.serviceNotice
        notice.begun("works for \(configuration.addresses[0])")
        while shell.exit == nil {
            notice.isAlive(at: MonotonicClock.nowMilliseconds())
            let isSignalled = configuration.drainsOnStopSignal && StopSignal.isRequested
            try shell.turn(isDrainRequested: isSignalled || drain.withLock { $0.isRequested })
        }
        try shell.end()
        if case .refused(let message)? = shell.exit {
            if let plaintext = shell.plaintext { throw plaintext }
            throw WorkerError.refused(coordinator: shell.address.description, message)
        }
    }

    /// With as many threads as all work will have, before anybody is dialled.
    private func provedArithmetic() throws -> ContentDigest {
        let start = MonotonicClock.nowMilliseconds()
        let digest = try ArithmeticDigest.digest(of: recipes, pool: ThreadPool(threadCount: configuration.threadCount))
        configuration.log("arithmetic \(ArithmeticVersion.text), digest \("\(digest)".prefix(12)), proved in "
            + "\(MonotonicClock.nowMilliseconds() - start) ms")
        return digest
    }

    /// Hand the work back and leave, within 10 s; `run` then returns. From any thread, as often as one likes; not
    /// from a signal handler (that is what `drainsOnStopSignal` is for).
    public func requestDrain() {
        let waker = drain.withLock { drain in
            drain.isRequested = true
            return drain.waker
        }
        waker?.wake()
    }
}
