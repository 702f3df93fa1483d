import Foundation
import Platform
import Worker

/// A worker that computes whenever its rules let it: each time as a daemon of its own, which hands its work back when
/// the time is over; between them nobody is connected to.
struct WorkerStints {
    let rules: WorkerRules
    let log: Log
    var notice: ServiceNotice

    /// How often the rules are looked at. People who log in get their machine back in this time and ten seconds.
    private static let lookMilliseconds = 5_000

    /// Until a stop is asked for, by a signal or by the coordinator.
    mutating func run(makeDaemon: () -> WorkerDaemon) throws {
        let current = Guarded<WorkerDaemon?>(nil)
        StopWatch.whenRequested { current.withLock { $0 }?.requestDrain() }
        while waitUntilAllowed() {
            let daemon = makeDaemon(), stint = Guarded(Stint())
            current.withLock { $0 = daemon }
            // A stop that came a moment before.
            if StopSignal.isRequested { return }
            watch(daemon, stint)
            defer { stint.withLock { $0.hasEnded = true } }
            try daemon.run()
            // By its coordinator or by a signal: for good.
            guard stint.withLock({ $0.isOver }) else { return }
        }
    }

    private struct Stint {
        /// The rules have ended it.
        var isOver = false
        var hasEnded = false
    }

    private var obstacle: String? {
        rules.obstacle(minute: WallClock.minuteOfDay(), users: rules.isIdleOnly ? LoginSessions.users() : [])
    }

    /// - Returns: false where a stop is asked for meanwhile.
    private mutating func waitUntilAllowed() -> Bool {
        guard let first = obstacle else { return !StopSignal.isRequested }
        log("waits: \(first)")
        notice.begun("waits: \(first)")
        var lookAt = MonotonicClock.nowMilliseconds() + UInt64(Self.lookMilliseconds)
        while !StopSignal.isRequested {
            let now = MonotonicClock.nowMilliseconds()
            notice.isAlive(at: now)
            if now >= lookAt {
                lookAt = now + UInt64(Self.lookMilliseconds)
                if obstacle == nil { return true }
            }
            StopWatch.sleep(milliseconds: 500)
        }
        return false
    }

    private func watch(_ daemon: WorkerDaemon, _ stint: Guarded<Stint>) {
        guard !rules.areNone else { return }
        Thread {
            while !stint.withLock({ $0.hasEnded }) {
                if let obstacle {
                    log("hands its work back: \(obstacle)")
                    stint.withLock { $0.isOver = true }
                    return daemon.requestDrain()
                }
                StopWatch.sleep(milliseconds: Self.lookMilliseconds)
                if StopSignal.isRequested { return }
            }
        }.start()
    }
}
