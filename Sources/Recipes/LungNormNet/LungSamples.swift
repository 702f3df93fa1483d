import Imaging
import Numerics
import SynthData

/// Makes the training samples of one replica: a healthy slab with synthetic lesions in it (A2). A sample is a pure
/// function of (run seed, replica, iteration, sample).
public struct LungSamples: Sendable {
    let reader: DataSetReader
    let index: SlabIndex
    let configuration: LungRunConfiguration
    let seed: UInt64
    let replica: Int

    /// - Parameter inputs: the data set's files, as for training.
    /// - Throws: `RecipeError.inputRefused` when they are no data set to draw slabs from.
    public init(inputs: [RecipeInput], configuration: LungRunConfiguration, seed: UInt64, replica: Int) throws {
        reader = try DataSetReader(inputs: inputs)
        index = try SlabIndex(manifest: reader.manifest, slabDepth: configuration.preset.slabDepth)
        self.configuration = configuration
        self.seed = seed
        self.replica = replica
    }

    @Sendable func make(iteration: Int, sample: Int) throws -> SamplePipeline.Sample {
        let made = try lesionSample(iteration: iteration, sample: sample)
        return SamplePipeline.Sample(image: made.image, target: made.target)
    }

    /// The whole sample, lesion mask included, as `quintet lesions` writes it.
    public func lesionSample(iteration: Int, sample: Int) throws -> LesionSample {
        var choice = RandomKey(
            seed: seed, replica: replica, iteration: iteration, sample: sample, purpose: .slabChoice).stream()
        let slab = index.slabs[choice.index(below: index.slabs.count)]
        let depth = configuration.preset.slabDepth
        let (intensity, lung) = try reader.slab(slab, depth: depth)
        return LesionGenerator.makeSample(
            intensity: intensity, lung: lung, shape: shape, lungShare: slab.lungShare,
            settings: configuration.preset.lesionSettings, seed: seed, replica: replica, iteration: iteration,
            sample: sample)
    }

    public var shape: VolumeShape {
        VolumeShape(
            depth: configuration.preset.slabDepth, height: configuration.planeHeight, width: configuration.planeWidth)
    }
}
