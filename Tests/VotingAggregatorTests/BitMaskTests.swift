import Imaging
import Numerics
import Testing
import VotingAggregator

@Suite struct BitMaskTests {
    static func noise(_ shape: VolumeShape, share: Float, seed: UInt64) -> Mask {
        var stream = RandomKey(seed: seed, purpose: .phantomNoise).stream()
        return Mask(
            shape: shape, geometry: Geometry(spacing: Spacing(zMM: 1, yMM: 1, xMM: 1)),
            voxels: (0..<shape.voxelCount).map { _ in stream.uniform() < share ? 1 : 0 })
    }

    @Test(arguments: [1, 5, 63, 64, 65, 130]) func bytesSurviveTheWayToBitsAndBack(width: Int) throws {
        let mask = Self.noise(VolumeShape(depth: 3, height: 5, width: width), share: 0.4, seed: UInt64(width))
        let bits = BitMask(mask)
        #expect(bits.voxels() == mask.voxels)
        var used = [UInt8](repeating: 7, count: mask.voxels.count)
        bits.write(to: &used)
        #expect(used == mask.voxels)
        #expect(bits.voxelCount == mask.voxels.reduce(0) { $0 + Int($1) })
        #expect(bits[2, 4, width - 1] == (mask[2, 4, width - 1] == 1))
        #expect(try BitMask(bytes: bits.bytes()) == bits)
        let values = mask.voxels.map { $0 == 1 ? Float(0.95).nextUp : 0.95 }
        #expect(values.withUnsafeBufferPointer { BitMask(shape: mask.shape, values: $0, above: 0.95) } == bits)
        #expect(BitMask(filling: mask.shape).voxelCount == mask.shape.voxelCount)
    }

    /// Rows of several tasks; stretches without a voxel at both ends, between, of one row and of none.
    @Test(arguments: [7, 64, 130]) func usedBytesAreOverwrittenWhereNothingIsSet(width: Int) {
        let shape = VolumeShape(depth: 13, height: 100, width: width)
        var bits = BitMask(shape: shape), expected = [UInt8](repeating: 0, count: shape.voxelCount)
        for (z, y, x) in [(1, 7, 0), (1, 8, width - 1), (1, 10, 3), (5, 11, 2), (5, 12, 5), (12, 98, 6)] {
            bits[z, y, x] = true
            expected[(z * 100 + y) * width + x] = 1
        }
        for pool in [nil, ThreadPool(threadCount: 3)] {
            var used = [UInt8](repeating: 7, count: shape.voxelCount)
            bits.write(to: &used, pool: pool)
            #expect(used == expected)
        }
    }

    @Test func slicesAreOverwrittenAndTheirNeighboursKept() {
        let mask = Self.noise(VolumeShape(depth: 5, height: 3, width: 70), share: 0.4, seed: 8), plane = 3 * 70
        let values = mask.voxels.map { Float($0) }
        var bits = BitMask(filling: mask.shape)
        values.withUnsafeBufferPointer {
            bits.set(slices: 1..<3, where: .init(rebasing: $0[plane..<(3 * plane)]), above: 0.5)
        }
        #expect(bits.voxels() == mask.voxels.indices.map { (1..<3).contains($0 / plane) ? mask.voxels[$0] : 1 })
    }

    @Test func setOperationsAndBoxesAreThoseOfTheVoxels() {
        let shape = VolumeShape(depth: 4, height: 5, width: 70)
        let (a, b) = (Self.noise(shape, share: 0.3, seed: 1), Self.noise(shape, share: 0.5, seed: 2))
        let (p, q) = (BitMask(a), BitMask(b))
        #expect(p.intersection(q).voxels() == zip(a.voxels, b.voxels).map { $0 & $1 })
        #expect(p.union(q).voxels() == zip(a.voxels, b.voxels).map { $0 | $1 })
        #expect(p.subtracting(q).voxels() == zip(a.voxels, b.voxels).map { $0 & ~$1 })
        #expect(p.voxelCount(sharedWith: q) == zip(a.voxels, b.voxels).count { $0 == 1 && $1 == 1 })
        var corners = BitMask(shape: shape)
        #expect(corners.boundingBox() == nil)
        corners[1, 2, 3] = true
        corners[3, 0, 66] = true
        #expect(corners.boundingBox() == VoxelBox(z: 1..<4, y: 0..<3, x: 3..<67))
        // Slices of several tasks, the first and the last of which find nothing.
        var tall = BitMask(shape: VolumeShape(depth: 40, height: 5, width: 70), pool: ThreadPool(threadCount: 3))
        for (z, y, x) in [(9, 4, 69), (17, 1, 5), (30, 2, 64)] { tall[z, y, x] = true }
        for pool in [nil, ThreadPool(threadCount: 3)] {
            #expect(tall.boundingBox(pool: pool) == VoxelBox(z: 9..<31, y: 1..<5, x: 5..<70))
        }
    }

    /// Radii on which voxels lie exactly, and one between them.
    @Test(arguments: [0, 0.8, 1.6, 2.5, 4]) func aMaskGrowsByTheVoxelsWithinTheRadius(radiusMM: Double) {
        let spacing = Spacing(zMM: 2.5, yMM: 0.8, xMM: 0.8), shape = VolumeShape(depth: 6, height: 20, width: 70)
        let mask = Self.noise(shape, share: 0.004, seed: 4)
        var expected = [UInt8](repeating: 0, count: shape.voxelCount)
        for set in mask.voxels.indices where mask.voxels[set] == 1 {
            for index in expected.indices {
                let z = Double(index / 1400 - set / 1400) * spacing.zMM
                let y = Double(index % 1400 / 70 - set % 1400 / 70) * spacing.yMM
                let x = Double(index % 70 - set % 70) * spacing.xMM
                if z * z + y * y + x * x <= radiusMM * radiusMM * (1 + 1e-9) { expected[index] = 1 }
            }
        }
        #expect(BitMask(mask).dilated(radiusMM: radiusMM, spacing: spacing).voxels() == expected)
        #expect(BitMask(shape: shape).dilated(radiusMM: radiusMM, spacing: spacing).voxelCount == 0)
    }

    @Test func emptyStretchesCostNothing() {
        var mask = BitMask(shape: VolumeShape(depth: 300, height: 512, width: 512))
        mask[150, 256, 256] = true
        #expect(mask.bytes().count < 64)
    }

    @Test func damagedBytesAreRefusedOrHarmless() {
        let mask = BitMask(Self.noise(VolumeShape(depth: 2, height: 3, width: 70), share: 0.02, seed: 3))
        let good = mask.bytes()
        for length in 0..<good.count {
            #expect(throws: VotingError.self) { try BitMask(bytes: Array(good[..<length])) }
        }
        #expect(throws: VotingError.self) { try BitMask(bytes: good + [0]) }
        for index in good.indices {
            for flip: UInt8 in [1, 0x80, 0xff] {
                var bad = good
                bad[index] ^= flip
                guard let read = try? BitMask(bytes: bad) else { continue }
                #expect(read.shape.voxelCount <= 1 << 31 && read != mask)
            }
        }
    }

    /// Such a bit would be counted as a voxel that there is not.
    @Test func aBitBehindARowsEndIsRefused() throws {
        var mask = BitMask(shape: VolumeShape(depth: 1, height: 1, width: 70))
        mask[0, 0, 69] = true
        var bytes = mask.bytes()
        // The second word of the only row, with bit 5 for x = 69.
        let last = bytes.count - 8
        #expect(bytes[last] == 1 << 5)
        bytes[last] |= 1 << 6
        #expect(throws: VotingError.self) { try BitMask(bytes: bytes) }
    }

    @Test func sizesThatOverflowOrAreTooLargeAreRefusedBeforeAllocation() {
        func header(_ sizes: [UInt32], _ words: UInt64) -> [UInt8] {
            var bytes = Array("QNTBITS\0".utf8)
            for value in [1] + sizes { withUnsafeBytes(of: value.littleEndian) { bytes += Array($0) } }
            withUnsafeBytes(of: words.littleEndian) { bytes += Array($0) }
            return bytes
        }
        for sizes: [UInt32] in [[.max, .max, .max], [1 << 16, 1 << 16, 1 << 16], [0, 1, 1], [1 << 31, 2, 1]] {
            #expect(throws: VotingError.self) { try BitMask(bytes: header(sizes, 0)) }
        }
        #expect(throws: VotingError.self) { try BitMask(bytes: header([10, 10, 10], 99)) }
        let expected = VolumeShape(depth: 1, height: 1, width: 1)
        #expect(throws: VotingError.gridMismatch(
            what: "the mask", shape: VolumeShape(depth: 2, height: 1, width: 1), expected: expected)
        ) { try BitMask(bytes: header([2, 1, 1], 2), expectedShape: expected) }
    }
}
