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
        try reader.manifest.check(against: configuration)
        index = try SlabIndex(manifest: reader.manifest, slabDepth: configuration.preset.slabDepth)
        self.configuration = configuration
        self.seed = seed
        self.replica = replica
    }

    /// Makes samples one after the other with memory that it reuses.
    func newMaker() -> SamplePipeline.Maker {
        let workspace = LesionWorkspace()
        var sample = LesionSample(), slab = DataSetReader.SlabMemory()
        return { iteration, number, made in
            swap(&sample.image, &made.image)
            swap(&sample.target, &made.target)
            defer {
                swap(&sample.image, &made.image)
                swap(&sample.target, &made.target)
            }
            try fill(&sample, iteration: iteration, sample: number, workspace: workspace, slab: &slab)
        }
    }

    /// The whole sample, lesion mask included, as `quintet lesions` writes it.
    public func lesionSample(iteration: Int, sample: Int) throws -> LesionSample {
        var made = LesionSample(), slab = DataSetReader.SlabMemory()
        try fill(&made, iteration: iteration, sample: sample, workspace: LesionWorkspace(), slab: &slab)
        return made
    }

    private func fill(
        _ made: inout LesionSample, iteration: Int, sample: Int, workspace: LesionWorkspace,
        slab memory: inout DataSetReader.SlabMemory
    ) throws {
        var choice = RandomKey(
            seed: seed, replica: replica, iteration: iteration, sample: sample, purpose: .slabChoice).stream()
        let slab = index.slabs[choice.index(below: index.slabs.count)]
        try reader.read(slab, depth: configuration.preset.slabDepth, into: &memory)
        memory.intensity.withUnsafeBufferPointer { intensity in
            memory.lung.withUnsafeBufferPointer { lung in
                LesionGenerator(settings: configuration.preset.lesionSettings).makeSample(
                    slab: intensity, lung: lung, shape: shape, lambda: slab.lungShare,
                    key: LesionKey(seed: seed, replica: replica, iteration: iteration, sample: sample),
                    into: &made, workspace: workspace)
            }
        }
    }

    public var shape: VolumeShape {
        VolumeShape(
            depth: configuration.preset.slabDepth, height: configuration.planeHeight, width: configuration.planeWidth)
    }
}
