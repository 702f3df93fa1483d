import Glibc

/// Time that only goes forward, for deadlines and durations. Decisions take it as a parameter (see the pure
/// `Scheduler` and `WorkerState`); only shells ask for it.
public enum MonotonicClock {
    /// Milliseconds since an arbitrary moment; the same for all processes of one machine until it restarts.
    public static func nowMilliseconds() -> UInt64 { nowNanoseconds() / 1_000_000 }

    public static func nowNanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    public static func sleep(milliseconds: UInt64) {
        var wanted = timespec(tv_sec: Int(milliseconds / 1000), tv_nsec: Int(milliseconds % 1000) * 1_000_000)
        var rest = timespec()
        while nanosleep(&wanted, &rest) == -1 && errno == EINTR { wanted = rest }
    }
}

/// The date, for people: in logs and reports, never in a decision.
public enum WallClock {
    /// Seconds since 1970-01-01 00:00 UTC.
    public static func nowSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Since midnight, by this machine's time zone; for rules that people make about hours of the day.
    public static func minuteOfDay() -> Int {
        var now = time(nil), parts = tm()
        localtime_r(&now, &parts)
        return Int(parts.tm_hour) * 60 + Int(parts.tm_min)
    }

    /// "2026-03-01T08:30:00Z".
    public static func nowText() -> String { text(ofSeconds: nowSeconds()) }

    /// "20260301" and "083000", by this machine's time zone, as DICOM writes them.
    public static func localDateAndTime() -> (date: String, time: String) {
        var now = time(nil), parts = tm()
        localtime_r(&now, &parts)
        return (
            digits(parts.tm_year + 1900, 4) + digits(parts.tm_mon + 1, 2) + digits(parts.tm_mday, 2),
            digits(parts.tm_hour, 2) + digits(parts.tm_min, 2) + digits(parts.tm_sec, 2))
    }

    private static func digits(_ value: Int32, _ count: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }

    /// - Parameter ofSeconds: since 1970-01-01 00:00 UTC, years 0 to 9999.
    public static func text(ofSeconds seconds: Double) -> String {
        var time = time_t(seconds.rounded(.down)), parts = tm()
        gmtime_r(&time, &parts)
        return "\(digits(parts.tm_year + 1900, 4))-\(digits(parts.tm_mon + 1, 2))-\(digits(parts.tm_mday, 2))T"
            + "\(digits(parts.tm_hour, 2)):\(digits(parts.tm_min, 2)):\(digits(parts.tm_sec, 2))Z"
    }
}
