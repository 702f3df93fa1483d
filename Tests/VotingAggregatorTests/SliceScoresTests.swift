import Imaging
import Testing
import VotingAggregator

@Suite struct SliceScoresTests {
    /// 5 slices of 2x3: tumour in slices 1 and 3, of which the answer sees much and little; a false find in slice 0 as
    /// large as the little one; slice 2 is clean, slice 4 shows nothing of the region.
    ///
    /// The pairs by hand: (1 over 0), (1 over 2), (3 equals 0), (3 over 2): 3.5 of 4.
    private static let answer: [[UInt8]] = [
        [0, 1, 0, 0, 0, 0], [1, 1, 1, 0, 1, 0], [0, 0, 0, 0, 0, 1], [0, 0, 0, 1, 0, 0], [1, 1, 1, 1, 1, 1],
    ]
    private static let truth: [[UInt8]] = [
        [0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0],
    ]
    /// The last voxel of every slice lies outside, and with it what the answer finds in slice 2.
    private static let region: [[UInt8]] = [
        [1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0],
    ]

    private static func mask(_ slices: [[UInt8]], axis: Int) -> Mask {
        let sides = axis == 2 ? [5, 2, 3] : axis == 1 ? [2, 5, 3] : [2, 3, 5]
        let shape = VolumeShape(depth: sides[0], height: sides[1], width: sides[2])
        var mask = Mask(
            repeating: 0, shape: shape, geometry: Geometry(spacing: Spacing(zMM: 1, yMM: 1, xMM: 1)))
        for (slice, values) in slices.enumerated() {
            for (place, value) in values.enumerated() {
                let (row, column) = (place / 3, place % 3)
                let index = switch axis {
                case 2: (slice * 2 + row) * 3 + column
                case 1: (row * 5 + slice) * 3 + column
                default: (row * 3 + column) * 5 + slice
                }
                mask.voxels[index] = value
            }
        }
        return mask
    }

    /// Would notice slices along another axis, slices without the region among the negatives, finds outside of the
    /// region that count, and ties that count whole or not at all.
    @Test(arguments: 0...2) func slicesWithFindingsAreToldByTheirArea(axis: Int) {
        let found = SliceScores.areaUnderCurve(
            answer: Self.mask(Self.answer, axis: axis), truth: Self.mask(Self.truth, axis: axis),
            within: Self.mask(Self.region, axis: axis), axis: axis)
        #expect(found == 3.5 / 4)
    }

    @Test func whereEverySliceShowsAFindingNothingIsTold() {
        let all = Self.mask(Self.region, axis: 2)
        #expect(SliceScores.areaUnderCurve(answer: all, truth: all, within: all, axis: 2) == nil)
    }
}
