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
    /// Packs bytes, not 0 = set.
    package init(packing mask: [UInt8], shape: VolumeShape, pool: ThreadPool?) {
        self = mask.withUnsafeBufferPointer { [UInt64](packing: $0, shape: shape, pool: pool) }
    }

    package init(packing mask: UnsafeBufferPointer<UInt8>, shape: VolumeShape, pool: ThreadPool?) {
        precondition(mask.count == shape.voxelCount, "a mask of \(shape) has \(shape.voxelCount) voxels")
        nonisolated(unsafe) let source = mask.baseAddress
        self.init(unsafeUninitializedCapacity: shape.bitWordCount) { words, initialized in
            initialized = shape.bitWordCount
            nonisolated(unsafe) let target = words.baseAddress
            runRanges(shape.rowCount, stride: taskRows, on: pool) {
                quintet_bits_from_bytes(source, shape.width, $0.lowerBound, $0.count, target)
            }
        }
    }

    /// 0 or 1 for every voxel.
    package func unpacked(shape: VolumeShape, pool: ThreadPool?) -> [UInt8] {
        precondition(count == shape.bitWordCount, "\(shape) voxels are \(shape.bitWordCount) words")
        return [UInt8](unsafeUninitializedCapacity: shape.voxelCount) { bytes, initialized in
            initialized = shape.voxelCount
            nonisolated(unsafe) let target = bytes.baseAddress
            withUnsafeBufferPointer { words in
                nonisolated(unsafe) let source = words.baseAddress
                runRanges(shape.rowCount, stride: taskRows, on: pool) {
                    quintet_bits_to_bytes(source, shape.width, $0.lowerBound, $0.count, target)
                }
            }
        }
    }
}
