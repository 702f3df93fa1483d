import Foundation
import Platform

/// Ends a command soon after a stop was asked for, wherever it is: commands that compute here look for the wish between
/// two steps, and a step may take longer than a person at the keyboard waits.
enum PromptEnd {
    /// How long a command has to end by itself.
    private static let graceMilliseconds = 600

    private static let cleanups = Guarded<[@Sendable () -> Void]>([])

    /// Something to do first, from another thread; at most once.
    static func beforehand(_ action: @escaping @Sendable () -> Void) { cleanups.withLock { $0.append(action) } }

    private static let hold = NSLock()

    /// Something short that must not be cut in two.
    static func holdingOff<Result>(_ body: () throws -> Result) rethrows -> Result {
        hold.lock()
        defer { hold.unlock() }
        return try body()
    }

    /// From now on the process ends with 130 within a second of the wish. Files are whole or not there.
    /// - Parameter message: what is true then.
    static func arm(_ message: String) {
        StopWatch.whenRequested {
            MonotonicClock.sleep(milliseconds: UInt64(graceMilliseconds))
            hold.lock()
            for action in cleanups.withLock({ $0 }) { action() }
            AtomicFile.removeUnfinished()
            FolderClaim.removeFiles()
            Console.error(message)
            exitNow(ExitCode.interrupted.rawValue)
        }
    }

    private static func exitNow(_ code: Int32) -> Never { _exit(code) }
}
