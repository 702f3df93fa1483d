import Foundation
import Platform
import Recipes

/// Waiting that Ctrl-C ends.
enum StopWatch {
    /// Sleeps, but no longer than until a stop is asked for.
    static func sleep(milliseconds: Int) {
        let end = MonotonicClock.nowMilliseconds() + UInt64(milliseconds)
        while !StopSignal.isRequested {
            let now = MonotonicClock.nowMilliseconds()
            guard now < end else { return }
            MonotonicClock.sleep(milliseconds: min(50, end - now))
        }
    }

    /// - Throws: `RecipeError.interrupted` once a stop is asked for.
    static func check() throws {
        if StopSignal.isRequested { throw RecipeError.interrupted }
    }

    /// Does something once, from another thread, when a stop is asked for.
    static func whenRequested(_ action: @escaping @Sendable () -> Void) {
        Thread {
            while !StopSignal.isRequested { MonotonicClock.sleep(milliseconds: 50) }
            action()
        }.start()
    }
}
