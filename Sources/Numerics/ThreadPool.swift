import CKernels

/// A persistent pool of threads for data-parallel loops.
///
/// The body may depend on its index only. Split work into tasks whose number depends on the shapes and never on
/// `threadCount`; then the result has the same bytes for any number of threads.
///
///     pool.run(taskCount: depth) { z in filterSlice(z) }
public final class ThreadPool: @unchecked Sendable {
    // Unchecked: the pointer never changes, and `quintet_pool_run` is called by one thread at a time (see `run`).
    /// For kernels in C that run their own tasks.
    public let handle: OpaquePointer

    /// - Parameter threadCount: the caller counts as one; at least 1.
    public init(threadCount: Int) {
        precondition(threadCount >= 1 && threadCount <= 1024, "a pool has 1 to 1024 threads")
        // What has a pool computes, and what it computes next is as large as what it computed last.
        quintet_pages_keep()
        guard let handle = quintet_pool_create(Int32(threadCount)) else {
            preconditionFailure("the system gave no threads for a pool of \(threadCount)")
        }
        self.handle = handle
    }

    deinit { quintet_pool_destroy(handle) }

    public var threadCount: Int { Int(quintet_pool_threads(handle)) }

    /// Runs `body(0 ..< taskCount)` on all threads and returns when every call has returned. One caller at a time;
    /// the body must not use the same pool.
    public func run(taskCount: Int, _ body: (Int) -> Void) {
        precondition(taskCount >= 0 && taskCount <= Int(Int32.max))
        withoutActuallyEscaping(body) { escaping in
            withUnsafePointer(to: escaping) { pointer in
                quintet_pool_run(handle, Int32(taskCount), { context, index in
                    context!.assumingMemoryBound(to: ((Int) -> Void).self).pointee(Int(index))
                }, UnsafeMutableRawPointer(mutating: pointer))
            }
        }
    }
}
