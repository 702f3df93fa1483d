/// How often each whole value occurs in a volume: what tells a constant that was put around a scan, and stands alone
/// among the values, from those that a window has clipped, and from a volume of few values.
struct ValueCounts {
    private var counts = [Int](repeating: 0, count: Self.values.count)
    private let lowest: Int
    private let highest: Int

    private static let values = Int(Int16.min)...Int(Int16.max)
    /// A clipped value has gathered what a window has cut off, and the window cuts through measured values: within
    /// this far inside there are at least this many of them for one that is clipped. Beside a constant there are none,
    /// or a few by interpolation.
    private static let besideHU = 20
    private static let besideShareMin = 0.01
    /// A clipped value is the last: at most this many lie beyond it for one that is clipped.
    private static let beyondShareMax = 0.01
    /// A minimum down here is what any padding with air has.
    private static let airHU: Float = -990
    private static let measuredHU = -1000...200
    /// Rounded to such steps, as a CT of 8 bits is, measured neighbours are as equal as padding's.
    private static let coarseStepHU = 4
    /// A drawn volume has a few values.
    private static let leastStepCount = 20

    /// Of every fourth row.
    init(_ volume: Volume<Float>) {
        var (lowest, highest) = (Self.values.upperBound, Self.values.lowerBound)
        for row in stride(from: 0, to: volume.shape.rowCount, by: 4) {
            for value in volume.voxels[row * volume.shape.width ..< (row + 1) * volume.shape.width] {
                let value = Self.whole(value)
                counts[value - Self.values.lowerBound] += 1
                (lowest, highest) = (min(lowest, value), max(highest, value))
            }
        }
        (self.lowest, self.highest) = (lowest, highest)
    }

    private static func whole(_ value: Float) -> Int {
        value.isNaN ? 0 : Int(min(max(value.rounded(), Float(values.lowerBound)), Float(values.upperBound)))
    }

    private func count(_ range: Range<Int>) -> Int {
        let range = range.clamped(to: lowest..<highest + 1)
        return counts[range.lowerBound - Self.values.lowerBound ..< range.upperBound - Self.values.lowerBound]
            .reduce(0, +)
    }

    /// Has a window gathered here what lay beyond it?
    func isClipped(at value: Float) -> Bool {
        let value = Self.whole(value), own = Double(count(value..<value + 1))
        let above = count(value + 1 ..< max(value + 1, highest + 1))
        let below = count(min(lowest, value) ..< value)
        func isEnd(beyond: Int, beside: Range<Int>) -> Bool {
            Double(beyond) <= Self.beyondShareMax * own && Double(count(beside)) >= Self.besideShareMin * own
        }
        return isEnd(beyond: above, beside: value - Self.besideHU ..< value)
            || Float(value) > Self.airHU
                && isEnd(beyond: below, beside: value + 1 ..< value + 1 + Self.besideHU)
    }

    /// Are measured values, from air to tissue, mostly further apart than those of noise?
    var areCoarse: Bool {
        let used = Self.measuredHU.filter { counts[$0 - Self.values.lowerBound] > 0 }
        let steps = zip(used.dropFirst(), used).map { $0 - $1 }.sorted()
        return steps.count >= Self.leastStepCount && steps[steps.count / 2] >= Self.coarseStepHU
    }
}
