import Imaging

/// Whether slices with findings are told from slices without (liver paper, Table 2 and Fig. 3, with the area that the
/// authors' program computes beside the largest probability: a vote has no probability).
public enum SliceScores {
    /// The chance that a slice with a finding has more of the answer in it than one without, ties half.
    ///
    /// - Parameters:
    ///   - axis: along which the slices lie one after the other: 0 x, 1 y, 2 z.
    ///   - answer: 1 in what was found; `truth` what is there. Both of one shape.
    ///   - region: only slices that show some of it count, and of truth and answer what lies in it.
    /// - Returns: nil without slices of both kinds.
    public static func areaUnderCurve(answer: Mask, truth: Mask, within region: Mask, axis: Int) -> Double? {
        let shape = answer.shape
        precondition(shape == truth.shape && shape == region.shape, "three masks of one shape")
        let slices = [shape.width, shape.height, shape.depth][axis]
        var areas = [Int](repeating: 0, count: slices)
        var (isPositive, isShown) = ([Bool](repeating: false, count: slices), [Bool](repeating: false, count: slices))
        var index = 0
        for z in 0..<shape.depth {
            for y in 0..<shape.height {
                for x in 0..<shape.width {
                    defer { index += 1 }
                    guard region.voxels[index] != 0 else { continue }
                    let slice = axis == 2 ? z : axis == 1 ? y : x
                    isShown[slice] = true
                    if answer.voxels[index] != 0 { areas[slice] += 1 }
                    if truth.voxels[index] != 0 { isPositive[slice] = true }
                }
            }
        }
        let shown = (0..<slices).filter { isShown[$0] }
        return AreaUnderCurve.area(scores: shown.map { Double(areas[$0]) }, labels: shown.map { isPositive[$0] })
    }
}
