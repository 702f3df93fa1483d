import Testing
import quintet

/// Axes that a person reads.
@Suite struct LineChartTests {
    /// Ticks at 0.137 and 0.274, one outside of the curve's range, or -0.
    @Test func ticksAreRoundNumbersWithinTheRange() {
        #expect(LineChart.ticks(0, 0.69) == [0, 0.2, 0.4, 0.6000000000000001])
        #expect(LineChart.ticks(0, 300) == [0, 100, 200, 300])
        #expect(LineChart.ticks(1, 40) == [10, 20, 30, 40])
        #expect(LineChart.ticks(-0.3, 1.2) == [0, 0.5, 1])
        #expect("\(LineChart.ticks(-0.3, 1.2)[0])" == "0.0")
        #expect(LineChart.ticks(5, 5) == [5] && LineChart.ticks(0, .infinity) == [0])
    }
}
