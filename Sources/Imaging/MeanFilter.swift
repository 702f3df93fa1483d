import CKernels
import Numerics

/// Size of a box of voxels, odd on every axis so that it has a centre.
public struct BoxSize: Hashable, Sendable, Codable {
    public let z: Int
    public let y: Int
    public let x: Int

    public init(z: Int, y: Int, x: Int) {
        precondition(
            [z, y, x].allSatisfy { $0 >= 1 && $0 % 2 == 1 && $0 < 1 << 20 }, "a box's sizes are odd: \(z)x\(y)x\(x)")
        self.z = z
        self.y = y
        self.x = x
    }

    public var voxelCount: Int { z * y * x }
}

/// Sums and means over a box around every voxel; outside of the volume is 0 (method.md C; scipy.ndimage.uniform_filter
/// with mode="constant").
public enum MeanFilter {
    /// Exact number of set voxels in the box around every voxel.
    ///
    /// - Parameter mask: 0 or not 0, C order (z, y, x).
    public static func boxCounts(
        _ mask: UnsafeBufferPointer<UInt8>, shape: VolumeShape, box: BoxSize, pool: ThreadPool? = nil
    ) -> [UInt32] {
        let bits = [UInt64](packing: mask, shape: shape, pool: pool)
        return [UInt32](count: shape.voxelCount) { sums in
            nonisolated(unsafe) let target = sums
            bits.withUnsafeBufferPointer { bits in
                let sums = BoxSums(bits: bits, shape: shape, box: box, region: shape.box)
                sums.forEachTask(on: pool) { source, rows, slices, scratch in
                    quintet_box_sums(
                        source, rows.lowerBound, rows.count, slices.lowerBound, slices.count, scratch, target)
                }
            }
        }
    }

    /// Mean of the box around every voxel. Sums are in double and in one order - for every column the slices upwards,
    /// then the rows upwards, then x upwards - so the result has the same bits for any number of threads.
    public static func boxMeans(
        _ values: UnsafeBufferPointer<Float>, shape: VolumeShape, box: BoxSize, pool: ThreadPool? = nil
    ) -> [Float] {
        precondition(values.count == shape.voxelCount, "a volume of \(shape) has \(shape.voxelCount) voxels")
        nonisolated(unsafe) let source = values.baseAddress
        return [Float](count: shape.voxelCount) { means in
            nonisolated(unsafe) let target = means
            let bands = (shape.height + BoxSums.taskRows - 1) / BoxSums.taskRows
            runTasks(bands * shape.depth, on: pool) { task in
                let first = task % bands * BoxSums.taskRows, rows = min(BoxSums.taskRows, shape.height - first)
                let scratchCount = (rows + box.y) * (shape.width + box.x)
                withUnsafeTemporaryAllocation(of: Double.self, capacity: scratchCount) { scratch in
                    quintet_box_means(
                        source, shape.depth, shape.height, shape.width, box.z / 2, box.y / 2, box.x / 2,
                        task / bands, first, rows, scratch.baseAddress, target)
                }
            }
        }
    }
}

/// Exact integer sums over boxes, of bits or of intensities where a bit is set.
///
/// Intensities in [0, 1] are summed in fixed point, with as many binary digits as the box's sum leaves room for in 32
/// bits (23 for 7x7x7): no less exact than floats, and the order of additions cannot matter.
package struct BoxSums {
    /// Rows and slices that one task takes; a band's running sums then stay in the second-level cache.
    static let taskRows = 32
    static let taskSlices = 64

    private var source: quintet_box_source
    private let box: BoxSize

    /// - Parameters:
    ///   - bits: rows of bits; alive while the sums are used.
    ///   - intensities: nil where every set bit weighs 1; otherwise a value for every voxel, clipped to [0, 1].
    ///   - region: outside of it everything counts as 0 (in x, to whole words around it).
    ///   - bright: with intensities, what also gets the bits of an intensity of at least `from`, in the region, when
    ///     the means are compared.
    package init(
        bits: UnsafeBufferPointer<UInt64>, intensities: UnsafeBufferPointer<Float>? = nil, shape: VolumeShape,
        box: BoxSize, region: VoxelBox, bright: (from: Float, out: UnsafeMutableBufferPointer<UInt64>)? = nil
    ) {
        precondition(bright.map { $0.out.count == bits.count } ?? true, "two masks on one grid have as many words")
        precondition(bits.count == shape.bitWordCount, "\(shape) voxels are \(shape.bitWordCount) words")
        precondition(intensities.map { $0.count == shape.voxelCount } ?? true, "an intensity for every voxel")
        precondition(box.voxelCount < 1 << 31, "a box of \(box) is too large to count")
        var shift = 0
        if intensities != nil { while shift < 24 && box.voxelCount << (shift + 1) < 1 << 32 { shift += 1 } }
        self.box = box
        source = quintet_box_source(
            bits: bits.baseAddress, intensities: intensities?.baseAddress, shift: UInt32(shift),
            bright: bright?.out.baseAddress, bright_from: bright?.from ?? 0, height: shape.height, width: shape.width,
            z_begin: region.z.lowerBound, z_end: region.z.upperBound, y_begin: region.y.lowerBound,
            y_end: region.y.upperBound, word_begin: region.x.lowerBound / 64,
            word_end: (region.x.upperBound + 63) / 64, radius_z: box.z / 2, radius_y: box.y / 2, radius_x: box.x / 2)
    }

    /// Sets the words of `out` in the region to "within, and the mean over the box > threshold".
    ///
    /// - Parameters:
    ///   - threshold: taken as the decimal number it prints as, to a millionth: 25 voxels of 125 are exactly 0.2 and
    ///     not above it.
    ///   - within: rows of bits.
    package func setWhereMeanExceeds(
        _ threshold: Double, within: UnsafeBufferPointer<UInt64>, out: UnsafeMutableBufferPointer<UInt64>,
        pool: ThreadPool?
    ) {
        precondition(within.count == out.count, "two masks on one grid have as many words")
        precondition(threshold >= 0 && threshold <= 1, "a mean of values in [0, 1] is compared with such a value")
        let millionths = UInt64((threshold * 1e6).rounded())
        let whole = (UInt64(box.voxelCount) << UInt64(source.shift)).multipliedFullWidth(by: millionths)
        let limit = UInt32(clamping: UInt64(1_000_000).dividingFullWidth(whole).quotient)
        nonisolated(unsafe) let (within, target) = (within.baseAddress, out.baseAddress)
        forEachTask(on: pool) { source, rows, slices, scratch in
            quintet_box_exceeds(
                source, limit, within, rows.lowerBound, rows.count, slices.lowerBound, slices.count, scratch, target)
        }
    }

    func forEachTask(
        on pool: ThreadPool?,
        _ body: (UnsafePointer<quintet_box_source>, Range<Int>, Range<Int>, UnsafeMutablePointer<UInt32>) -> Void
    ) {
        guard source.z_begin < source.z_end, source.word_begin < source.word_end else { return }
        let rows = source.y_end - source.y_begin, slices = source.z_end - source.z_begin
        let bands = (rows + Self.taskRows - 1) / Self.taskRows, slabs = (slices + Self.taskSlices - 1) / Self.taskSlices
        withUnsafePointer(to: source) { source in
            nonisolated(unsafe) let source = source
            runTasks(bands * slabs, on: pool) { task in
                let row = source.pointee.y_begin + task % bands * Self.taskRows
                let slice = source.pointee.z_begin + task / bands * Self.taskSlices
                let rows = row..<min(row + Self.taskRows, source.pointee.y_end)
                let slices = slice..<min(slice + Self.taskSlices, source.pointee.z_end)
                let count = quintet_box_scratch_count(source, rows.count)
                withUnsafeTemporaryAllocation(of: UInt32.self, capacity: count) {
                    body(source, rows, slices, $0.baseAddress!)
                }
            }
        }
    }
}
