import Platform
import Testing

@Suite struct ClockTests {
    @Test func datesAreWrittenAsISO8601() {
        #expect(WallClock.text(ofSeconds: 0) == "1970-01-01T00:00:00Z")
        #expect(WallClock.text(ofSeconds: 951_782_399.9) == "2000-02-28T23:59:59Z")
        #expect(WallClock.text(ofSeconds: 951_782_400) == "2000-02-29T00:00:00Z")
        #expect(WallClock.nowText() > "2024-01-01T00:00:00Z")
    }

    /// Leases and deadlines go by it: whoever sets the date must not end them. It counts from the machine's start.
    @Test func theMonotonicClockIsNotTheDate() {
        let year: UInt64 = 365 * 86_400_000
        #expect(MonotonicClock.nowMilliseconds() < 20 * year && UInt64(WallClock.nowSeconds()) * 1_000 > 50 * year)
    }

    @Test func theMonotonicClockGoesForward() {
        let before = MonotonicClock.nowMilliseconds()
        MonotonicClock.sleep(milliseconds: 20)
        #expect(MonotonicClock.nowMilliseconds() >= before + 20)
    }
}
