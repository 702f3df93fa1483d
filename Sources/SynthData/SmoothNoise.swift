import Imaging
import Numerics

/// Gaussian-filtered noise over a volume.
enum SmoothNoise {
    /// Noise of unit spread and zero mean.
    /// - Parameter sigmaMM: standard deviation of the filter; below a third of a voxel the noise stays white.
    static func field(
        shape: VolumeShape, spacing: Spacing, sigmaMM: Double, stream: RandomStream, pool: ThreadPool?,
        workspace: FilterWorkspace
    ) -> [Float] {
        var field = [Float](unsafeUninitializedCapacity: shape.voxelCount) { buffer, initialized in
            initialized = shape.voxelCount
            nonisolated(unsafe) let base = buffer.baseAddress!
            let slice = shape.sliceVoxelCount
            runTasks(shape.depth, on: pool) { z in
                var part = stream.skipping(z * slice)
                part.fill(UnsafeMutableBufferPointer(start: base + z * slice, count: slice))
            }
        }
        field.withUnsafeMutableBufferPointer { values in
            func sigma(_ spacingMM: Double) -> Double { sigmaMM / spacingMM < 0.33 ? 0 : sigmaMM / spacingMM }
            GaussianFilter.apply(
                values, shape: shape,
                sigmaVoxels: (z: sigma(spacing.zMM), y: sigma(spacing.yMM), x: sigma(spacing.xMM)), truncate: 3,
                pool: pool, workspace: workspace)
            normalise(values)
        }
        return field
    }

    private static func normalise(_ values: UnsafeMutableBufferPointer<Float>) {
        var sum = 0.0, squares = 0.0
        for value in values {
            let centred = Double(value) - 0.5
            sum += centred
            squares += centred * centred
        }
        let mean = sum / Double(values.count), variance = squares / Double(values.count) - mean * mean
        let scale = Float(1 / max(variance, 1e-12).squareRoot()), shift = Float(mean + 0.5)
        for index in values.indices { values[index] = (values[index] - shift) * scale }
    }
}
