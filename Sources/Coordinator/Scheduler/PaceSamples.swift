/// How long the latest works of a kind took, in milliseconds.
struct PaceSamples: Sendable {
    private static let countMax = 31
    private(set) var values: [Double] = []
    /// The lower one of the two in the middle; nil without samples.
    private(set) var median: Double?

    mutating func note(_ milliseconds: Double) {
        values = Array((values + [milliseconds]).suffix(Self.countMax))
        median = Self.median(values)
    }

    static func median(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.sorted()[(values.count - 1) / 2]
    }
}
