import Imaging
import Numerics
import VotingAggregator

/// A prepared volume in little memory, to the bit: masks with a bit a voxel, and the intensity of the lung's voxels
/// only, since it is 0 everywhere else. A tenth to a fifth of the volume.
package struct PackedVolume: Sendable {
    private let lung: BitMask
    private let sourceLung: BitMask
    /// Of the lung's voxels, in their order.
    private let intensities: [Float]
    /// How many of them lie in the slices before each one.
    private let countBefore: [Int]
    private let lungGeometry: Geometry
    private let intensityGeometry: Geometry
    private let sourceLungGeometry: Geometry
    private let plan: ResamplingPlan
    private let source: ImageSource
    private let edgeVoxelsRemoved: Int
    private let warnings: [String]

    /// nil where there is something outside the lung, or a mask holds something else than 0 and 1: nothing that is
    /// prepared does.
    package init?(_ volume: PreparedVolume, pool: ThreadPool) {
        guard volume.lung.shape == volume.intensity.shape else { return nil }
        lung = BitMask(volume.lung, pool: pool)
        sourceLung = BitMask(volume.sourceLung, pool: pool)
        let shape = volume.lung.shape, plane = shape.sliceVoxelCount
        var values: [Float] = []
        values.reserveCapacity(lung.voxelCount)
        var before: [Int] = []
        for z in 0..<shape.depth {
            before.append(values.count)
            for index in (z * plane)..<((z + 1) * plane) {
                let (inside, value) = (volume.lung.voxels[index], volume.intensity.voxels[index])
                if inside == 1 { values.append(value) } else if inside != 0 || value.bitPattern != 0 { return nil }
            }
        }
        guard volume.sourceLung.voxels.allSatisfy({ $0 <= 1 }) else { return nil }
        (intensities, countBefore) = (values, before)
        (lungGeometry, intensityGeometry) = (volume.lung.geometry, volume.intensity.geometry)
        sourceLungGeometry = volume.sourceLung.geometry
        (plan, source) = (volume.plan, volume.source)
        (edgeVoxelsRemoved, warnings) = (volume.edgeVoxelsRemoved, volume.warnings)
    }

    package var byteCount: Int { 8 * (lung.words.count + sourceLung.words.count) + 4 * intensities.count }

    package func unpacked(pool: ThreadPool) -> PreparedVolume {
        let mask = lung.mask(geometry: lungGeometry, pool: pool)
        let shape = lung.shape, plane = shape.sliceVoxelCount
        var values = [Float](repeating: 0, count: shape.voxelCount)
        values.withUnsafeMutableBufferPointer { values in
            nonisolated(unsafe) let values = values
            pool.run(taskCount: shape.depth) { z in
                var next = countBefore[z]
                for index in (z * plane)..<((z + 1) * plane) where mask.voxels[index] == 1 {
                    values[index] = intensities[next]
                    next += 1
                }
            }
        }
        return PreparedVolume(
            intensity: Volume(shape: shape, geometry: intensityGeometry, voxels: values), lung: mask, plan: plan,
            source: source, sourceLung: sourceLung.mask(geometry: sourceLungGeometry, pool: pool),
            edgeVoxelsRemoved: edgeVoxelsRemoved, warnings: warnings)
    }
}
