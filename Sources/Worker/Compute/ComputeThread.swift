import Dispatch
import Foundation
import Numerics
import Protocol
import Recipes

/// The thread that computes, with its own pool; one piece of work at a time. It never waits for network or disk
/// beyond its inputs: what it makes is handed to `report` as bytes.
package final class ComputeThread: @unchecked Sendable {
    // Unchecked: everything that changes is guarded by `condition`.
    private let recipes: [String: any Recipe]
    private let threadCount: Int
    private let environment: ComputeEnvironment
    private let report: @Sendable (ComputeReport) -> Void

    private let condition = NSCondition()
    private var next: (order: ComputeOrder, control: ComputeControl)?
    private var current: (lease: Lease, control: ComputeControl)?
    private var isEnding = false
    private let hasEnded = DispatchSemaphore(value: 0)

    /// - Parameter report: called on the compute thread, and by recipes from any thread; must return at once.
    package init(
        recipes: [String: any Recipe], threadCount: Int, environment: ComputeEnvironment,
        report: @escaping @Sendable (ComputeReport) -> Void
    ) {
        self.recipes = recipes
        self.threadCount = threadCount
        self.environment = environment
        self.report = report
        let thread = Thread { self.loop() }
        thread.name = "compute"
        // The default of 8 MB on Linux, whatever the shell's limit says.
        thread.stackSize = 8 << 20
        thread.start()
    }

    /// Followed by exactly one `ended`. The thread must be free.
    package func start(_ order: ComputeOrder) {
        condition.lock()
        defer { condition.unlock() }
        precondition(next == nil && current == nil, "one piece of work at a time")
        let control = ComputeControl()
        next = (order, control)
        current = (order.assignment.lease, control)
        condition.signal()
    }

    package func takeCheckpoint(of lease: Lease) { control(of: lease)?.askForCheckpoint() }
    package func stop(_ lease: Lease) { control(of: lease)?.stop() }
    package func interruptStep(of lease: Lease) { control(of: lease)?.interruptStep() }
    package func cancel(_ lease: Lease) { control(of: lease)?.cancel() }

    /// Cancels what runs and ends the thread; once.
    /// - Parameter seconds: how long to wait for its end.
    /// - Returns: whether it has ended; a recipe that does not look at `isCancelled` may hold it.
    @discardableResult package func end(withinSeconds seconds: Double) -> Bool {
        condition.lock()
        isEnding = true
        current?.control.cancel()
        condition.signal()
        condition.unlock()
        return hasEnded.wait(timeout: .now() + seconds) == .success
    }

    /// nil when that lease has ended on its own meanwhile.
    private func control(of lease: Lease) -> ComputeControl? {
        condition.lock()
        defer { condition.unlock() }
        return current.flatMap { $0.lease == lease ? $0.control : nil }
    }

    // MARK: On the thread

    private func loop() {
        let pool = ThreadPool(threadCount: threadCount)
        while let (order, control) = waitForOrder() {
            let end = execute(order, control, pool)
            condition.lock()
            current = nil
            condition.unlock()
            report(.ended(order.assignment.lease, end))
        }
        hasEnded.signal()
    }

    private func waitForOrder() -> (ComputeOrder, ComputeControl)? {
        condition.lock()
        defer { condition.unlock() }
        while next == nil, !isEnding { condition.wait() }
        defer { next = nil }
        return isEnding ? nil : next.map { ($0.order, $0.control) }
    }

    private func execute(_ order: ComputeOrder, _ control: ComputeControl, _ pool: ThreadPool) -> ComputeEnd {
        let name = order.assignment.description.recipe
        guard let recipe = recipes[name] else { return .failed("this worker does not know the recipe \(name)") }
        return WorkExecution(
            order: order, recipe: recipe, pool: pool, environment: environment, control: control, report: report
        ).run()
    }
}
