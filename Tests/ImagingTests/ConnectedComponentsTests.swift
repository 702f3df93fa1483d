import Imaging
import Numerics
import Testing

@Suite struct ConnectedComponentsTests {
    @Test func labelsAreTheOnesScipyGives() throws {
        var golden = try GoldenReader("components.bin")
        let pool = ThreadPool(threadCount: 2)
        let caseCount = golden.int()
        #expect(caseCount == 36)
        for _ in 0..<caseCount {
            let shape = VolumeShape(depth: golden.int(), height: golden.int(), width: golden.int())
            let neighbourhood = golden.int() == 1 ? Neighbourhood.full : .faces
            let count = golden.int()
            let labels = golden.array(shape.voxelCount, of: UInt16.self).map(Int32.init)
            let mask = Mask(
                shape: shape, geometry: Geometry(spacing: Spacing(zMM: 1, yMM: 1, xMM: 1)),
                voxels: labels.map { $0 == 0 ? 0 : 255 })
            let found = ConnectedComponents.label(mask, neighbourhood: neighbourhood, pool: pool)
            #expect(found.count == count)
            #expect(found.labels == labels, "\(shape) \(neighbourhood)")
            #expect(ConnectedComponents.label(mask, neighbourhood: neighbourhood).labels == labels)
            checkStatistics(found)
        }
        #expect(golden.isAtEnd)
    }

    private func checkStatistics(_ found: ComponentLabels) {
        for label in 1..<found.count + 1 {
            let voxels = found.labels.indices.filter { found.labels[$0] == Int32(label) }
            let (width, height) = (found.shape.width, found.shape.height)
            func range(_ values: [Int]) -> Range<Int> { values.min()!..<values.max()! + 1 }
            #expect(found.voxelCounts[label - 1] == voxels.count)
            #expect(found.boundingBoxes[label - 1] == VoxelBox(
                z: range(voxels.map { $0 / (width * height) }), y: range(voxels.map { $0 / width % height }),
                x: range(voxels.map { $0 % width })))
        }
    }

    @Test func bitsAndBytesGiveTheSameComponents() {
        let shape = VolumeShape(depth: 61, height: 9, width: 77)
        var stream = RandomKey(seed: 5, purpose: .phantomNoise).stream()
        let mask = (0..<shape.voxelCount).map { _ -> UInt8 in stream.uniform() < 0.2 ? 1 : 0 }
        let words = [UInt64](packing: mask, shape: shape, pool: nil)
        #expect(words.unpacked(shape: shape, pool: nil) == mask)
        let fromBytes = mask.withUnsafeBufferPointer {
            RunComponents(mask: $0, shape: shape, neighbourhood: .full, pool: nil)
        }
        let fromBits = words.withUnsafeBufferPointer {
            RunComponents(bits: $0, shape: shape, neighbourhood: .full, pool: nil)
        }
        #expect(fromBits.labelVolume(pool: nil) == fromBytes.labelVolume(pool: nil))

        let keep = (0...fromBits.count).map { $0 % 3 == 1 }
        let kept = fromBits.labelVolume(pool: nil).map { keep[Int($0)] && $0 != 0 }
        #expect(fromBits.mask(keeping: keep, pool: nil).map { $0 != 0 } == kept)
        let keptBits = fromBits.bits(keeping: keep, pool: nil)
        #expect(keptBits.unpacked(shape: shape, pool: nil).map { $0 != 0 } == kept)
        let touched = keptBits.withUnsafeBufferPointer { fromBits.touched(by: $0, pool: nil) }
        #expect(Array(touched[1...]) == Array(keep[1...]) && !touched[0])
        let pool = ThreadPool(threadCount: 3)
        #expect(keptBits.withUnsafeBufferPointer { fromBits.touched(by: $0, pool: pool) } == touched)
        var left = words
        fromBits.erase(keeping: keep, from: &left, pool: pool)
        #expect(left == keptBits)
    }

    @Test func anEmptyMaskHasNoComponents() {
        let mask = Mask(
            repeating: 0, shape: VolumeShape(depth: 3, height: 4, width: 5),
            geometry: Geometry(spacing: Spacing(zMM: 1, yMM: 1, xMM: 1)))
        let found = ConnectedComponents.label(mask, neighbourhood: .full)
        #expect(found.count == 0 && found.boundingBoxes.isEmpty && found.labels.allSatisfy { $0 == 0 })
    }
}
