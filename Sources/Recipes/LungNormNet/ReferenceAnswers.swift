import Imaging
import Numerics
import VotingAggregator

/// The two rows every table carries beside the replicas and the vote (A6): "none", no network at all, and "oracle", a
/// network that is exactly right. A method not clearly above the first has learnt nothing; the second is what the
/// post-processing can reach.
public enum ReferenceAnswers {
    /// Nothing is healthy.
    public static func none(_ volume: PreparedVolume, preset: Preset, pool: ThreadPool) throws -> LungAnswer {
        try LungAnswer(healthy: BitMask(shape: volume.lung.shape), volume: volume, preset: preset, pool: pool)
    }

    /// Healthy is exactly what is bright and no lesion.
    /// - Parameter truth: the true lesions, on the file's own grid.
    public static func oracle(
        _ volume: PreparedVolume, truth: Mask, preset: Preset, pool: ThreadPool
    ) throws -> LungAnswer {
        let onGrid = volume.plan.cut(volume.plan.mask(truth, pool: pool), fill: 0)
        let tau = Float(preset.tau)
        let healthy = onGrid.with(zip(volume.intensity.voxels, onGrid.voxels).map { value, lesion in
            UInt8(value >= tau && lesion == 0 ? 1 : 0)
        })
        return try LungAnswer(healthy: BitMask(healthy, pool: pool), volume: volume, preset: preset, pool: pool)
    }
}
