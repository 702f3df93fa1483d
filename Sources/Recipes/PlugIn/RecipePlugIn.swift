import Imaging
import Numerics

/// A recipe as the commands see it: what it is called, what it can be told, what it asks a coordinator for and what its
/// results mean. What a worker computes is its `Recipe`. docs/ARCHITECTURE.md, "Recipes", says how one is added.
///
///     prepare   preparationGuide, preparation       -> a data set
///     samples   dataSet.samples                        what training sees, to look at
///     train     trainingGuide, dataSet.settings     -> settings, their plan, report and figures
///     segment   answerGuide, settings.answering     -> masks and figures of every volume
///     evaluate  settings.references                    rows that every table carries
///     phantom, vote, demo, bench: where the recipe has them
public protocol RecipePlugIn: Sendable {
    /// In data sets, runs and on the command line: "lung-normnet".
    var name: String { get }

    /// What a worker computes; made anew, without anything kept from earlier work.
    func makeRecipe() -> any Recipe

    /// How `quintet prepare` is told what to do.
    var preparationGuide: PreparationGuide { get }

    /// - Parameter values: of the guide's options.
    /// - Throws: `UsageError` naming the option.
    func preparation(_ values: OptionValues) throws -> any DataSetPreparation

    /// A data set from its description, dataset.json.
    /// - Parameter file: names the text in errors.
    /// - Throws: `RecipeError.inputRefused` where it is none of this recipe.
    func dataSet(json: String, file: String) throws -> any RecipeDataSet

    /// How `quintet train` is told what to do, and what its figures mean.
    var trainingGuide: TrainingGuide { get }

    /// What training sees, as `quintet samples` writes it; nil where there is nothing to look at.
    var sampleGuide: SampleGuide? { get }

    /// A run's settings from their text.
    /// - Throws: `RecipeError.inputRefused` where they are no settings of this recipe, or cannot be computed with.
    func settings(json: String) throws -> any RunSettings

    /// What `quintet segment` is told and leaves, and what its figures mean.
    var answerGuide: AnswerGuide { get }

    /// What is impossible in figures that a worker has sent; nil where they can be true.
    func problem(inFigures figures: [String: Double]) -> String?

    /// Whether a truth can be one, where the answers have a region (`AnswerMask.isRegion`), by what shares both.
    /// - Returns: a sentence without the file's name, or nil.
    func warning(aboutTruth counts: TruthCounts) -> String?

    /// Made-up CTs; nil where it has none.
    var phantoms: (any PhantomMaker)? { get }

    /// Counting and finishing votes from files, for `quintet vote`; nil where it cannot.
    var ballotBox: (any BallotBox)? { get }

    /// What `quintet demo` shows; nil where it has none.
    var demonstration: Demonstration? { get }

    /// What `quintet bench` measures of it beside its network.
    var benchmarks: [any RecipeBenchmark] { get }

    /// What its benchmarks and its network can be told.
    var benchmarkOptions: [Option] { get }

    /// The names of its networks for `quintet bench`, the one that is meant where nobody says it first.
    var benchmarkedNetworkNames: [String] { get }

    /// Its networks with the preset that the values name, in the order of `benchmarkedNetworkNames`.
    /// - Parameter values: of `benchmarkOptions`.
    /// - Throws: `UsageError` naming the option.
    func benchmarkedNetworks(_ values: OptionValues) throws -> [BenchmarkedNetwork]
}

/// How many voxels a truth and the region of the answers have, each and both.
public struct TruthCounts: Sendable {
    public var truth: Int
    public var region: Int
    public var shared: Int

    public init(truth: Int, region: Int, shared: Int) {
        (self.truth, self.region, self.shared) = (truth, region, shared)
    }
}

extension RecipePlugIn {
    public var sampleGuide: SampleGuide? { nil }
    public func problem(inFigures figures: [String: Double]) -> String? { nil }
    public func warning(aboutTruth counts: TruthCounts) -> String? { nil }
    public var phantoms: (any PhantomMaker)? { nil }
    public var ballotBox: (any BallotBox)? { nil }
    public var demonstration: Demonstration? { nil }
    public var benchmarks: [any RecipeBenchmark] { [] }
    public var benchmarkOptions: [Option] { [] }
    public var benchmarkedNetworkNames: [String] { [] }
    public func benchmarkedNetworks(_ values: OptionValues) throws -> [BenchmarkedNetwork] { [] }
}
