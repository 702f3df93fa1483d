import CKernels
import Numerics

/// Masks as rows of bits, the layout of quintet_bits.h: a row of voxels begins at a word, voxel x of row
/// `z * height + y` is bit x % 64 of its word x / 64, and the bits behind a row's end are 0.
extension VolumeShape {
    package var wordsPerRow: Int { (width + 63) / 64 }
    package var rowCount: Int { depth * height }
    package var bitWordCount: Int { rowCount * wordsPerRow }
    package var box: VoxelBox { VoxelBox(z: 0..<depth, y: 0..<height, x: 0..<width) }
}

/// Rows a task packs or unpacks.
private let taskRows = 512

extension [UInt64] {
    /// A mask without a voxel.
    package init(zerosFor shape: VolumeShape, pool: ThreadPool?) {
        self.init(count: shape.bitWordCount) { words in
            nonisolated(unsafe) let words = words
            runRanges(shape.rowCount, stride: taskRows, on: pool) {
                (words + $0.lowerBound * shape.wordsPerRow).initialize(
                    repeating: 0, count: $0.count * shape.wordsPerRow)
            }
        }
    }

    /// Packs bytes, not 0 = set.
    package init(packing mask: [UInt8], shape: VolumeShape, pool: ThreadPool?) {
        self = mask.withUnsafeBufferPointer { [UInt64](packing: $0, shape: shape, pool: pool) }
    }

    package init(packing mask: UnsafeBufferPointer<UInt8>, shape: VolumeShape, pool: ThreadPool?) {
        precondition(mask.count == shape.voxelCount, "a mask of \(shape) has \(shape.voxelCount) voxels")
        nonisolated(unsafe) let source = mask.baseAddress
        self.init(count: shape.bitWordCount) { words in
            nonisolated(unsafe) let target = words
            runRanges(shape.rowCount, stride: taskRows, on: pool) {
                quintet_bits_from_bytes(source, shape.width, $0.lowerBound, $0.count, target)
            }
        }
    }

    /// 0 or 1 for every voxel.
    package func unpacked(shape: VolumeShape, pool: ThreadPool?) -> [UInt8] {
        [UInt8](count: shape.voxelCount) {
            unpack(to: UnsafeMutableBufferPointer(start: $0, count: shape.voxelCount), shape: shape, pool: pool)
        }
    }

    /// As above, into memory that there is.
    package func unpack(to bytes: UnsafeMutableBufferPointer<UInt8>, shape: VolumeShape, pool: ThreadPool?) {
        precondition(
            count == shape.bitWordCount && bytes.count == shape.voxelCount,
            "\(shape) voxels are \(shape.bitWordCount) words")
        nonisolated(unsafe) let target = bytes.baseAddress
        withUnsafeBufferPointer { words in
            nonisolated(unsafe) let source = words.baseAddress
            runRanges(shape.rowCount, stride: taskRows, on: pool) {
                quintet_bits_to_bytes(source, shape.width, $0.lowerBound, $0.count, target)
            }
        }
    }
}

extension VoxelBox {
    /// Slices that one task looks through.
    private static let taskSlices = 8

    /// The smallest box around all set bits; nil when there is none.
    package init?(around bits: UnsafeBufferPointer<UInt64>, shape: VolumeShape, pool: ThreadPool?) {
        precondition(bits.count == shape.bitWordCount, "\(shape) voxels are \(shape.bitWordCount) words")
        let boxes = [VoxelBox?](count: (shape.depth + Self.taskSlices - 1) / Self.taskSlices) { boxes in
            nonisolated(unsafe) let (bits, boxes) = (bits, boxes)
            runRanges(shape.depth, stride: Self.taskSlices, on: pool) { slices in
                (boxes + slices.lowerBound / Self.taskSlices).initialize(to: Self.box(bits, shape, slices))
            }
        }
        guard let first = boxes.compactMap({ $0 }).first else { return nil }
        self = boxes.reduce(first) { $1.map($0.union) ?? $0 }
    }

    private static func box(
        _ bits: UnsafeBufferPointer<UInt64>, _ shape: VolumeShape, _ slices: Range<Int>
    ) -> VoxelBox? {
        var z: Range<Int>?, y = 0..<0
        var columns = [UInt64](repeating: 0, count: shape.wordsPerRow)
        for row in slices.lowerBound * shape.height..<slices.upperBound * shape.height {
            var any: UInt64 = 0
            for column in 0..<shape.wordsPerRow {
                let word = bits[row * shape.wordsPerRow + column]
                columns[column] |= word
                any |= word
            }
            guard any != 0 else { continue }
            let (slice, line) = (row / shape.height, row % shape.height)
            y = z == nil ? line..<line + 1 : min(y.lowerBound, line)..<max(y.upperBound, line + 1)
            z = (z?.lowerBound ?? slice)..<slice + 1
        }
        guard let z else { return nil }
        let first = columns.firstIndex { $0 != 0 }!, last = columns.lastIndex { $0 != 0 }!
        return VoxelBox(
            z: z, y: y,
            x: first * 64 + columns[first].trailingZeroBitCount
                ..< (last + 1) * 64 - columns[last].leadingZeroBitCount)
    }
}
