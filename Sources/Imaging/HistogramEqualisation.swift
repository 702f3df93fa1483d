/// Histogram equalisation of grey values 0 ... 255 in which 0 is no value but "outside" (liver paper, section 4.1;
/// method.md B). To the byte what the authors' program makes of the same values with numpy.
///
/// A value v becomes floor(255 * c(v)), c(v) the share of pixels that are at most v among those above 0. Values that
/// less than 1 / 255 of the pixels reach become 0 with that.
public enum HistogramEqualisation {
    /// Values below this are lifted, where that is asked for.
    static let liftedBelow = 150
    /// 1 becomes this (30.8, rounded down), `liftedBelow` stays.
    static let liftedFloor = 30

    /// What each value becomes.
    /// - Parameters:
    ///   - counts: how many pixels have the values 0 ... 255; those of 0 do not count.
    ///   - liftsDarkValues: results 1 ... 149 become floor(v / 150 * 120 + 30), 30 to 149, so that what is inside stays
    ///     apart from the 0 outside of it.
    /// - Returns: 256 values, all 0 where no pixel is above 0.
    public static func table(counts: [Int], liftsDarkValues: Bool) -> [UInt8] {
        precondition(counts.count == 256 && counts.allSatisfy { $0 >= 0 }, "a histogram of bytes has 256 counts")
        var shares = counts.map { Double($0) }
        shares[0] = 0
        // numpy's steps with their roundings: the last value's sum is 1 or just below, and is rounded down to 255 or
        // 254.
        let norm = shares.reduce(0) { $0 + $1 * $1 }.squareRoot()
        guard norm > 0 else { return [UInt8](repeating: 0, count: 256) }
        for value in shares.indices { shares[value] /= norm }
        let total = pairwiseSum(shares[0..<128]) + pairwiseSum(shares[128..<256])
        var cumulative = 0.0
        return shares.map { share in
            cumulative += share / total
            let value = (255 * cumulative).rounded(.down)
            guard liftsDarkValues, value > 0, value < Double(liftedBelow) else { return UInt8(value) }
            let span = Double(liftedBelow - liftedFloor)
            return UInt8((value / Double(liftedBelow) * span + Double(liftedFloor)).rounded(.down))
        }
    }

    /// Equalises one picture in place; returns without a change where it has no pixel above 0.
    public static func apply(to pixels: UnsafeMutableBufferPointer<UInt8>, liftsDarkValues: Bool) {
        var counts = [Int](repeating: 0, count: 256)
        for pixel in pixels { counts[Int(pixel)] += 1 }
        let table = table(counts: counts, liftsDarkValues: liftsDarkValues)
        for index in pixels.indices { pixels[index] = table[Int(pixels[index])] }
    }

    /// The order in which numpy adds 128 values: eight sums side by side, then these in pairs.
    private static func pairwiseSum(_ values: ArraySlice<Double>) -> Double {
        var sums = Array(values.prefix(8))
        for (index, value) in values.dropFirst(8).enumerated() { sums[index % 8] += value }
        return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]))
    }
}
