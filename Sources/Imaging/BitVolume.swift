import CKernels
import Numerics

/// A mask as rows of bits with its shape: what morphology works on (see BitRows.swift for the layout).
package struct BitVolume: Sendable {
    package let shape: VolumeShape
    package private(set) var words: [UInt64]

    package init(shape: VolumeShape, words: [UInt64]) {
        precondition(words.count == shape.bitWordCount, "\(shape) voxels are \(shape.bitWordCount) words")
        self.shape = shape
        self.words = words
    }

    package init(_ mask: Mask, pool: ThreadPool?) {
        self.init(shape: mask.shape, words: [UInt64](packing: mask.voxels, shape: mask.shape, pool: pool))
    }

    package func mask(geometry: Geometry, pool: ThreadPool?) -> Mask {
        Mask(shape: shape, geometry: geometry, voxels: words.unpacked(shape: shape, pool: pool))
    }

    package func components(_ neighbourhood: Neighbourhood, pool: ThreadPool?) -> RunComponents {
        words.withUnsafeBufferPointer {
            RunComponents(bits: $0, shape: shape, neighbourhood: neighbourhood, pool: pool)
        }
    }

    /// Every voxel that is not set.
    package func complement() -> BitVolume {
        var result = BitVolume(shape: shape, words: words.map { ~$0 })
        guard shape.width % 64 != 0 else { return result }
        let inside = ~(~UInt64(0) << UInt64(shape.width % 64))
        for index in stride(from: shape.wordsPerRow - 1, to: words.count, by: shape.wordsPerRow) {
            result.words[index] &= inside
        }
        return result
    }

    package func combined(with other: BitVolume, _ combine: (UInt64, UInt64) -> UInt64) -> BitVolume {
        precondition(other.shape == shape, "\(other.shape) and \(shape) are not one grid")
        return BitVolume(shape: shape, words: zip(words, other.words).map(combine))
    }

    /// Voxels on the volume's outermost layer.
    package static func border(of shape: VolumeShape) -> BitVolume {
        let all = BitVolume(shape: shape, words: [UInt64](repeating: 0, count: shape.bitWordCount)).complement()
        return all.combined(with: all.eroded(by: StructuringElement(box: BoxSize(z: 3, y: 3, x: 3)), pool: nil)) {
            $0 & ~$1
        }
    }

    /// Box around all set voxels; nil when there is none.
    package func boundingBox(pool: ThreadPool?) -> VoxelBox? {
        words.withUnsafeBufferPointer { VoxelBox(around: $0, shape: shape, pool: pool) }
    }

    /// A copy of the slices, rows and words given, which may reach outside: there the copy is 0.
    package func window(slices: Range<Int>, rows: Range<Int>, words columns: Range<Int>) -> BitVolume {
        let target = VolumeShape(depth: slices.count, height: rows.count, width: columns.count * 64)
        var copy = [UInt64](repeating: 0, count: target.bitWordCount)
        copyWords(slices, rows, columns) { inside, outside in copy[outside] = words[inside] }
        return BitVolume(shape: target, words: copy)
    }

    /// The way back from `window`: what it holds inside of this volume replaces what is here.
    package mutating func put(_ window: BitVolume, slices: Range<Int>, rows: Range<Int>, words columns: Range<Int>) {
        let inside = shape.width % 64 == 0 ? ~UInt64(0) : ~(~UInt64(0) << UInt64(shape.width % 64))
        let pitch = shape.wordsPerRow
        var changed = words
        copyWords(slices, rows, columns) { here, there in
            changed[here] = window.words[there] & (here % pitch == pitch - 1 ? inside : ~0)
        }
        words = changed
    }

    /// Pairs the indexes of words here with those in a window on them.
    private func copyWords(
        _ slices: Range<Int>, _ rows: Range<Int>, _ columns: Range<Int>, _ body: (Int, Int) -> Void
    ) {
        for z in slices.clamped(to: 0..<shape.depth) {
            for y in rows.clamped(to: 0..<shape.height) {
                let here = (z * shape.height + y) * shape.wordsPerRow
                let there = ((z - slices.lowerBound) * rows.count + y - rows.lowerBound) * columns.count
                for column in columns.clamped(to: 0..<shape.wordsPerRow) {
                    body(here + column, there + column - columns.lowerBound)
                }
            }
        }
    }
}
