import Numerics

extension GridMapping {
    /// Trilinear sampling, averaged where the target is coarser (see `GridMapping`); Float arithmetic in fixed order,
    /// the same bytes for any number of threads.
    /// - Parameters:
    ///   - volume: of `sourceShape`.
    ///   - isAveraging: false samples once per voxel whatever the grids.
    public func linear(_ volume: Volume<Float>, isAveraging: Bool = true, pool: ThreadPool) -> Volume<Float> {
        precondition(volume.shape == sourceShape, "a volume of \(volume.shape) is not one of \(sourceShape)")
        let axes = (
            z: LinearAxis(sourceShape.depth, targetShape.depth, ratio.z, isAveraging),
            y: LinearAxis(sourceShape.height, targetShape.height, ratio.y, isAveraging),
            x: LinearAxis(sourceShape.width, targetShape.width, ratio.x, isAveraging)
        )
        let slice = targetShape.sliceVoxelCount
        let voxels = [Float](unsafeUninitializedCapacity: targetShape.voxelCount) { target, count in
            let output = SharedPointer(target.baseAddress!)
            volume.voxels.withUnsafeBufferPointer { source in
                let input = SharedPointer(UnsafeMutablePointer(mutating: source.baseAddress!))
                pool.run(taskCount: targetShape.depth) { z in
                    linearSlice(z, axes, input.pointer, output.pointer + z * slice)
                }
            }
            count = targetShape.voxelCount
        }
        return Volume(shape: targetShape, geometry: targetGeometry(volume.geometry), voxels: voxels)
    }

    /// Weighted sums along z into a plane, along y into a row, along x into the output.
    private func linearSlice(
        _ z: Int, _ axes: (z: LinearAxis, y: LinearAxis, x: LinearAxis), _ source: UnsafePointer<Float>,
        _ output: UnsafeMutablePointer<Float>
    ) {
        let (width, planeCount) = (sourceShape.width, sourceShape.sliceVoxelCount)
        let plane = UnsafeMutablePointer<Float>.allocate(capacity: planeCount + width)
        defer { plane.deallocate() }
        let row = plane + planeCount
        axes.z.combine(z, source, stride: planeCount, count: planeCount, into: plane)
        for y in 0 ..< targetShape.height {
            axes.y.combine(y, plane, stride: width, count: width, into: row)
            axes.x.gather(row, into: output + y * targetShape.width)
        }
    }

    /// The nearest source voxel's value (halfway goes to the higher index). For masks, and for the way back.
    public func nearest(_ volume: Mask, pool: ThreadPool) -> Mask {
        precondition(volume.shape == sourceShape, "a volume of \(volume.shape) is not one of \(sourceShape)")
        let z = nearestIndexes(sourceShape.depth, targetShape.depth, ratio.z)
        let y = nearestIndexes(sourceShape.height, targetShape.height, ratio.y)
        let x = nearestIndexes(sourceShape.width, targetShape.width, ratio.x)
        let (width, slice) = (targetShape.width, targetShape.sliceVoxelCount)
        let voxels = [UInt8](unsafeUninitializedCapacity: targetShape.voxelCount) { target, count in
            let output = SharedPointer(target.baseAddress!)
            volume.voxels.withUnsafeBufferPointer { source in
                let input = SharedPointer(UnsafeMutablePointer(mutating: source.baseAddress!))
                pool.run(taskCount: targetShape.depth) { depth in
                    x.withUnsafeBufferPointer { x in
                        for height in 0 ..< y.count {
                            let from = input.pointer + sourceShape.index(z: z[depth], y: y[height], x: 0)
                            let to = output.pointer + depth * slice + height * width
                            for column in 0 ..< width { to[column] = from[x[column]] }
                        }
                    }
                }
            }
            count = targetShape.voxelCount
        }
        return Volume(shape: targetShape, geometry: targetGeometry(volume.geometry), voxels: voxels)
    }
}

/// Threads write disjoint parts behind it.
struct SharedPointer<Element>: @unchecked Sendable {
    let pointer: UnsafeMutablePointer<Element>
    init(_ pointer: UnsafeMutablePointer<Element>) { self.pointer = pointer }
}

private func nearestIndexes(_ sourceCount: Int, _ targetCount: Int, _ ratio: Double) -> [Int] {
    (0 ..< targetCount).map { target in
        let position = ratio * Double(target) + (0.5 * ratio - 0.5)
        return Int((min(max(position, 0), Double(sourceCount - 1)) + 0.5).rounded(.down))
    }
}

/// Linear sampling and averaging along one axis: every target voxel is a weighted sum of `tapCount` neighbouring source
/// voxels from `firsts[target]` on.
private struct LinearAxis {
    let tapCount: Int
    let firsts: [Int]
    /// [target][tap]
    let weights: [Float]

    init(_ sourceCount: Int, _ targetCount: Int, _ ratio: Double, _ isAveraging: Bool) {
        let sampleCount = isAveraging ? max(1, Int((1.001 * ratio).rounded(.down))) : 1
        let step = ratio / Double(sampleCount)
        let position = { (sample: Int) in
            min(max(step * Double(sample) + (0.5 * step - 0.5), 0), Double(sourceCount - 1))
        }
        let taps = min(sourceCount, Int((step * Double(sampleCount - 1)).rounded(.up)) + 2)
        var firsts: [Int] = []
        var weights = [Double](repeating: 0, count: targetCount * taps)
        for target in 0 ..< targetCount {
            let first = min(Int(position(target * sampleCount)), sourceCount - taps)
            firsts.append(first)
            for sample in 0 ..< sampleCount {
                let at = position(target * sampleCount + sample)
                let below = Int(at)
                let fraction = at - Double(below)
                weights[target * taps + below - first] += (1 - fraction) / Double(sampleCount)
                if fraction > 0 { weights[target * taps + below + 1 - first] += fraction / Double(sampleCount) }
            }
        }
        self.tapCount = taps
        self.firsts = firsts
        self.weights = weights.map { Float($0) }
    }

    /// `output[i] = sum over taps of weight * source[(first + tap) * stride + i]`
    func combine(
        _ target: Int, _ source: UnsafePointer<Float>, stride: Int, count: Int, into output: UnsafeMutablePointer<Float>
    ) {
        let from = source + firsts[target] * stride
        let weight = weights[target * tapCount]
        for index in 0 ..< count { output[index] = weight * from[index] }
        for tap in 1 ..< max(tapCount, 1) {
            let weight = weights[target * tapCount + tap]
            if weight == 0 { continue }
            let layer = from + tap * stride
            for index in 0 ..< count { output[index] += weight * layer[index] }
        }
    }

    func gather(_ row: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>) {
        firsts.withUnsafeBufferPointer { firsts in
            weights.withUnsafeBufferPointer { weights in
                for target in 0 ..< firsts.count {
                    let (from, weight) = (row + firsts[target], weights.baseAddress! + target * tapCount)
                    var sum = weight[0] * from[0]
                    for tap in 1 ..< max(tapCount, 1) { sum += weight[tap] * from[tap] }
                    output[target] = sum
                }
            }
        }
    }
}
