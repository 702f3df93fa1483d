import Glibc

/// A value that threads share, one at a time:
///
///     let count = Guarded(0)
///     count.withLock { $0 += 1 }
///
/// Like `Synchronization.Mutex`, but a pthread mutex: on Linux that one spins before it sleeps, which two cores full
/// of training cannot spare, and is handed over by the kernel where the thread sanitizer does not see it, so that
/// every contended lock is reported as a race.
public final class Guarded<Value: Sendable>: @unchecked Sendable {
    // Unchecked: `value` is touched by the holder of the mutex only, and the pointer never changes.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value

    public init(_ value: Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        precondition(pthread_mutex_init(mutex, nil) == 0, "the system gives no mutex")
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Not to be called again from inside.
    public func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}
