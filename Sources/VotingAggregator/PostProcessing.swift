import Imaging
import Numerics

/// The lesions of a volume, both answers of the paper's Table III.
public struct LesionAnswer: Sendable {
    /// E', "without growing": where bright unhealthy voxels are dense.
    public var core: BitMask
    /// E' grown inside the full lesion G': the answer.
    public var grown: BitMask
}

/// From the vote to the lesion mask (method.md A5; paper, section III-D and Fig. 4).
///
/// Everything is integer arithmetic behind one comparison or rounding a voxel, so the answer has the same bytes on any
/// machine and for any number of threads.
public enum PostProcessing {
    /// - Parameters:
    ///   - healthy: V, the voted mask.
    ///   - intensity: H in [0, 1], C order (z, y, x), of the same shape.
    ///   - lung: M.
    /// - Throws: `VotingError.gridMismatch` where the three are not on one grid.
    public static func run(
        healthy: BitMask, intensity: Volume<Float>, lung: BitMask, settings: PostProcessingSettings,
        pool: ThreadPool? = nil
    ) throws -> LesionAnswer {
        let shape = lung.shape
        for (what, other) in [("the vote", healthy.shape), ("the volume", intensity.shape)] where other != shape {
            throw VotingError.gridMismatch(what: what, shape: other, expected: shape)
        }
        guard let region = lung.boundingBox() else { return LesionAnswer(core: lung, grown: lung) }
        let unhealthy = lung.subtracting(healthy)
        let (core, full) = intensity.voxels.withUnsafeBufferPointer { values in
            let bright = unhealthy.atLeast(settings.brightIntensity, values, pool: pool)
            let coreSums = { BoxSums(bits: $0, shape: shape, box: settings.brightBox, region: region) }
            let fullSums = {
                BoxSums(bits: $0, intensities: values, shape: shape, box: settings.fullBox, region: region)
            }
            return (
                exceeding(settings.brightShare, bright, coreSums, pool).intersection(lung),
                exceeding(settings.fullMean, unhealthy, fullSums, pool).intersection(lung)
            )
        }
        let room = settings.growthLimitMM.map {
            full.intersection(core.dilated(radiusMM: $0, spacing: intensity.geometry.spacing, pool: pool))
        }
        return LesionAnswer(core: core, grown: reconstruction(of: core, inside: room ?? full, pool: pool))
    }

    /// As above, with the masks as volumes.
    public static func run(
        healthy: Mask, intensity: Volume<Float>, lung: Mask, settings: PostProcessingSettings, pool: ThreadPool? = nil
    ) throws -> LesionAnswer {
        try run(
            healthy: BitMask(healthy, pool: pool), intensity: intensity, lung: BitMask(lung, pool: pool),
            settings: settings, pool: pool)
    }

    /// Region growing until nothing changes: the components of `inside` (26 neighbours) that `seed` touches.
    /// Both are on one grid.
    public static func reconstruction(of seed: BitMask, inside: BitMask, pool: ThreadPool? = nil) -> BitMask {
        precondition(seed.shape == inside.shape, "\(seed.shape) and \(inside.shape) are not one grid")
        let components = inside.words.withUnsafeBufferPointer {
            RunComponents(bits: $0, shape: inside.shape, neighbourhood: .full, pool: pool)
        }
        let touched = seed.words.withUnsafeBufferPointer { components.touched(by: $0) }
        return BitMask(shape: inside.shape, words: components.bits(keeping: touched, pool: pool))
    }

    private static func exceeding(
        _ threshold: Double, _ mask: BitMask, _ sums: (UnsafeBufferPointer<UInt64>) -> BoxSums, _ pool: ThreadPool?
    ) -> BitMask {
        var found = BitMask(shape: mask.shape)
        mask.words.withUnsafeBufferPointer { bits in
            found.words.withUnsafeMutableBufferPointer { out in
                sums(bits).setWhereMeanExceeds(threshold, out: out, pool: pool)
            }
        }
        return found
    }
}
