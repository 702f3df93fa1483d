import Imaging
import Numerics
import VotingAggregator

/// How a mask's voxels lie to the left and to the right of the plane between the patient's lungs: across the axis that
/// runs from side to side, where in the middle half of the lungs' extent there is least lung. A lung that reaches over
/// that plane counts there to the other side.
package struct LungSides {
    /// The stored axis (0 x, 1 y, 2 z).
    package let axis: Int
    private let isRightUpward: Bool
    /// The first index of the upper side; nil without lung.
    private let plane: Int?

    package init(lung: Mask) {
        let towardRight = (0..<3).map { lung.geometry.affine[$0] }
        axis = (0..<3).max { abs(towardRight[$0]) < abs(towardRight[$1]) }!
        isRightUpward = towardRight[axis] > 0
        let profile = lung.setCounts()[axis]
        guard let first = profile.firstIndex(where: { $0 > 0 }), let last = profile.lastIndex(where: { $0 > 0 }) else {
            plane = nil
            return
        }
        let quarter = (last - first) / 4, middle = Double(first + last) / 2
        plane = (first + quarter...last - quarter).min { a, b in
            (profile[a], abs(Double(a) - middle)) < (profile[b], abs(Double(b) - middle))
        }
    }

    /// Whether an index on `axis` is on the patient's right.
    package func isRight(_ index: Int) -> Bool { (index >= plane ?? 0) == isRightUpward }
}

/// How much of a lesion how many replicas saw.
package struct LungAgreement {
    /// By the number of replicas that did not see it: all, all but one, all but two. In percent of the lesion's voxels
    /// before growing; nil without a lesion.
    package let percent: [Double?]

    /// - Parameters:
    ///   - healthy: each replica's ballot.
    ///   - core: the lesion, on the ballots' grid.
    package init(healthy ballots: [BitMask], core: BitMask) {
        let all = core.voxelCount
        var counts = [0, 0, 0]
        let words = ballots.map(\.words)
        for (index, lesion) in core.words.enumerated() where lesion != 0 {
            // Of each of the lesion's voxels in this word: nobody, exactly one, exactly two called it healthy.
            var (none, one, two) = (lesion, UInt64(0), UInt64(0))
            for ballot in words {
                let healthy = ballot[index]
                two = two & ~healthy | one & healthy
                one = one & ~healthy | none & healthy
                none &= ~healthy
            }
            counts[0] += none.nonzeroBitCount
            counts[1] += one.nonzeroBitCount
            counts[2] += two.nonzeroBitCount
        }
        percent = counts.map { all > 0 ? 100 * Double($0) / Double(all) : nil }
    }
}
