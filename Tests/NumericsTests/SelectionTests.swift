import Numerics
import Testing

@Suite struct SelectionTests {
    /// A partition that loses or doubles an element, or stops a place too early.
    @Test func everyPlaceIsWhatASortWouldPutThere() {
        var random = RandomKey(seed: 11, purpose: .phantomNoise).stream()
        for count in [1, 2, 3, 7, 64, 501] {
            for spread in [1, 3, 1000] {
                let values = (0..<count).map { _ in Float(random.index(below: spread)) - 100 }
                let sorted = values.sorted()
                for place in stride(from: 0, to: count, by: max(1, count / 9)) {
                    var mixed = values
                    #expect(mixed.selectSmallest(place) == sorted[place], "\(place) of \(count) below \(spread)")
                }
            }
        }
        var rising = (0..<1000).map { $0 }
        #expect(rising.selectSmallest(500) == 500)
    }
}
