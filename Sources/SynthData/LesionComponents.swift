import CKernels
import Imaging

/// The lesion areas G_1, G_2, ...: components of touching faces, in the order of their first voxels, as runs of voxels.
struct LesionComponents {
    struct Run {
        var z: Int
        var y: Int
        var x: Range<Int>
    }

    private(set) var count = 0
    private(set) var boxes: [VoxelBox] = []
    /// The runs of component j are order[starts[j] ..< starts[j + 1]].
    private var starts: [Int] = [0]
    private var order: [Run] = []

    init(lesion: UnsafeBufferPointer<UInt8>, shape: VolumeShape) {
        let rows = shape.depth * shape.height
        var rowStart = [Int32](repeating: 0, count: rows + 1)
        rowStart.withUnsafeMutableBufferPointer {
            quintet_runs_count_bytes(lesion.baseAddress, shape.width, 0, rows, $0.baseAddress! + 1)
        }
        for row in 0..<rows { rowStart[row + 1] += rowStart[row] }
        let runCount = Int(rowStart[rows])
        if runCount == 0 { return }
        var runs = [quintet_run](repeating: quintet_run(), count: runCount)
        var labels = [Int32](repeating: 0, count: runCount)
        quintet_runs_fill_bytes(lesion.baseAddress, shape.width, 0, rows, rowStart, &runs)
        quintet_runs_join(runs, rowStart, shape.height, 0, shape.depth, 0, &labels)
        count = Int(quintet_runs_resolve(&labels, runCount))
        collect(runs, labels, rowStart, shape)
    }

    /// Sorts the runs by component, keeping their order within each.
    private mutating func collect(
        _ runs: [quintet_run], _ labels: [Int32], _ rowStart: [Int32], _ shape: VolumeShape
    ) {
        starts = [Int](repeating: 0, count: count + 1)
        for label in labels { starts[Int(label)] += 1 }
        for label in 0..<count { starts[label + 1] += starts[label] }
        var next = starts
        order = [Run](repeating: Run(z: 0, y: 0, x: 0..<0), count: runs.count)
        var boxes = [VoxelBox?](repeating: nil, count: count)
        for row in 0..<shape.depth * shape.height {
            for index in Int(rowStart[row])..<Int(rowStart[row + 1]) {
                let label = Int(labels[index]) - 1
                let run = Run(z: row / shape.height, y: row % shape.height,
                              x: Int(runs[index].begin)..<Int(runs[index].end))
                order[next[label]] = run
                next[label] += 1
                boxes[label] = Self.union(boxes[label], run)
            }
        }
        self.boxes = boxes.map { $0! }
    }

    private static func union(_ box: VoxelBox?, _ run: Run) -> VoxelBox {
        guard let box else { return VoxelBox(z: run.z..<run.z + 1, y: run.y..<run.y + 1, x: run.x) }
        return VoxelBox(
            z: box.z.lowerBound..<run.z + 1,
            y: min(box.y.lowerBound, run.y)..<max(box.y.upperBound, run.y + 1),
            x: min(box.x.lowerBound, run.x.lowerBound)..<max(box.x.upperBound, run.x.upperBound))
    }

    func runs(of component: Int) -> ArraySlice<Run> { order[starts[component]..<starts[component + 1]] }
}
