import CKernels
import Imaging
import Numerics

/// What the lesion generator may be told. The paper's ablations (Table V) are the three switches.
public struct LesionSettings: Sendable, Hashable {
    /// The grid's spacing: lengths are physical, stated in the paper for 1.0 x 0.8 x 0.8 mm (z, y, x); only the salt
    /// noise and sigma_b are per voxel of the grid (method.md, C).
    public var spacing: Spacing
    /// Off: five balls of radius 12, undeformed.
    public var shapes = true
    /// Off: the same probability, 0.2, everywhere.
    public var probabilityMaps = true
    /// Off: sigma_b = 2 and mu0 = 0.6.
    public var saltNoise = true
    /// From where on an intensity is bright: 0.33 is -500 HU.
    public var tau: Float = 0.33

    public init(spacing: Spacing) {
        precondition(min(spacing.zMM, spacing.yMM, spacing.xMM) > 0.05, "a grid's spacing is above 0.05 mm")
        self.spacing = spacing
    }
}

/// Names one training sample; all its random numbers follow from this.
public struct LesionKey: Sendable, Hashable {
    public var seed: UInt64
    public var replica: Int
    public var iteration: Int
    public var sample: Int

    public init(seed: UInt64, replica: Int = 0, iteration: Int = 0, sample: Int = 0) {
        (self.seed, self.replica, self.iteration, self.sample) = (seed, replica, iteration, sample)
    }

    func purpose(_ purpose: RandomPurpose) -> RandomKey {
        RandomKey(seed: seed, replica: replica, iteration: iteration, sample: sample, purpose: purpose)
    }
}

/// A slab with made-up lesions, C order (z, y, x).
public struct LesionSample: Sendable {
    /// A: intensities in [0, 1], 0 outside the lung.
    public var image: [Float] = []
    /// GT: 1 where the slab was bright and no lesion lies: what the network shall call healthy.
    public var target: [UInt8] = []
    /// G: 1 in the lesions.
    public var lesion: [UInt8] = []

    public init() {}
}

/// Memory that samples reuse; one for every thread that makes them.
public final class LesionWorkspace {
    let filter = FilterWorkspace()
    var rowCounts: [Int32] = []

    public init() {}

    /// Which buffer of `filter` is whose; 0 and 1 are the Gaussian filter's.
    enum Slot {
        static let noise = 2, turn = 3, fields = 4, salt = 7, row = 8
    }
}

/// Makes training samples: lesions that look like lesions and whose place is known (NormNet, section III-B; method.md
/// A2).
///
/// A sample is a pure function of its key and of the slab, whatever was made before and on whatever machine.
///
///     let generator = LesionGenerator(settings: LesionSettings(spacing: spacing))
///     generator.makeSample(slab: h, lung: m, shape: shape, lambda: 0.9, key: key, into: &sample, workspace: memory)
public struct LesionGenerator: Sendable {
    public let settings: LesionSettings

    public init(settings: LesionSettings) { self.settings = settings }

    /// - Parameters:
    ///   - slab: H, intensities in [0, 1].
    ///   - lung: M, one byte a voxel, not 0 in the lung.
    ///   - lambda: the slab's lung volume over the data set's largest, in 0 ... 1.
    ///   - countFactor: multiplies the number of lesions; for volumes longer than a slab.
    ///   - sample: written; its memory is reused when it has the right size.
    public func makeSample(
        slab: UnsafeBufferPointer<Float>, lung: UnsafeBufferPointer<UInt8>, shape: VolumeShape, lambda: Float,
        countFactor: Float = 1, key: LesionKey, into sample: inout LesionSample, workspace: LesionWorkspace,
        pool: ThreadPool? = nil
    ) {
        let count = shape.voxelCount
        precondition(slab.count == count && lung.count == count, "slab and lung have \(count) voxels")
        precondition(lambda >= 0 && lambda <= 1, "lambda is a share")
        if sample.image.count != count { sample.image = [Float](repeating: 0, count: count) }
        if sample.target.count != count { sample.target = [UInt8](repeating: 0, count: count) }
        if sample.lesion.count != count { sample.lesion = [UInt8](repeating: 0, count: count) }
        guard count > 0 else { return }
        sample.image.withUnsafeMutableBufferPointer { image in
            sample.target.withUnsafeMutableBufferPointer { target in
                sample.lesion.withUnsafeMutableBufferPointer { lesion in
                    quintet_lesion_begin(slab.baseAddress, lung.baseAddress, settings.tau, image.baseAddress,
                                         target.baseAddress, count)
                    lesion.update(repeating: 0)
                    LesionShapes(settings: settings, shape: shape, lung: lung, workspace: workspace, pool: pool)
                        .draw(lambda: lambda, countFactor: countFactor, key: key.purpose(.lesionShapes), into: lesion)
                    let components = LesionComponents(lesion: UnsafeBufferPointer(lesion), shape: shape)
                    let texture = LesionTexture(settings: settings, shape: shape, workspace: workspace, pool: pool)
                    for component in 0..<components.count {
                        texture.fill(components, component, key: key.purpose(.lesionTexture), image: image,
                                     target: target)
                    }
                }
            }
        }
    }

    /// The same, with memory of its own.
    public func makeSample(
        slab: [Float], lung: [UInt8], shape: VolumeShape, lambda: Float, key: LesionKey
    ) -> LesionSample {
        var sample = LesionSample()
        slab.withUnsafeBufferPointer { slab in
            lung.withUnsafeBufferPointer { lung in
                makeSample(slab: slab, lung: lung, shape: shape, lambda: lambda, key: key, into: &sample,
                           workspace: LesionWorkspace())
            }
        }
        return sample
    }

    /// Lesions in a whole volume, for calibration and tests.
    /// - Parameter countFactor: the volume's slabs, times how dense its lesions shall be against training.
    public func insertLesions(
        _ volume: Volume<Float>, lung: Mask, lambda: Float, countFactor: Float, key: LesionKey, pool: ThreadPool? = nil
    ) -> LesionSample {
        precondition(volume.shape == lung.shape, "a volume and its lung mask have the same shape")
        var sample = LesionSample()
        volume.voxels.withUnsafeBufferPointer { slab in
            lung.voxels.withUnsafeBufferPointer { lung in
                makeSample(slab: slab, lung: lung, shape: volume.shape, lambda: lambda, countFactor: countFactor,
                           key: key, into: &sample, workspace: LesionWorkspace(), pool: pool)
            }
        }
        return sample
    }
}

extension LesionSettings {
    /// Paper voxels per voxel of this grid, (z, y, x).
    var paperVoxels: (z: Double, y: Double, x: Double) {
        (z: spacing.zMM / 1.0, y: spacing.yMM / 0.8, x: spacing.xMM / 0.8)
    }
}
