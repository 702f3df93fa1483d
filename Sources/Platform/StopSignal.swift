import Glibc
import Synchronization

/// The wish to stop: SIGINT (Ctrl-C), SIGTERM, SIGHUP. The first is a flag that loops ask for, and wakes them; work
/// then ends cleanly. One that comes a second later or more ends the process at once; those before that are the same
/// wish once more, sent to the process and to its group, or by a terminal and by what watches over the process.
public enum StopSignal {
    /// Signals that come so soon after the first count as one with it.
    public static let togetherMilliseconds: UInt64 = 1000

    /// When the first came, by the monotonic clock; 0 as long as none has.
    private static let firstMilliseconds = Atomic<UInt64>(0)
    /// Descriptors to wake; a signal handler may not touch anything but such plain numbers. -1 is none.
    private static let first = Atomic<Int32>(-1)
    private static let second = Atomic<Int32>(-1)
    private static let third = Atomic<Int32>(-1)
    private static let fourth = Atomic<Int32>(-1)
    /// Keeps their descriptors open for ever.
    private static let wakers = Guarded<[NetworkWaker]>([])

    public static var isRequested: Bool { firstMilliseconds.load(ordering: .relaxed) > 0 }

    /// Once, at the beginning of a program. A SIGHUP that is ignored (nohup) stays so. SIGPIPE is ignored from here on:
    /// a log that nobody reads any more must not end what is logged; see `endByBrokenPipe`.
    public static func install() {
        // Made here, not in the handler.
        _ = isRequested
        for slot in 0..<4 { withSlot(slot) { _ = $0.load(ordering: .relaxed) } }
        // A parent may have started this program from a thread that blocks all signals (Dispatch's do).
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGPIPE] { sigaddset(&signals, number) }
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        for number in [SIGINT, SIGTERM] { signal(number, handle) }
        let before = signal(SIGHUP, handle), ignored = SIG_IGN
        if unsafeBitCast(before, to: Int.self) == unsafeBitCast(ignored, to: Int.self) { signal(SIGHUP, ignored) }
        signal(SIGPIPE, SIG_IGN)
    }

    /// Nobody reads the results any more, as with `| head -1`: the process ends as SIGPIPE ends any other, without a
    /// word.
    public static func endByBrokenPipe() -> Never {
        signal(SIGPIPE, SIG_DFL)
        raise(SIGPIPE)
        _exit(128 + SIGPIPE)
    }

    /// From now on a signal ends the waiting of this loop. At most four loops.
    public static func wake(_ waker: NetworkWaker) {
        wakers.withLock { wakers in
            precondition(wakers.count < 4, "a signal wakes at most four loops")
            withSlot(wakers.count) { $0.store(waker.writeDescriptor, ordering: .releasing) }
            wakers.append(waker)
        }
        if isRequested { waker.wake() }
    }

    /// The same as a first signal, from inside.
    public static func request() { _ = request(atMilliseconds: MonotonicClock.nowMilliseconds()) }

    /// - Returns: when the first request was, this one or one before.
    private static func request(atMilliseconds now: UInt64) -> UInt64 {
        let (isFirst, before) = firstMilliseconds.compareExchange(expected: 0, desired: now, ordering: .relaxed)
        for slot in 0..<4 {
            withSlot(slot) {
                let descriptor = $0.load(ordering: .acquiring)
                var byte: UInt8 = 1
                if descriptor >= 0 { _ = write(descriptor, &byte, 1) }
            }
        }
        return isFirst ? now : before
    }

    private static let handle: @convention(c) (Int32) -> Void = { number in
        let code = errno
        let now = MonotonicClock.nowMilliseconds(), first = StopSignal.request(atMilliseconds: now)
        // Another thread may be the first, and a moment later.
        if now >= first + togetherMilliseconds { _exit(128 + number) }
        errno = code
    }

    private static func withSlot(_ index: Int, _ body: (borrowing Atomic<Int32>) -> Void) {
        switch index {
        case 0: body(first)
        case 1: body(second)
        case 2: body(third)
        default: body(fourth)
        }
    }
}
