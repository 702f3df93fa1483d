import Coordinator
import Testing

@Suite struct SortedListTests {
    /// Beside a set that is sorted anew each time: what comes and goes anywhere, mostly at the front.
    @Test func theyAreAlwaysInOrderAndEachThereOnce() {
        var (sorted, reference): (SortedList<UInt64>, Set<UInt64>) = (SortedList(), Set(0..<300))
        for number in reference { sorted.insert(number) }
        var state: UInt64 = 7
        func random(_ bound: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % bound
        }
        for round in 0..<4_000 {
            let number = random(3) == 0 ? random(400) : reference.min() ?? random(400)
            if random(2) == 0 {
                sorted.insert(number)
                reference.insert(number)
            } else {
                sorted.remove(number)
                reference.remove(number)
            }
            #expect(Array(sorted) == reference.sorted(), "round \(round)")
            #expect(sorted.contains(number) == reference.contains(number) && sorted.count == reference.count)
            #expect(sorted.first == reference.min())
        }
    }
}
