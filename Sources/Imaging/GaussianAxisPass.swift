import CKernels
import Numerics

extension GaussianAxis {
    /// Applies the step to a whole volume.
    /// - Parameters:
    ///   - axis: 0 is z, 1 is y, 2 is x.
    ///   - shape: of the source; its length along `axis` is `inputCount`. The target's is `outputCount` there.
    package func apply(
        alongAxis axis: Int, from source: UnsafePointer<Float>, shape: VolumeShape,
        to target: UnsafeMutablePointer<Float>, pool: ThreadPool?
    ) {
        nonisolated(unsafe) let (source, target) = (source, target)
        switch axis {
        case 0:
            // A column of row pieces through all slices stays in the cache.
            runRanges(shape.sliceVoxelCount, stride: 1024, on: pool) { piece in
                combine(source + piece.lowerBound, target + piece.lowerBound, shape.sliceVoxelCount, count: piece.count)
            }
        case 1:
            let width = shape.width, (from, to) = (shape.sliceVoxelCount, outputCount * shape.width)
            runTasks(shape.depth, on: pool) { z in
                for first in stride(from: 0, to: width, by: 512) {
                    combine(source + z * from + first, target + z * to + first, width, count: min(512, width - first))
                }
            }
        default:
            runTasks(shape.depth, on: pool) { z in
                let along = convolution == nil ? combineTurned : convolveRows
                along(source + z * shape.sliceVoxelCount, target + z * shape.height * outputCount,
                      shape.height)
            }
        }
    }

    /// Both sides are rows `stride` apart, of which `count` values are combined.
    private func combine(
        _ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ stride: Int, count: Int
    ) {
        weights.withUnsafeBufferPointer { weights in
            for (j, row) in rows.enumerated() {
                quintet_weighted_rows(source + row.lower * stride, stride, weights.baseAddress! + row.offset,
                                      Int32(row.taps), target + j * stride, count)
            }
        }
    }

    /// Along x with the same taps everywhere: a row, lengthened by what lies beyond its border, is its own neighbour.
    private func convolveRows(_ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ rows: Int) {
        let (taps, boundary) = convolution!, radius = taps.count / 2
        withUnsafeTemporaryAllocation(of: Float.self, capacity: inputCount + 2 * radius) { scratch in
            for row in 0..<rows {
                var start = source + row * inputCount
                if let boundary {
                    scratch.baseAddress!.advanced(by: radius).update(from: start, count: inputCount)
                    for beyond in 1...max(radius, 1) where radius > 0 {
                        let (left, right) = (mirrored(-beyond), mirrored(inputCount - 1 + beyond))
                        scratch[radius - beyond] = boundary == .mirror ? start[left] : 0
                        scratch[radius + inputCount - 1 + beyond] = boundary == .mirror ? start[right] : 0
                    }
                    start = UnsafePointer(scratch.baseAddress!)
                }
                quintet_weighted_rows(start, 1, taps, Int32(taps.count), target + row * outputCount, outputCount)
            }
        }
    }

    private func mirrored(_ place: Int) -> Int {
        let folded = ((place % (2 * inputCount)) + 2 * inputCount) % (2 * inputCount)
        return folded < inputCount ? folded : 2 * inputCount - 1 - folded
    }

    /// Along x otherwise: the slice is turned, combined and turned back, so that the sums stay vectors.
    private func combineTurned(_ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ rows: Int) {
        let block = 32, (from, to) = (inputCount, outputCount)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: block * (from + to)) { scratch in
            let turned = scratch.baseAddress!, combined = turned + block * from
            for first in stride(from: 0, to: rows, by: block) {
                let count = min(block, rows - first)
                quintet_transpose(source + first * from, count, from, turned)
                combine(turned, combined, count, count: count)
                quintet_transpose(combined, to, count, target + first * to)
            }
        }
    }
}
