import Imaging
import Numerics
import Testing

@Suite struct MaskRowsTests {
    /// A run that is cut at a word's border, or one that goes on over a hole: masks of every density against a walk
    /// voxel by voxel, with values above 1, whose highest bit must not look like a 0.
    @Test func runsAndHolesAreThoseOfAWalkByVoxels() {
        var random = RandomKey(seed: 5, purpose: .phantomNoise).stream()
        for length in [1, 7, 8, 9, 63, 200] {
            for density in [0, 1, 5, 9, 10] {
                let row = (0..<length).map { _ in
                    random.index(below: 10) < density ? [UInt8(1), 128, 255][random.index(below: 3)] : 0
                }
                let start = min(length - 1, random.index(below: 4))
                var places: [Int] = [], clear: [Int] = [], runs: [Range<Int>] = []
                row.withUnsafeBufferPointer { row in
                    row.forEachRun(in: start..<length) { runs.append($0) }
                    row.forEachClear(in: start..<length) { clear.append($0) }
                }
                for run in runs { places += run }
                #expect(places == (start..<length).filter { row[$0] != 0 })
                #expect(clear == (start..<length).filter { row[$0] == 0 })
                #expect(zip(runs, runs.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound })
            }
        }
    }

    /// Axes that are swapped, or a row's first voxels that are left out.
    @Test func setVoxelsAreCountedAlongEachAxis() {
        var random = RandomKey(seed: 6, purpose: .phantomNoise).stream()
        let shape = VolumeShape(depth: 5, height: 7, width: 21)
        let mask = Mask(
            shape: shape, geometry: ImageSamples.geometry,
            voxels: (0..<shape.voxelCount).map { _ in random.index(below: 5) == 0 ? 3 : 0 })
        var counts = [[Int](repeating: 0, count: 21), [Int](repeating: 0, count: 7), [Int](repeating: 0, count: 5)]
        for z in 0..<5 {
            for y in 0..<7 {
                for x in 0..<21 where mask[z, y, x] > 0 {
                    counts[0][x] += 1
                    counts[1][y] += 1
                    counts[2][z] += 1
                }
            }
        }
        #expect(mask.setCounts() == counts)
    }
}
