/// One bit for each of many things, none of them set at first.
struct BitRow: Hashable, Sendable {
    private var words: [UInt64] = []

    subscript(index: Int) -> Bool {
        get {
            let (word, bit) = index.quotientAndRemainder(dividingBy: 64)
            return word < words.count && words[word] >> bit & 1 != 0
        }
        set {
            let (word, bit) = index.quotientAndRemainder(dividingBy: 64)
            if word >= words.count {
                guard newValue else { return }
                words += Array(repeating: 0, count: word + 1 - words.count)
            }
            if newValue { words[word] |= 1 << bit } else { words[word] &= ~(1 << bit) }
        }
    }
}
