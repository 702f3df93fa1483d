import CKernels
import Numerics

/// Connected components kept as runs (maximal stretches of set voxels in a row): what most callers want from
/// components - sizes, boxes, a mask of some of them - needs no label for every voxel.
///
/// Labels are 1 ... count in the order of each component's first voxel in C order.
package struct RunComponents {
    package let shape: VolumeShape
    /// Number of components.
    package let count: Int
    /// Index of each row's first run; row = z * height + y; one more entry at the end.
    private let rowStart: [Int32]
    private let runs: [quintet_run]
    /// A label for every run.
    private let labels: [Int32]

    private static let taskSlices = 8
    private static let taskRows = 512

    /// - Parameter mask: one byte a voxel; anything but 0 is foreground.
    package init(
        mask: UnsafeBufferPointer<UInt8>, shape: VolumeShape, neighbourhood: Neighbourhood, pool: ThreadPool?
    ) {
        precondition(mask.count == shape.voxelCount, "a mask of \(shape) has \(shape.voxelCount) voxels")
        nonisolated(unsafe) let base = mask.baseAddress
        self.init(
            shape: shape, neighbourhood: neighbourhood, pool: pool,
            count: { quintet_runs_count_bytes(base, shape.width, $0.lowerBound, $0.count, $1) },
            fill: { quintet_runs_fill_bytes(base, shape.width, $0.lowerBound, $0.count, $1, $2) })
    }

    /// - Parameter bits: `shape.bitWordCount` words; a row begins at a word (see quintet_bits.h), the bits behind its
    ///   end are 0.
    package init(
        bits: UnsafeBufferPointer<UInt64>, shape: VolumeShape, neighbourhood: Neighbourhood, pool: ThreadPool?
    ) {
        precondition(bits.count == shape.bitWordCount, "\(shape) voxels are \(shape.bitWordCount) words")
        nonisolated(unsafe) let base = bits.baseAddress
        self.init(
            shape: shape, neighbourhood: neighbourhood, pool: pool,
            count: { quintet_runs_count_bits(base, shape.width, $0.lowerBound, $0.count, $1) },
            fill: { quintet_runs_fill_bits(base, shape.width, $0.lowerBound, $0.count, $1, $2) })
    }

    private init(
        shape: VolumeShape, neighbourhood: Neighbourhood, pool: ThreadPool?,
        count countRuns: (Range<Int>, UnsafeMutablePointer<Int32>) -> Void,
        fill: (Range<Int>, UnsafePointer<Int32>, UnsafeMutablePointer<quintet_run>) -> Void
    ) {
        let rows = shape.rowCount
        let rowStart = Self.rowStarts(rows: rows, pool: pool, count: countRuns)
        let runCount = Int(rowStart[rows])
        let runs = [quintet_run](count: runCount) { runs in
            nonisolated(unsafe) let base = runs
            rowStart.withUnsafeBufferPointer { starts in
                nonisolated(unsafe) let starts = starts.baseAddress!
                runRanges(rows, stride: Self.taskRows, on: pool) { fill($0, starts, base) }
            }
        }
        var resolved = 0
        labels = [Int32](count: runCount) { parents in
            guard runCount > 0 else { return }
            Self.join(runs, rowStart, shape, neighbourhood, pool, parents: parents)
            resolved = Int(quintet_runs_resolve(parents, runCount))
        }
        self.shape = shape
        self.rowStart = rowStart
        self.runs = runs
        count = resolved
    }

    private static func rowStarts(
        rows: Int, pool: ThreadPool?, count countRuns: (Range<Int>, UnsafeMutablePointer<Int32>) -> Void
    ) -> [Int32] {
        [Int32](count: rows + 1) { starts in
            starts[0] = 0
            nonisolated(unsafe) let counts = starts + 1
            runRanges(rows, stride: taskRows, on: pool) { countRuns($0, counts + $0.lowerBound) }
            var total = 0
            for row in 1..<rows + 1 {
                total += Int(starts[row])
                precondition(total <= Int(Int32.max), "a mask has at most \(Int32.max) runs")
                starts[row] = Int32(total)
            }
        }
    }

    private static func join(
        _ runs: [quintet_run], _ rowStart: [Int32], _ shape: VolumeShape, _ neighbourhood: Neighbourhood,
        _ pool: ThreadPool?, parents: UnsafeMutablePointer<Int32>
    ) {
        let full: Int32 = neighbourhood == .full ? 1 : 0
        runs.withUnsafeBufferPointer { runs in
            rowStart.withUnsafeBufferPointer { starts in
                nonisolated(unsafe) let (runs, starts) = (runs.baseAddress!, starts.baseAddress!)
                nonisolated(unsafe) let parents = parents
                runRanges(shape.depth, stride: taskSlices, on: pool) {
                    quintet_runs_join(runs, starts, shape.height, $0.lowerBound, $0.count, full, parents)
                }
                for slice in stride(from: taskSlices, to: shape.depth, by: taskSlices) {
                    quintet_runs_join_seam(runs, starts, shape.height, slice, full, parents)
                }
            }
        }
    }
}

extension RunComponents {
    /// A label for every voxel.
    package func labelVolume(pool: ThreadPool?) -> [Int32] {
        paint(elements: shape.voxelCount, on: pool) {
            quintet_runs_paint(runs, labels, rowStart, shape.width, $0.lowerBound, $0.count, $1)
        }
    }

    /// 1 in the voxels of the components that are kept. `keep[label]` decides; `keep[0]` is not read.
    package func mask(keeping keep: [Bool], pool: ThreadPool?) -> [UInt8] {
        let keep = bytes(keep)
        return paint(elements: shape.voxelCount, on: pool) {
            quintet_runs_paint_bytes(runs, labels, keep, rowStart, shape.width, $0.lowerBound, $0.count, $1)
        }
    }

    /// As `mask(keeping:)`, one bit a voxel.
    package func bits(keeping keep: [Bool], pool: ThreadPool?) -> [UInt64] {
        let keep = bytes(keep)
        return paint(elements: shape.bitWordCount, on: pool) {
            quintet_runs_paint_bits(runs, labels, keep, rowStart, shape.width, $0.lowerBound, $0.count, $1)
        }
    }

    /// Takes the components that are not kept out of `bits`, the rows of bits that they were found in.
    package func erase(keeping keep: [Bool], from bits: inout [UInt64], pool: ThreadPool?) {
        precondition(bits.count == shape.bitWordCount, "\(shape) voxels are \(shape.bitWordCount) words")
        let keep = bytes(keep)
        bits.withUnsafeMutableBufferPointer { bits in
            nonisolated(unsafe) let base = bits.baseAddress
            runRanges(shape.rowCount, stride: Self.taskRows, on: pool) {
                quintet_runs_erase_bits(
                    runs, labels, keep, rowStart, shape.width, $0.lowerBound, $0.count, base)
            }
        }
    }

    /// `[label]` is true where the component holds a set bit of `bits`; `[0]` is false.
    package func touched(by bits: UnsafeBufferPointer<UInt64>, pool: ThreadPool?) -> [Bool] {
        precondition(bits.count == shape.bitWordCount, "\(shape) voxels are \(shape.bitWordCount) words")
        var marks = [UInt8](repeating: 0, count: count + 1)
        nonisolated(unsafe) let base = bits.baseAddress
        marks.withUnsafeMutableBufferPointer { marks in
            nonisolated(unsafe) let marks = marks.baseAddress
            runRanges(shape.rowCount, stride: Self.taskRows, on: pool) {
                quintet_runs_mark(runs, labels, rowStart, shape.width, $0.lowerBound, $0.count, base, marks)
            }
        }
        return marks.map { $0 != 0 }
    }

    /// Voxels of component `label` that are set in `bits`, at `[label - 1]`.
    package func voxelCounts(within bits: UnsafeBufferPointer<UInt64>) -> [Int] {
        precondition(bits.count == shape.bitWordCount, "\(shape) voxels are \(shape.bitWordCount) words")
        var counts = [Int64](repeating: 0, count: count + 1)
        quintet_runs_count_within(
            runs, labels, rowStart, shape.width, 0, shape.rowCount, bits.baseAddress, &counts)
        return counts.dropFirst().map { Int($0) }
    }

    /// Size of component `label` at `[label - 1]`.
    package func voxelCounts() -> [Int] {
        var counts = [Int](repeating: 0, count: count)
        for (run, label) in zip(runs, labels) { counts[Int(label) - 1] += Int(run.end - run.begin) }
        return counts
    }

    /// Box of component `label` at `[label - 1]`.
    package func boundingBoxes() -> [VoxelBox] {
        var boxes = [VoxelBox?](repeating: nil, count: count)
        for z in 0..<shape.depth {
            for y in 0..<shape.height {
                let row = z * shape.height + y
                for index in Int(rowStart[row])..<Int(rowStart[row + 1]) {
                    let run = VoxelBox(
                        z: z..<z + 1, y: y..<y + 1, x: Int(runs[index].begin)..<Int(runs[index].end))
                    let component = Int(labels[index]) - 1
                    boxes[component] = boxes[component]?.union(run) ?? run
                }
            }
        }
        return boxes.map { $0! }
    }

    private func bytes(_ keep: [Bool]) -> [UInt8] {
        precondition(keep.count == count + 1, "one entry for each of \(count) components and the background")
        return keep.map { $0 ? 1 : 0 }
    }

    private func paint<Value>(
        elements: Int, on pool: ThreadPool?, _ kernel: (Range<Int>, UnsafeMutablePointer<Value>) -> Void
    ) -> [Value] {
        [Value](count: elements) { values in
            nonisolated(unsafe) let base = values
            runRanges(shape.rowCount, stride: Self.taskRows, on: pool) { kernel($0, base) }
        }
    }
}
