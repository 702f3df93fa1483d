import Imaging
import Numerics

/// The recipe `lung-normnet` as the commands see it.
public struct LungPlugIn: RecipePlugIn {
    public init() {}

    public var name: String { LungNormNet.name }
    public func makeRecipe() -> any Recipe { LungNormNet() }

    // MARK: Preparing

    public var preparationGuide: PreparationGuide {
        PreparationGuide(
            summary: "Turn a folder of healthy CTs into a data set to train on.",
            masks: MaskGuide(
                help: "lung masks named like the CTs, folders included; left out, they are made here",
                noun: "the lung masks", isNeeded: false),
            options: LungOptions.grid, findingColumns: ["lesion", "lesions"],
            leaveOutHelp: "slices with findings: columns slice_z and, if wanted, name and lesion",
            details: Self.preparationDetails)
    }

    private static let preparationDetails = """
        A lung mask made here leaves out lung that is as dense as tissue over more than about 2 cm: give one with
        --masks then.
        Writes DATA/dataset.json and, for every CT, its intensities and lung mask on the preset's grid as NIfTI.
        """

    public func preparation(_ values: OptionValues) throws -> any DataSetPreparation {
        LungPreparation(try LungOptions.preset(values, default: "lab"))
    }

    public func dataSet(json: String, file: String) throws -> any RecipeDataSet {
        let manifest = try JSONText.decode(DataSetManifest.self, json, what: file)
        try manifest.validate()
        return manifest
    }

    // MARK: Training

    public var sampleGuide: SampleGuide? { LungSamplePairs.guide }

    public var trainingGuide: TrainingGuide {
        TrainingGuide(
            options: [LungOptions.presetOfDataSet] + LungOptions.training,
            figures: [
                TrainingFigure(name: "loss", title: "Loss (Dice + cross-entropy)", shortTitle: "loss", digits: 4),
                TrainingFigure(
                    name: "dice", title: "Dice of healthy bright voxels, on training samples", shortTitle: "Dice",
                    digits: 3),
            ],
            weights: [WeightsFile(step: "train", stem: "replica", role: "replica")])
    }

    public func settings(json: String) throws -> any RunSettings { try LungRunConfiguration(json: json) }

    // MARK: Answering

    public var answerGuide: AnswerGuide { LungAnswers.guide }
    public func problem(inFigures figures: [String: Double]) -> String? { LungAnswers.problem(in: figures) }
    public func warning(aboutTruth counts: TruthCounts) -> String? { LungAnswers.warning(about: counts) }

    // MARK: Tools

    public var phantoms: (any PhantomMaker)? { LungPhantoms() }
    public var ballotBox: (any BallotBox)? { LungBallotBox() }
    public var demonstration: Demonstration? { LungDemonstration.demonstration }
    public var benchmarks: [any RecipeBenchmark] { [LesionBenchmark(), PostProcessingBenchmark()] }

    public var benchmarkOptions: [Option] {
        [Option("--preset", "NAME", "the network, spacing and size of paper, lab or demo; default paper")]
    }

    public var benchmarkedNetworkNames: [String] { ["normnet"] }

    public func benchmarkedNetworks(_ values: OptionValues) throws -> [BenchmarkedNetwork] {
        let preset = try LungOptions.preset(values, default: "paper")
        return [
            BenchmarkedNetwork(
                presetName: preset.name, name: "normnet", network: try preset.networkConfiguration(),
                loss: .diceCrossEntropy,
                shape: .init(depth: preset.slabDepth, height: preset.planeHeight, width: preset.planeWidth)),
        ]
    }
}
