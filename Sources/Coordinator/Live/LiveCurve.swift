import Protocol

/// A replica's figures over its iterations in a few hundred means, however many iterations there are. Grows at its end;
/// what has been taken in is never read again.
package struct LiveCurve: Sendable {
    private struct Bin: Sendable {
        /// By name, in the order of `names`: sum and count of what is a number.
        var sums: [Double]
        var counts: [Int]
    }

    package static let binsMax = 240
    /// A recipe has two or three figures; whatever else a worker names is left out.
    static let namesMax = 6

    private(set) var names: [String] = []
    /// Iterations that one bin stands for.
    package private(set) var width: UInt32 = 1
    private(set) var lastIteration: UInt32 = 0
    private var bins: [Bin] = []

    package init() {}

    package mutating func append(_ figures: IterationFigures) {
        guard figures.iteration > lastIteration else { return }
        lastIteration = figures.iteration
        for name in figures.values.keys.sorted() where !names.contains(name) && names.count < Self.namesMax {
            names.append(name)
            for index in bins.indices {
                bins[index].sums.append(0)
                bins[index].counts.append(0)
            }
        }
        while Int((figures.iteration - 1) / width) >= Self.binsMax { widen() }
        let place = Int((figures.iteration - 1) / width)
        let none = Bin(sums: names.map { _ in 0 }, counts: names.map { _ in 0 })
        while bins.count <= place { bins.append(none) }
        for (index, name) in names.enumerated() {
            guard let value = figures.values[name], value.isFinite else { continue }
            bins[place].sums[index] += value
            bins[place].counts[index] += 1
        }
    }

    private mutating func widen() {
        width *= 2
        bins = stride(from: 0, to: bins.count, by: 2).map { first in
            guard first + 1 < bins.count else { return bins[first] }
            let (left, right) = (bins[first], bins[first + 1])
            return Bin(sums: zip(left.sums, right.sums).map(+), counts: zip(left.counts, right.counts).map(+))
        }
    }

    /// Means of a figure: the last iteration of each bin that has any, and the mean.
    package func points(_ name: String) -> [(iteration: UInt32, mean: Double)] {
        guard let index = names.firstIndex(of: name) else { return [] }
        return bins.enumerated().compactMap { place, bin in
            guard bin.counts[index] > 0 else { return nil }
            let end = (UInt64(place) + 1) * UInt64(width)
            return (UInt32(min(end, UInt64(lastIteration))), bin.sums[index] / Double(bin.counts[index]))
        }
    }
}
