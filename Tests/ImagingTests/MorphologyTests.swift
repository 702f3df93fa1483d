import Imaging
import Numerics
import Testing

@Suite struct MorphologyTests {
    struct Case {
        var mask: Mask, radiusMM: Double, bits: [UInt8], distances: [Float]
        func expected(_ index: UInt8) -> [UInt8] { bits.map { $0 >> index & 1 } }
    }

    private func cases() throws -> [Case] {
        var golden = try GoldenReader("morphology.bin")
        defer { #expect(golden.isAtEnd) }
        let caseCount = golden.int()
        #expect(caseCount == 4)
        return (0..<caseCount).map { _ in
            let shape = VolumeShape(depth: golden.int(), height: golden.int(), width: golden.int())
            let lengths = golden.array(4, of: Double.self)
            let bits = golden.array(shape.voxelCount, of: UInt8.self)
            let geometry = Geometry(spacing: Spacing(zMM: lengths[0], yMM: lengths[1], xMM: lengths[2]))
            return Case(
                mask: Mask(shape: shape, geometry: geometry, voxels: bits.map { $0 & 1 }), radiusMM: lengths[3],
                bits: bits, distances: golden.array(shape.voxelCount, of: Float.self))
        }
    }

    @Test(arguments: [0, 1, 3]) func ballsBoxesHolesAndShellsAreScipys(threads: Int) throws {
        let pool = threads == 0 ? nil : ThreadPool(threadCount: threads)
        for item in try cases() {
            let mask = item.mask
            let ball = StructuringElement(ballRadiusMM: item.radiusMM, spacing: mask.geometry.spacing)
            let box = StructuringElement(box: BoxSize(z: 3, y: 5, x: 7))
            #expect(Morphology.dilated(mask, by: ball, pool: pool).voxels == item.expected(1))
            #expect(Morphology.eroded(mask, by: ball, pool: pool).voxels == item.expected(2))
            #expect(Morphology.opened(mask, by: ball, pool: pool).voxels == item.expected(3))
            #expect(Morphology.closed(mask, by: ball, pool: pool).voxels == item.expected(4))
            #expect(Morphology.holesFilled(mask, pool: pool).voxels == item.expected(5))
            #expect(Morphology.boundaryShell(of: mask, pool: pool).voxels == item.expected(6))
            #expect(Morphology.dilated(mask, by: box, pool: pool).voxels == item.expected(7))
        }
    }

    @Test func distancesAreScipys() throws {
        for item in try cases() {
            let found = DistanceTransform.distanceMM(to: item.mask, pool: ThreadPool(threadCount: 2)).voxels
            #expect(zip(found, item.distances).allSatisfy { abs($0 - $1) <= 2e-6 * $1 })
            #expect(DistanceTransform.distanceMM(to: item.mask).voxels == found)
        }
        let empty = Mask(
            repeating: 0, shape: VolumeShape(depth: 2, height: 3, width: 4),
            geometry: Geometry(spacing: Spacing(zMM: 1, yMM: 1, xMM: 1)))
        #expect(DistanceTransform.distanceMM(to: empty).voxels.allSatisfy { $0 == .infinity })
    }

    @Test func theLargestComponentsAreKept() {
        let shape = VolumeShape(depth: 1, height: 1, width: 12)
        let mask = Mask(
            shape: shape, geometry: Geometry(spacing: Spacing(zMM: 1, yMM: 1, xMM: 1)),
            voxels: [1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 0])
        #expect(Morphology.largestComponents(of: mask, count: 2).voxels == [0, 0, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0])
        #expect(Morphology.largestComponents(of: mask, count: 9).voxels == mask.voxels)
    }
}
