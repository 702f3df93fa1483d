import Numerics

/// Runs `body(0 ..< taskCount)` on the pool, or one after another without one.
package func runTasks(_ taskCount: Int, on pool: ThreadPool?, _ body: (Int) -> Void) {
    if let pool {
        pool.run(taskCount: taskCount, body)
    } else {
        for index in 0..<taskCount { body(index) }
    }
}

/// Cuts `0 ..< count` into stretches of `stride` and runs `body` on each: the cut depends on the sizes only, so
/// results have the same bytes for any number of threads.
package func runRanges(_ count: Int, stride: Int, on pool: ThreadPool?, _ body: (Range<Int>) -> Void) {
    runTasks((count + stride - 1) / stride, on: pool) { task in
        body(task * stride..<min(count, (task + 1) * stride))
    }
}
