import Imaging

/// What `quintet lesions` writes: the pairs that training sees, or those that the threshold is calibrated on.
struct LungSamplePairs {
    static let guide = SampleGuide(
        commandName: "lesions", summary: "Write synthetic training pairs as NIfTI, to look at or to use elsewhere.",
        options: [
            Option("--count", "N", "how many pairs; default 4, of the calibration all"),
            Option("--seed", "N", "the run's seed; default 1"),
            Option("--replica", "N", "the samples of this replica; default 0"),
            Option("--calibration", nil, "the slabs that the threshold is calibrated on, with their lungs, instead"),
            LungOptions.presetOfDataSet,
        ] + LungOptions.training.filter { ["--slab", "--without", "--batch"].contains($0.name) },
        details: """
            Writes NNNN.image.nii.gz (the slab with lesions, 0 to 1), NNNN.target.nii.gz (1 where bright and healthy:
            what the network learns) and NNNN.lesion.nii.gz. These are the very samples that training with this seed
            sees, in its order; with --calibration, and NNNN.lung.nii.gz, those that the calibration after it sees, all
            of them or the first N.
            """,
        noun: "pairs")

    private let configuration: LungRunConfiguration
    private let count: Int?
    private let seed: UInt64
    private let replica: Int
    private let isCalibration: Bool

    /// - Throws: `UsageError`.
    init(_ values: OptionValues, configuration: LungRunConfiguration) throws {
        self.configuration = configuration
        count = try values.integer("--count", 1...1_000_000)
        seed = UInt64(try values.integer("--seed", 0...Int.max) ?? 1)
        replica = try values.integer("--replica", 0...255) ?? 0
        isCalibration = values.has("--calibration")
        if isCalibration, values.has("--replica") {
            throw UsageError("--replica cannot be given with --calibration, whose lesions no replica was trained on")
        }
    }

    func samples(inputs: () throws -> [RecipeInput]) throws -> SampleSet {
        try isCalibration ? calibration(inputs()) : training(inputs())
    }

    private func text(_ source: String) -> String {
        "seed \(seed), \(source), \(JSONText.encode(configuration.preset))"
    }

    private func training(_ inputs: [RecipeInput]) throws -> SampleSet {
        let samples = try LungSamples(inputs: inputs, configuration: configuration, seed: seed, replica: replica)
        let batch = configuration.preset.batch, geometry = Geometry(spacing: configuration.preset.spacing)
        func volume<Element>(_ voxels: [Element]) -> Volume<Element> {
            Volume(shape: samples.shape, geometry: geometry, voxels: voxels)
        }
        return SampleSet(
            count: count ?? 4, kinds: ["image", "target", "lesion"], settingsText: text("replica \(replica)")
        ) { number in
            let sample = try samples.lesionSample(iteration: number / batch, sample: number % batch)
            return [
                NIfTIFile.encode(volume(sample.image)), NIfTIFile.encode(volume(sample.target)),
                NIfTIFile.encode(volume(sample.lesion)),
            ]
        }
    }

    private func calibration(_ inputs: [RecipeInput]) throws -> SampleSet {
        let slabs = try CalibrationSlabs(inputs: inputs, configuration: configuration, seed: seed)
        return SampleSet(
            count: min(count ?? slabs.count, slabs.count), kinds: ["image", "target", "lesion", "lung"],
            settingsText: text("calibration")
        ) { number in
            let slab = try slabs.slab(number)
            return [NIfTIFile.encode(slab.image)] + [slab.target, slab.lesion, slab.lung].map { NIfTIFile.encode($0) }
        }
    }
}
