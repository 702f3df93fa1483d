import Imaging

/// Area under the receiver operating characteristic: the chance that a positive scores above a negative, ties half.
public enum AreaUnderCurve {
    /// - Parameters:
    ///   - scores: any real numbers, higher = more likely positive.
    ///   - labels: one for each score.
    /// - Returns: nil when positives or negatives are missing, or a score is not a number.
    public static func area(scores: [Double], labels: [Bool]) -> Double? {
        precondition(scores.count == labels.count, "one label a score")
        let positives = labels.count { $0 }, negatives = labels.count - positives
        guard positives > 0, negatives > 0, scores.allSatisfy({ !$0.isNaN }) else { return nil }
        let order = scores.indices.sorted { scores[$0] < scores[$1] }
        // Twice the number of pairs won, a tie counting one: an integer, so the sum is exact.
        var twiceWon = 0, negativesBelow = 0, begin = 0
        while begin < order.count {
            var end = begin, tiedPositives = 0
            while end < order.count, scores[order[end]] == scores[order[begin]] {
                tiedPositives += labels[order[end]] ? 1 : 0
                end += 1
            }
            let tiedNegatives = end - begin - tiedPositives
            twiceWon += tiedPositives * (2 * negativesBelow + tiedNegatives)
            negativesBelow += tiedNegatives
            begin = end
        }
        return Double(twiceWon) / 2 / (Double(positives) * Double(negatives))
    }

    /// Over the voxels of a region (the bright voxels of the lung in the paper's Table II), from histograms of the
    /// scores' 16 leading bits below 1: equal to `area` for scores that are multiples of 2^-16.
    ///
    /// - Parameters:
    ///   - scores: one for each voxel, C order, in [0, 1]: 1 - p(healthy).
    ///   - truth: lesion voxels.
    /// - Throws: `VotingError.gridMismatch` where the three are not on one grid.
    public static func area(scores: Volume<Float>, truth: BitMask, within region: BitMask) throws -> Double? {
        for (what, shape) in [("the truth", truth.shape), ("the region", region.shape)] where shape != scores.shape {
            throw VotingError.gridMismatch(what: what, shape: shape, expected: scores.shape)
        }
        let bins = 1 << 16
        var positives = [Int](repeating: 0, count: bins + 1), negatives = positives
        for row in 0..<scores.shape.rowCount {
            for column in 0..<scores.shape.wordsPerRow {
                var left = region.words[row * scores.shape.wordsPerRow + column]
                let lesion = truth.words[row * scores.shape.wordsPerRow + column]
                while left != 0 {
                    let bit = left.trailingZeroBitCount
                    left &= left - 1
                    let score = scores.voxels[row * scores.shape.width + column * 64 + bit]
                    guard !score.isNaN else { return nil }
                    let bin = Int(min(max(score, 0), 1) * Float(bins))
                    if lesion >> UInt64(bit) & 1 != 0 { positives[bin] += 1 } else { negatives[bin] += 1 }
                }
            }
        }
        return area(positives: positives, negatives: negatives)
    }

    private static func area(positives: [Int], negatives: [Int]) -> Double? {
        let all = (positives: positives.reduce(0, +), negatives: negatives.reduce(0, +))
        guard all.positives > 0, all.negatives > 0 else { return nil }
        var won = 0.0, negativesBelow = 0
        for (up, down) in zip(positives, negatives) {
            won += Double(up) * (Double(negativesBelow) + Double(down) / 2)
            negativesBelow += down
        }
        return won / (Double(all.positives) * Double(all.negatives))
    }
}
