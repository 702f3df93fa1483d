import Imaging
import Numerics

/// The recipe `liver-restore-segment` as the commands see it.
public struct LiverPlugIn: RecipePlugIn {
    public init() {}

    public var name: String { LiverRestoreSegment.name }
    public func makeRecipe() -> any Recipe { LiverRestoreSegment() }

    // MARK: Preparing

    public var preparationGuide: PreparationGuide {
        PreparationGuide(
            summary: "Turn a folder of CTs with healthy livers into a data set to train on.",
            masks: MaskGuide(
                help: "liver masks named like the CTs, folders included", noun: "the liver masks", isNeeded: true),
            options: LiverOptions.grid, findingColumns: ["tumour", "tumor", "lesion"],
            leaveOutHelp: "slices with findings: columns slice_z and, if wanted, name and tumour",
            details: """
                Writes DATA/dataset.json and, for every CT, the slices that show liver, equalised, as NIfTI.
                """)
    }

    public func preparation(_ values: OptionValues) throws -> any DataSetPreparation {
        LiverDataSetPreparation(
            try LiverOptions.preset(values, default: "lab"),
            tumourLabel: try values.integer("--tumour-label", ReadingOptions.labelRange))
    }

    public func dataSet(json: String, file: String) throws -> any RecipeDataSet {
        let manifest = try JSONText.decode(LiverDataSetManifest.self, json, what: file)
        try manifest.validate()
        return manifest
    }

    // MARK: Training

    public var trainingGuide: TrainingGuide {
        TrainingGuide(
            options: [LiverOptions.presetOfDataSet] + LiverOptions.training,
            figures: [
                TrainingFigure(
                    name: "loss", title: "Loss (mean difference, then focal)", shortTitle: "loss", digits: 5),
                TrainingFigure(
                    name: "dice", title: "Dice of pseudo-anomalies, on training samples", shortTitle: "Dice",
                    digits: 3),
            ],
            weights: [
                WeightsFile(step: "restore", stem: "restorer", role: "restorer"),
                WeightsFile(step: "segment", stem: "replica", role: "replica"),
            ])
    }

    public func settings(json: String) throws -> any RunSettings { try LiverRunConfiguration(json: json) }

    // MARK: Answering

    public var answerGuide: AnswerGuide { LiverAnswers.guide }
    public func problem(inFigures figures: [String: Double]) -> String? { LiverAnswers.problem(in: figures) }
    public func warning(aboutTruth counts: TruthCounts) -> String? { LiverAnswers.warning(about: counts) }

    // MARK: Tools

    public var phantoms: (any PhantomMaker)? { LiverPhantoms() }
    public var demonstration: Demonstration? { LiverDemonstration.demonstration }

    public var benchmarkOptions: [Option] {
        [Option("--preset", "NAME", "the networks, batch and size of paper, lab or demo; default paper")]
    }

    public var benchmarkedNetworkNames: [String] { ["restorer", "segmenter"] }

    public func benchmarkedNetworks(_ values: OptionValues) throws -> [BenchmarkedNetwork] {
        // `--size` is the sample's here.
        let preset = try LiverOptions.named(values, default: "paper")
        let shape = preset.shape(sliceCount: preset.batch)
        return [
            BenchmarkedNetwork(
                presetName: preset.name, name: "restorer", network: try preset.restorer(), loss: .absolute,
                shape: shape),
            BenchmarkedNetwork(
                presetName: preset.name, name: "segmenter", network: try preset.segmenter(), loss: .focal,
                shape: shape),
        ]
    }
}
