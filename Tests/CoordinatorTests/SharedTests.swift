import Coordinator
import Testing

@Suite struct SharedTests {
    /// Notices a box that is written to while two have it: what one scheduler decides would happen in the other's copy.
    @Test func aCopyKeepsItsValueWhenTheOtherIsChanged() {
        var first = Shared([1, 2])
        let second = first
        first.value.append(3)
        #expect(first.value == [1, 2, 3])
        #expect(second.value == [1, 2])
        first.value[0] = 7
        #expect(first.value == [7, 2, 3])
    }
}
