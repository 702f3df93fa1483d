import Foundation
import Numerics
import Protocol
import Recipes

/// The thread that prepares a piece of work while the compute thread does another one. What it makes lies in the
/// recipe's memory; what it cannot make, the compute thread will make or refuse in its turn.
package final class AheadThread: @unchecked Sendable {
    // Unchecked: everything that changes is guarded by `condition`.
    private let recipes: [String: any Recipe]
    private let environment: ComputeEnvironment
    private let condition = NSCondition()
    /// The one that was said last: another one that has not begun yet has been overtaken.
    private var next: ComputeOrder?
    private let control = ComputeControl()

    package init(recipes: [String: any Recipe], environment: ComputeEnvironment) {
        self.recipes = recipes
        self.environment = environment
        let thread = Thread { self.loop() }
        thread.name = "ahead"
        // As the compute thread's.
        thread.stackSize = 8 << 20
        thread.start()
    }

    package func start(_ order: ComputeOrder) {
        condition.lock()
        next = order
        condition.signal()
        condition.unlock()
    }

    /// Does not wait for what it is at: that ends soon, or with the process.
    package func end() {
        control.cancel()
        condition.lock()
        condition.signal()
        condition.unlock()
    }

    // MARK: On the thread

    private func loop() {
        let pool = ThreadPool(threadCount: 1)
        while let order = waitForOrder() { prepare(order, pool) }
    }

    private func waitForOrder() -> ComputeOrder? {
        condition.lock()
        defer { condition.unlock() }
        while next == nil, !control.isCancelled { condition.wait() }
        defer { next = nil }
        return control.isCancelled ? nil : next
    }

    private func prepare(_ order: ComputeOrder, _ pool: ThreadPool) {
        let description = order.assignment.description, control = control
        // Damaged ones are found again by the compute thread, and fetched again.
        guard let recipe = recipes[description.recipe],
            Set(description.inputs.map(\.digest)).allSatisfy({ environment.isIntact($0, false) })
        else { return }
        let resources = RecipeResources(
            pool: pool, cacheDirectory: environment.cacheDirectory, isCancelled: { control.isCancelled },
            nowNanoseconds: environment.nowNanoseconds, log: environment.log)
        // Whatever is wrong, `perform` meets it as well, and says so.
        try? recipe.prepareAhead(
            RecipeStep(description), inputs: order.inputs, memoryByteCount: environment.memoryByteCount,
            resources: resources)
    }
}
