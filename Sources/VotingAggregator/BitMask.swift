import CKernels
import Imaging
import Numerics

/// A mask with one bit a voxel, 64 voxels a word: a replica's vote on a 300x512x512 volume is 10 MB.
///
/// Every row begins at a word: voxel (z, y, x) is bit x % 64 of word `(z * height + y) * wordsPerRow + x / 64`, and
/// the bits behind a row's end are 0.
public struct BitMask: Hashable, Sendable {
    public let shape: VolumeShape
    public internal(set) var words: [UInt64]

    /// A mask without a voxel.
    public init(shape: VolumeShape, pool: ThreadPool? = nil) {
        self.init(shape: shape, words: [UInt64](zerosFor: shape, pool: pool))
    }

    /// - Parameter words: in the layout of `BitMask`, the bits behind each row's end 0.
    init(shape: VolumeShape, words: [UInt64]) {
        precondition(words.count == shape.bitWordCount, "\(shape) voxels are \(shape.bitWordCount) words")
        self.shape = shape
        self.words = words
    }

    /// - Parameter voxels: one byte a voxel, C order (z, y, x); anything but 0 is set.
    public init(shape: VolumeShape, voxels: UnsafeBufferPointer<UInt8>, pool: ThreadPool? = nil) {
        self.init(shape: shape, words: [UInt64](packing: voxels, shape: shape, pool: pool))
    }

    public init(_ mask: Mask, pool: ThreadPool? = nil) {
        self.init(shape: mask.shape, words: [UInt64](packing: mask.voxels, shape: mask.shape, pool: pool))
    }

    /// Bit = `values` > `threshold`; a value that is not a number is not above it. For votes (method.md A4).
    ///
    /// - Parameters:
    ///   - values: one for each voxel, C order (z, y, x).
    ///   - threshold: finite.
    public init(
        shape: VolumeShape, values: UnsafeBufferPointer<Float>, above threshold: Float, pool: ThreadPool? = nil
    ) {
        precondition(threshold.isFinite, "a threshold is a number")
        // Above a float is the same as at least the next one.
        self.init(filling: shape)
        keep(atLeast: threshold.nextUp, values, pool: pool)
    }

    /// Overwrites whole slices: bit = `values` > `threshold`, as in `init(shape:values:above:pool:)`.
    ///
    /// - Parameter values: one for each voxel of the slices, C order (z, y, x).
    public mutating func set(
        slices: Range<Int>, where values: UnsafeBufferPointer<Float>, above threshold: Float, pool: ThreadPool? = nil
    ) {
        precondition(slices.lowerBound >= 0 && slices.upperBound <= shape.depth, "\(shape) has no slices \(slices)")
        let part = BitMask(
            shape: VolumeShape(depth: slices.count, height: shape.height, width: shape.width), values: values,
            above: threshold, pool: pool)
        let perSlice = shape.height * shape.wordsPerRow
        words.replaceSubrange((slices.lowerBound * perSlice)..<(slices.upperBound * perSlice), with: part.words)
    }

    /// Every voxel set.
    public init(filling shape: VolumeShape) {
        self.init(shape: shape, words: BitVolume(shape: shape, words: BitMask(shape: shape).words).complement().words)
    }

    private static let taskRows = 256
    private static let taskWords = 1 << 15

    /// Takes out the voxels whose value is not at least `threshold`, or not a number.
    mutating func keep(atLeast threshold: Float, _ values: UnsafeBufferPointer<Float>, pool: ThreadPool?) {
        precondition(values.count == shape.voxelCount, "\(shape) has \(shape.voxelCount) values")
        let shape = shape
        words.withUnsafeMutableBufferPointer { words in
            nonisolated(unsafe) let (values, words) = (values.baseAddress, words.baseAddress)
            runRanges(shape.rowCount, stride: Self.taskRows, on: pool) {
                quintet_bits_at_least(values, threshold, words, shape.width, $0.lowerBound, $0.count, words)
            }
        }
    }

    /// Sets the voxels of `lung` around which the mean over the box is above the threshold.
    ///
    /// - Parameter sums: of boxes in a region outside of which this mask and the lung have no voxel.
    mutating func set(within lung: BitMask, meanAbove threshold: Double, _ sums: BoxSums, pool: ThreadPool?) {
        words.withUnsafeMutableBufferPointer { out in
            lung.words.withUnsafeBufferPointer {
                sums.setWhereMeanExceeds(threshold, within: $0, out: out, pool: pool)
            }
        }
    }

    /// 0 or 1 for every voxel, C order (z, y, x).
    public func voxels(pool: ThreadPool? = nil) -> [UInt8] { words.unpacked(shape: shape, pool: pool) }

    /// Overwrites `voxels`, one for every voxel, with 0 or 1: an array that is used again has its memory already.
    public func write(to voxels: inout [UInt8], pool: ThreadPool? = nil) {
        precondition(voxels.count == shape.voxelCount, "\(shape) has \(shape.voxelCount) voxels")
        voxels.withUnsafeMutableBufferPointer { words.unpack(to: $0, shape: shape, pool: pool) }
    }

    /// As a volume at the place in the patient that `geometry` says.
    public func mask(geometry: Geometry, pool: ThreadPool? = nil) -> Mask {
        Mask(shape: shape, geometry: geometry, voxels: voxels(pool: pool))
    }

    public subscript(z: Int, y: Int, x: Int) -> Bool {
        get { words[(z * shape.height + y) * shape.wordsPerRow + x / 64] >> UInt64(x % 64) & 1 != 0 }
        set {
            precondition(x >= 0 && x < shape.width, "x is outside of \(shape)")
            let index = (z * shape.height + y) * shape.wordsPerRow + x / 64, bit: UInt64 = 1 << UInt64(x % 64)
            words[index] = newValue ? words[index] | bit : words[index] & ~bit
        }
    }

    /// Number of voxels set.
    public var voxelCount: Int { quintet_bits_count(words, words.count) }

    /// Number of voxels set in both. Both are on one grid.
    public func voxelCount(sharedWith other: BitMask) -> Int {
        precondition(other.shape == shape, "\(other.shape) and \(shape) are not one grid")
        return quintet_bits_count_both(words, other.words, words.count)
    }

    /// Voxels of both masks. Both are on one grid.
    public func intersection(_ other: BitMask, pool: ThreadPool? = nil) -> BitMask {
        combined(with: other, pool) { $0 & $1 }
    }

    /// Voxels of either mask. Both are on one grid.
    public func union(_ other: BitMask, pool: ThreadPool? = nil) -> BitMask {
        combined(with: other, pool) { $0 | $1 }
    }

    /// Voxels that are not in the other mask. Both are on one grid.
    public func subtracting(_ other: BitMask, pool: ThreadPool? = nil) -> BitMask {
        combined(with: other, pool) { $0 & ~$1 }
    }

    /// As above; the other mask's bytes are read only where this one has voxels.
    func subtracting(_ other: Mask, pool: ThreadPool?) -> BitMask {
        precondition(other.shape == shape, "\(other.shape) and \(shape) are not one grid")
        let left = [UInt64](count: words.count) { out in
            nonisolated(unsafe) let out = out
            runRanges(shape.rowCount, stride: Self.taskRows, on: pool) {
                quintet_bits_without_bytes(other.voxels, words, shape.width, $0.lowerBound, $0.count, out)
            }
        }
        return BitMask(shape: shape, words: left)
    }

    @inline(__always)
    private func combined(
        with other: BitMask, _ pool: ThreadPool?, _ combine: (UInt64, UInt64) -> UInt64
    ) -> BitMask {
        precondition(other.shape == shape, "\(other.shape) and \(shape) are not one grid")
        let combinedWords = [UInt64](count: words.count) { target in
            words.withUnsafeBufferPointer { a in
                other.words.withUnsafeBufferPointer { b in
                    nonisolated(unsafe) let (a, b, target) = (a, b, target)
                    runRanges(words.count, stride: Self.taskWords, on: pool) {
                        for index in $0 { target[index] = combine(a[index], b[index]) }
                    }
                }
            }
        }
        return BitMask(shape: shape, words: combinedWords)
    }

    /// Box around all set voxels; nil when there is none.
    public func boundingBox(pool: ThreadPool? = nil) -> VoxelBox? {
        BitVolume(shape: shape, words: words).boundingBox(pool: pool)
    }

    /// All voxels whose centre is at most `radiusMM` away from a set one's, to a millionth of it.
    ///
    /// From distances, not by moving a ball about: a file's voxels may be a thousandth of a millimetre wide, and a
    /// ball's cost grows with the square of its radius in voxels. This one's is the volume's, whatever the radius.
    public func dilated(radiusMM: Double, spacing: Spacing, pool: ThreadPool? = nil) -> BitMask {
        precondition(radiusMM >= 0 && radiusMM.isFinite, "a mask grows by 0 mm or more")
        let distances = DistanceTransform.distanceMM(
            to: mask(geometry: Geometry(spacing: spacing), pool: pool), pool: pool)
        let beyond = distances.voxels.withUnsafeBufferPointer {
            BitMask(shape: shape, values: $0, above: Float(radiusMM * (1 + 1e-6)), pool: pool)
        }
        return BitMask(filling: shape).subtracting(beyond)
    }
}
