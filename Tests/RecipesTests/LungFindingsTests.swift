import Imaging
import Numerics
import Testing
import VotingAggregator

import Recipes

/// Sides and agreement, against volumes small enough to count by hand.
@Suite struct LungFindingsTests {
    /// x grows to the patient's right. Two lungs, x 1 to 3 and x 6 to 8, joined by one voxel at x 4 and 5.
    private func lungs(_ affine: [Double]) -> Mask {
        let shape = VolumeShape(depth: 2, height: 3, width: 10)
        var mask = Mask(
            shape: shape, geometry: Geometry(affine: affine), voxels: [UInt8](repeating: 0, count: shape.voxelCount))
        for z in 0..<2 {
            for y in 0..<3 {
                for x in [1, 2, 3, 6, 7, 8] where !(y == 2 && x == 8) { mask.voxels[(z * 3 + y) * 10 + x] = 1 }
            }
        }
        for x in [4, 5] { mask.voxels[x] = 1 }
        return mask
    }

    /// Sides taken for each other would be seen at once, and a plane through the middle of the volume in a scan that
    /// lies off centre.
    @Test func sidesAreThePatients() {
        let plain = lungs([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0])
        // Least lung is at x 4 and 5, one voxel each and equally near the middle: the first one begins the right side.
        let counts = LungSides(lung: plain).counts(plain)
        #expect(counts.left == 18 && counts.right == 16 + 2)
        let mirrored = lungs([-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0])
        let swapped = LungSides(lung: mirrored).counts(mirrored)
        #expect(swapped.left == counts.right && swapped.right == counts.left)
        // Stored with the patient's sides along y: 5 slices of lung 1 below, 2 above.
        let shape = VolumeShape(depth: 1, height: 6, width: 2)
        let turned = Mask(
            shape: shape, geometry: Geometry(affine: [0, 2, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0]),
            voxels: [0, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 0])
        let along = LungSides(lung: turned).counts(turned)
        #expect(along.left == 2 && along.right == 5)
        let none = Mask(shape: shape, geometry: plain.geometry, voxels: [UInt8](repeating: 0, count: 12))
        #expect(LungSides(lung: none).counts(none) == (0, 0))
    }

    /// Of ten voxels four are seen by all three, three by two, two by one, one by nobody.
    @Test func agreementCountsThoseWhoSawIt() {
        let shape = VolumeShape(depth: 1, height: 1, width: 70)
        func bits(_ set: [Int]) -> BitMask {
            var mask = BitMask(shape: shape)
            for x in set { mask[0, 0, x] = true }
            return mask
        }
        // Across a word's end.
        let core = bits(Array(60..<70))
        let healthy = [bits([64, 67, 69]), bits([65, 67, 68, 69]), bits([66, 68, 69, 1])]
        let percent = LungAgreement(healthy: healthy, core: core).percent
        #expect(percent == [40, 30, 20])
        #expect(LungAgreement(healthy: healthy, core: bits([])).percent == [nil, nil, nil])
        #expect(LungAgreement(healthy: [], core: core).percent == [100, 0, 0])
    }
}
