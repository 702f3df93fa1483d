import Imaging
import Numerics
import Testing

@Suite struct MeanFilterTests {
    @Test func countsAndMeansAreScipysForAnyNumberOfThreads() throws {
        var golden = try GoldenReader("box_filters.bin")
        let pools: [ThreadPool?] = [nil, ThreadPool(threadCount: 3)]
        let caseCount = golden.int()
        #expect(caseCount == 4)
        for _ in 0..<caseCount {
            let shape = VolumeShape(depth: golden.int(), height: golden.int(), width: golden.int())
            let box = BoxSize(z: golden.int(), y: golden.int(), x: golden.int())
            let mask = golden.array(shape.voxelCount, of: UInt8.self)
            let counts = golden.array(shape.voxelCount, of: UInt16.self).map(UInt32.init)
            let values = golden.array(shape.voxelCount, of: Float.self)
            let means = golden.array(shape.voxelCount, of: Float.self)
            let found = pools.map { pool in
                values.withUnsafeBufferPointer { MeanFilter.boxMeans($0, shape: shape, box: box, pool: pool) }
            }
            #expect(zip(found[0], means).allSatisfy { abs($0 - $1) < 1e-6 })
            #expect(found[0] == found[1])
            for pool in pools {
                #expect(mask.withUnsafeBufferPointer {
                    MeanFilter.boxCounts($0, shape: shape, box: box, pool: pool)
                } == counts)
            }
        }
        #expect(golden.isAtEnd)
    }

    @Test func aSheetOneVoxelThickIsNotMoreThanAFifthOfABox() {
        // Exactly 25 of 125 voxels: a comparison in floats would decide by rounding.
        let shape = VolumeShape(depth: 9, height: 9, width: 9)
        let sheet = (0..<shape.voxelCount).map { $0 / 81 == 4 ? UInt8(1) : 0 }
        #expect(exceeding(0.2, sheet, shape).allSatisfy { $0 == 0 })
        #expect(exceeding(0.199_999, sheet, shape).contains(1))
    }

    @Test func fixedPointMeansAgreeWithDoubleSums() {
        let shape = VolumeShape(depth: 20, height: 45, width: 100), box = BoxSize(z: 7, y: 7, x: 7)
        var stream = RandomKey(seed: 8, purpose: .phantomNoise).stream()
        let values = (0..<shape.voxelCount).map { _ in stream.uniform() * 0.3 }
        let means = values.withUnsafeBufferPointer { MeanFilter.boxMeans($0, shape: shape, box: box) }
        let bits = [UInt64](packing: Array(repeating: 1, count: shape.voxelCount), shape: shape, pool: nil)
        var found = [UInt64](repeating: 0, count: shape.bitWordCount)
        bits.withUnsafeBufferPointer { bits in
            values.withUnsafeBufferPointer { values in
                let sums = BoxSums(
                    bits: bits, intensities: values, shape: shape, box: box, region: shape.box)
                found.withUnsafeMutableBufferPointer {
                    sums.setWhereMeanExceeds(0.15, within: bits, out: $0, pool: nil)
                }
            }
        }
        for (mean, bit) in zip(means, found.unpacked(shape: shape, pool: nil)) where abs(mean - 0.15) > 2e-7 {
            #expect((mean > 0.15) == (bit == 1))
        }
    }

    @Test(arguments: [1, 3]) func boxesOfARegionAreThoseOfItsVoxelsAlone(threads: Int) {
        // More rows and slices than one task takes, a region inside, and a row that ends within a word.
        let shape = VolumeShape(depth: 75, height: 50, width: 150), box = BoxSize(z: 5, y: 3, x: 9)
        let region = VoxelBox(z: 2..<73, y: 3..<48, x: 64..<150)
        var stream = RandomKey(seed: 21, purpose: .phantomNoise).stream()
        var values = [Float](), mask = [UInt8](), lung = [UInt8]()
        for index in 0..<shape.voxelCount {
            let inside = region.z.contains(index / 7500) && region.y.contains(index / 150 % 50)
                && region.x.contains(index % 150)
            values.append(stream.uniform())
            mask.append(inside && stream.uniform() < 0.6 ? 1 : 0)
            lung.append(inside && stream.uniform() < 0.8 ? 1 : 0)
        }
        let bits = [UInt64](packing: mask, shape: shape, pool: nil)
        let within = [UInt64](packing: lung, shape: shape, pool: nil)
        var found = [UInt64](repeating: 0, count: bits.count), bright = found
        values.withUnsafeBufferPointer { values in
            bright.withUnsafeMutableBufferPointer { bright in
                bits.withUnsafeBufferPointer { bits in
                    let sums = BoxSums(
                        bits: bits, intensities: values, shape: shape, box: box, region: region, bright: (0.4, bright))
                    within.withUnsafeBufferPointer { within in
                        found.withUnsafeMutableBufferPointer {
                            sums.setWhereMeanExceeds(
                                0.3, within: within, out: $0, pool: ThreadPool(threadCount: threads))
                        }
                    }
                }
            }
        }
        let masked = zip(values, mask).map { $1 == 1 ? $0 : 0 }
        let means = masked.withUnsafeBufferPointer { MeanFilter.boxMeans($0, shape: shape, box: box) }
        let unpacked = found.unpacked(shape: shape, pool: nil)
        #expect(unpacked.indices.allSatisfy {
            abs(means[$0] - 0.3) < 2e-7 || unpacked[$0] == (means[$0] > 0.3 ? lung[$0] : 0)
        })
        #expect(bright.unpacked(shape: shape, pool: nil) == masked.map { $0 >= 0.4 ? 1 : 0 })
    }

    private func exceeding(_ threshold: Double, _ mask: [UInt8], _ shape: VolumeShape) -> [UInt8] {
        let bits = [UInt64](packing: mask, shape: shape, pool: nil)
        let all = [UInt64](packing: mask.map { _ in 1 }, shape: shape, pool: nil)
        var found = [UInt64](repeating: 0, count: shape.bitWordCount)
        bits.withUnsafeBufferPointer { bits in
            let sums = BoxSums(
                bits: bits, shape: shape, box: BoxSize(z: 5, y: 5, x: 5), region: shape.box)
            all.withUnsafeBufferPointer { all in
                found.withUnsafeMutableBufferPointer {
                    sums.setWhereMeanExceeds(threshold, within: all, out: $0, pool: nil)
                }
            }
        }
        return found.unpacked(shape: shape, pool: nil)
    }
}
