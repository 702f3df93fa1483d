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

    private func sides(_ lung: Mask) -> (left: Int, right: Int) {
        let counts = LungRegions(lung: lung).counts(lung)
        return (counts.left.reduce(0, +), counts.right.reduce(0, +))
    }

    /// Sides taken for each other would be seen at once, and a plane through the middle of the volume in a scan that
    /// lies off centre.
    @Test func sidesAreThePatients() {
        let plain = lungs([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0])
        // Least lung is at x 4 and 5, one voxel each and equally near the middle: the first one begins the right side.
        let counts = sides(plain)
        #expect(counts.left == 18 && counts.right == 16 + 2)
        let mirrored = lungs([-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0])
        let swapped = sides(mirrored)
        #expect(swapped.left == counts.right && swapped.right == counts.left)
        // Stored with the patient's sides along y: 5 slices of lung 1 below, 2 above.
        let shape = VolumeShape(depth: 1, height: 6, width: 2)
        let turned = Mask(
            shape: shape, geometry: Geometry(affine: [0, 2, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0]),
            voxels: [0, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 0])
        let along = sides(turned)
        #expect(along.left == 2 && along.right == 5)
        let none = Mask(shape: shape, geometry: plain.geometry, voxels: [UInt8](repeating: 0, count: 12))
        #expect(sides(none) == (0, 0))
    }

    /// Upper taken for lower, a side for the other, thirds of the volume in place of the lungs, or of voxels in place
    /// of height.
    @Test func thirdsAreOfTheLungsHeightAndThePatients() {
        // Eight slices, z grows to the head; lung in slices 1 to 6, so that a third is two slices; the right one, x 4
        // to 6, only in the lower four of them.
        let shape = VolumeShape(depth: 8, height: 1, width: 8)
        func lung(_ affine: [Double]) -> Mask {
            var mask = Mask(
                shape: shape, geometry: Geometry(affine: affine), voxels: [UInt8](repeating: 0, count: 64))
            for z in 1...6 { for x in 0...2 { mask.voxels[8 * z + x] = 1 } }
            for z in 1...4 { for x in 4...6 { mask.voxels[8 * z + x] = 1 } }
            return mask
        }
        let plain = lung([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 5, 0])
        var counts = LungRegions(lung: plain).counts(plain)
        #expect(counts.left == [6, 6, 6] && counts.right == [0, 6, 6] && counts.all == 30)
        // The first slice is the highest.
        let down = lung([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, -5, 0])
        counts = LungRegions(lung: down).counts(down)
        #expect(counts.left == [6, 6, 6] && counts.right == [6, 6, 0])
        // Height along x, upside down, sides along z: x 0 to 2 has six voxels a line, x 4 to 6 has four, and of x 0 to
        // 6 the thirds begin at 3 and 5.
        let turned = lung([0, 0, 2, 0, 0, 1, 0, 0, -1, 0, 0, 0])
        counts = LungRegions(lung: turned).counts(turned)
        #expect(counts.all == 30 && counts.left.reduce(0, +) + counts.right.reduce(0, +) == 30)
        #expect(zip(counts.left, counts.right).map { $0 + $1 } == [18, 4, 8])
        let none = Mask(shape: shape, geometry: plain.geometry, voxels: [UInt8](repeating: 0, count: 64))
        #expect(LungRegions(lung: none).counts(none).all == 0)
    }

    /// Numbers by place in place of size; a centre in voxels, or of another axis order; another lesion's values.
    @Test func lesionsAreNumberedBySizeAndMeasuredOneByOne() throws {
        let shape = VolumeShape(depth: 5, height: 6, width: 10)
        // x to the left, 2 mm; y to the front, 3 mm; z to the head, 4 mm: 0.024 ml a voxel.
        let geometry = Geometry(affine: [-2, 0, 0, 100, 0, 3, 0, -50, 0, 0, 4, 10])
        var lung = Mask(shape: shape, geometry: geometry, voxels: [UInt8](repeating: 0, count: 300))
        for index in 0..<300 where ![4, 5].contains(index % 10) { lung.voxels[index] = 1 }
        var lesion = lung.with([UInt8](repeating: 0, count: 300))
        var ct = Volume<Float>(shape: shape, geometry: geometry, voxels: [Float](repeating: -900, count: 300))
        func put(_ x: Int, _ y: Int, _ z: Int, _ hu: Float) {
            lesion.voxels[(z * 6 + y) * 10 + x] = 1
            ct.voxels[(z * 6 + y) * 10 + x] = hu
        }
        put(1, 1, 1, 30)
        // Joined by a corner: one lesion, larger and behind the first in the file.
        put(7, 2, 2, -100)
        put(8, 3, 3, -200)
        put(8, 4, 3, -300)
        let found = NumberedLesions(lesion, lung: lung, ct: ct, pool: ThreadPool(threadCount: 2))
        #expect(found.numbers.voxels[(1 * 6 + 1) * 10 + 1] == 2 && found.numbers.voxels[(2 * 6 + 2) * 10 + 7] == 1)
        #expect(found.numbers.voxels.reduce(0) { $0 + Int($1) } == 2 + 3)
        #expect(found.lesions.count == 2)
        let large = found.lesions[0], small = found.lesions[1]
        #expect(large.number == 1 && large.lesionML == 0.072 && large.meanHU == -200)
        // Means of x 7, 8, 8, of y 2, 3, 4 and of z 2, 3, 3.
        #expect([large.centreXMM, large.centreYMM, large.centreZMM] == [84.667, -41, 20.667])
        #expect(large.rightPercent == 0 && small.rightPercent == 100)
        // Of five slices the upper third begins at 5/3 * 2 = 3.33, the lower one ends before 2.
        #expect(large.upperPercent == 0 && large.lowerPercent == 0 && small.lowerPercent == 100)
        #expect(large.rimPercent == 0 && small.rimPercent == 0)
        #expect(small.lesionML == 0.024 && small.meanHU == 30)
    }

    /// A sheet at the chest wall that is told like any other lesion; a lesion within that is warned of.
    @Test func aLesionThatIsMostlyRimIsSaid() {
        let shape = VolumeShape(depth: 9, height: 9, width: 9)
        var lung = Mask(
            shape: shape, geometry: Geometry(affine: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]),
            voxels: [UInt8](repeating: 0, count: 729))
        for z in 1...7 { for y in 1...7 { for x in 1...7 { lung.voxels[(z * 9 + y) * 9 + x] = 1 } } }
        func lesion(_ rows: ClosedRange<Int>) -> Mask {
            var mask = lung.with([UInt8](repeating: 0, count: 729))
            for z in 2...6 { for y in rows { for x in 2...6 { mask.voxels[(z * 9 + y) * 9 + x] = 1 } } }
            return mask
        }
        #expect(LungRim.warnings(lesion(1...1), lung: lung, voxelCount: 25).count == 1)
        #expect(LungRim.warnings(lesion(1...2), lung: lung, voxelCount: 50).isEmpty)
        #expect(LungRim.warnings(lesion(3...5), lung: lung, voxelCount: 75).isEmpty)
        #expect(LungRim.warnings(lesion(1...1), lung: lung, voxelCount: 0).isEmpty)
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
