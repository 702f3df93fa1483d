/// Which slabs cover a volume at inference, and how they are blended (A4): slabs overlap by a quarter or a little more,
/// so that all overlap alike, and a slice's weight falls off linearly towards a slab's ends, where a network sees
/// least. More overlap costs time in proportion (by half: each slice is computed twice) and gains next to nothing
/// (docs/METHOD.md).
package struct SlabPlan: Sendable, Equatable {
    package let slabDepth: Int
    /// First slices of the slabs, ascending. A slab may reach past the volume's end; there it sees zeros.
    package let firstSlices: [Int]

    /// - Parameters:
    ///   - lungSlices: the slices with lung in them; only they need an answer.
    package init(depth: Int, lungSlices: Range<Int>, slabDepth: Int) {
        self.slabDepth = slabDepth
        let last = max(0, depth - slabDepth)
        let begin = min(lungSlices.lowerBound, last), end = min(max(lungSlices.upperBound - slabDepth, 0), last)
        let span = max(0, end - begin), step = max(1, slabDepth * 3 / 4), gaps = (span + step - 1) / step
        firstSlices = (0...gaps).map { begin + (gaps > 0 ? span * $0 / gaps : 0) }
    }

    /// Weight of slice `offset` of a slab: 1, 2, ... up to the middle and down again.
    package func weight(_ offset: Int) -> Float { Float(min(offset + 1, slabDepth - offset)) }

    /// Sum of the weights that a volume's slice has in all slabs; 0 in slices that none covers.
    package func totalWeight(_ slice: Int) -> Float {
        firstSlices.reduce(0) { sum, first in
            (first..<(first + slabDepth)).contains(slice) ? sum + weight(slice - first) : sum
        }
    }
}
