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
        try requireOneGrid(healthy.shape, intensity.shape, lung: lung.shape)
        return answer(
            unhealthy: lung.subtracting(healthy, pool: pool), intensity: intensity, lung: lung, settings: settings,
            pool: pool)
    }

    /// As above, with the masks as volumes.
    public static func run(
        healthy: Mask, intensity: Volume<Float>, lung: Mask, settings: PostProcessingSettings, pool: ThreadPool? = nil
    ) throws -> LesionAnswer {
        try requireOneGrid(healthy.shape, intensity.shape, lung: lung.shape)
        let lung = BitMask(lung, pool: pool)
        return answer(
            unhealthy: lung.subtracting(healthy, pool: pool), intensity: intensity, lung: lung, settings: settings,
            pool: pool)
    }

    private static func requireOneGrid(_ healthy: VolumeShape, _ intensity: VolumeShape, lung: VolumeShape) throws {
        for (what, other) in [("the vote", healthy), ("the volume", intensity)] where other != lung {
            throw VotingError.gridMismatch(what: what, shape: other, expected: lung)
        }
    }

    /// A mask that is not needed again becomes the next one where it lies: new memory costs the system more time than
    /// the arithmetic on it.
    private static func answer(
        unhealthy: consuming BitMask, intensity: Volume<Float>, lung: BitMask, settings: PostProcessingSettings,
        pool: ThreadPool?
    ) -> LesionAnswer {
        guard let region = lung.boundingBox(pool: pool) else { return LesionAnswer(core: lung, grown: lung) }
        var full = BitMask(shape: lung.shape, pool: pool), bright = BitMask(shape: lung.shape, pool: pool)
        intensity.voxels.withUnsafeBufferPointer { values in
            unhealthy.words.withUnsafeBufferPointer { bits in
                bright.words.withUnsafeMutableBufferPointer { bright in
                    let sums = BoxSums(
                        bits: bits, intensities: values, shape: lung.shape, box: settings.fullBox, region: region,
                        bright: (settings.brightIntensity, bright))
                    full.set(within: lung, meanAbove: settings.fullMean, sums, pool: pool)
                }
            }
        }
        var core = consume unhealthy
        bright.words.withUnsafeBufferPointer {
            let sums = BoxSums(bits: $0, shape: lung.shape, box: settings.brightBox, region: region)
            core.set(within: lung, meanAbove: settings.brightShare, sums, pool: pool)
        }
        if let limit = settings.growthLimitMM {
            let near = core.dilated(radiusMM: limit, spacing: intensity.geometry.boxSpacing, pool: pool)
            full = full.intersection(near, pool: pool)
        }
        return LesionAnswer(core: core, grown: reconstruction(of: core, inside: consume full, pool: pool))
    }

    /// Region growing until nothing changes: the components of `inside` (26 neighbours) that `seed` touches.
    /// Both are on one grid.
    public static func reconstruction(
        of seed: BitMask, inside: consuming BitMask, pool: ThreadPool? = nil
    ) -> BitMask {
        precondition(seed.shape == inside.shape, "\(seed.shape) and \(inside.shape) are not one grid")
        let components = inside.words.withUnsafeBufferPointer {
            RunComponents(bits: $0, shape: seed.shape, neighbourhood: .full, pool: pool)
        }
        let touched = seed.words.withUnsafeBufferPointer { components.touched(by: $0, pool: pool) }
        components.erase(keeping: touched, from: &inside.words, pool: pool)
        return inside
    }
}
