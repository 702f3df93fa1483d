import Platform

/// Numbers that a seed gives again (SplitMix64): for tests that strike at any moment.
package struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    /// QUINTET_SEED, or a seed that nobody has chosen. It is printed, so that a failure's moments can be had again.
    package init(printedFor test: String) {
        var others = SystemRandomNumberGenerator()
        let seed = Machine.environment("QUINTET_SEED").flatMap { UInt64($0) } ?? others.next() >> 32
        print("\(test): QUINTET_SEED=\(seed)")
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
