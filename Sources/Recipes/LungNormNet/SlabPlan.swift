/// Which slabs cover a volume at inference, and how they are blended (A4): slabs overlap by half, and a slice's
/// weight falls off linearly towards a slab's ends, where a network sees least.
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
        var firsts = Array(stride(from: begin, to: end, by: max(1, slabDepth / 2)))
        firsts.append(max(begin, end))
        firstSlices = firsts
    }

    /// Weight of slice `offset` of a slab: 1, 2, ... up to the middle and down again.
    package func weight(_ offset: Int) -> Float { Float(min(offset + 1, slabDepth - offset)) }
}
