import Imaging
import Numerics
import SynthData

/// What the threshold is calibrated on (A4): healthy slabs of the training data, spread evenly over those that are
/// fullest of lung, with lesions of the generator that no replica was trained on.
public struct CalibrationSlabs {
    /// One slab with its lesions, on the preset's grid.
    public struct Slab {
        /// A.
        public var image: Volume<Float>
        public var lung: Mask
        /// GT: healthy and bright.
        public var target: Mask
        /// G.
        public var lesion: Mask

        package init(image: Volume<Float>, lung: Mask, target: Mask, lesion: Mask) {
            (self.image, self.lung, self.target, self.lesion) = (image, lung, target, lesion)
        }
    }

    static let countMax = 8
    /// Share of the training's number of lesions: patients' lungs are mostly spared between lesions.
    static let lesionShare: Float = 0.2
    /// The slabs taken have at least this share of the fullest one's lung, where there are such.
    static let lungShareMin: Float = 0.5

    private let configuration: LungRunConfiguration
    private let seed: UInt64
    private let reader: DataSetReader
    package let chosen: [SlabIndex.Slab]

    /// How many there are: at least one.
    public var count: Int { chosen.count }

    /// - Parameter inputs: the data set's files, as for training.
    /// - Throws: `RecipeError.inputRefused` when they are no data set to draw slabs from.
    public init(inputs: [RecipeInput], configuration: LungRunConfiguration, seed: UInt64) throws {
        (self.configuration, self.seed) = (configuration, seed)
        reader = try DataSetReader(inputs: inputs)
        try reader.manifest.check(against: configuration)
        let index = try SlabIndex(manifest: reader.manifest, slabDepth: configuration.preset.slabDepth)
        let full = index.slabs.filter { $0.lungShare >= Self.lungShareMin }
        let pool = full.isEmpty ? index.slabs : full
        let count = min(Self.countMax, pool.count)
        chosen = (0..<count).map { pool[$0 * pool.count / count] }
    }

    /// - Parameter number: from 0 to `count` - 1.
    /// - Throws: `RecipeError.inputRefused` when the data set's files are not what they should be.
    public func slab(_ number: Int) throws -> Slab {
        let slab = chosen[number], preset = configuration.preset
        let shape = VolumeShape(
            depth: preset.slabDepth, height: configuration.planeHeight, width: configuration.planeWidth)
        var memory = DataSetReader.SlabMemory()
        try reader.read(slab, depth: preset.slabDepth, into: &memory)
        let volume = Volume(shape: shape, geometry: Geometry(spacing: preset.spacing), voxels: memory.intensity)
        let lung = volume.with(memory.lung)
        // A replica that no run has: these lesions were never trained on.
        let sample = LesionGenerator(settings: preset.lesionSettings).insertLesions(
            volume, lung: lung, lambda: slab.lungShare, countFactor: Self.lesionShare,
            key: LesionKey(seed: seed, replica: 255, iteration: number))
        return Slab(
            image: volume.with(sample.image), lung: lung, target: volume.with(sample.target),
            lesion: volume.with(sample.lesion))
    }
}
