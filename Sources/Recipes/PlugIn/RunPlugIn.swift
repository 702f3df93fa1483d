import Imaging
import Numerics

/// A figure that a session gives in every iteration (`TrainingStep.figures`).
public struct TrainingFigure: Sendable {
    /// As the session and metrics.csv name it.
    public var name: String
    /// Over its curve in the report.
    public var title: String
    /// In tables: "loss" becomes "last loss".
    public var shortTitle: String
    /// Digits behind the point.
    public var digits: Int

    public init(name: String, title: String, shortTitle: String, digits: Int) {
        (self.name, self.title, self.shortTitle, self.digits) = (name, title, shortTitle, digits)
    }
}

/// Weights that training leaves in a run's folder, a file for each replica.
public struct WeightsFile: Sendable, Equatable {
    /// The session that ends with them.
    public var step: String
    /// "replica" for replica-0.safetensors ...
    public var stem: String
    /// As the steps that answer know them.
    public var role: String

    public init(step: String, stem: String, role: String) {
        (self.step, self.stem, self.role) = (step, stem, role)
    }
}

/// What `quintet train` says and asks with a recipe, and what its figures mean.
public struct TrainingGuide: Sendable {
    /// `--preset` and all that overrides one of its numbers.
    public var options: [Option]
    /// In the order of their columns in metrics.csv.
    public var figures: [TrainingFigure]
    /// At least one. Of several the last ones are what a run is known by; the others are beside them.
    public var weights: [WeightsFile]

    public init(options: [Option], figures: [TrainingFigure], weights: [WeightsFile]) {
        (self.options, self.figures, self.weights) = (options, figures, weights)
    }
}

/// What training has found beside weights.
public struct TrainingOutcome: Sendable {
    /// What answers are given with.
    public var settings: any RunSettings
    /// Scores by setting that were tried, for run.json and the report; may be empty.
    public var calibration: [String: Double]
    /// In a few words: "healthy above 0.5"; "" for none.
    public var text: String

    public init(settings: any RunSettings, calibration: [String: Double] = [:], text: String = "") {
        (self.settings, self.calibration, self.text) = (settings, calibration, text)
    }
}

/// A part of a training's report behind curves and replicas.
public struct ReportSection: Sendable {
    public var heading: String
    /// Where the table stands without the paragraph.
    public var headingAlone: String
    public var paragraph: String?
    /// Its first row is the header.
    public var table: [[String]]?
    /// The first cell of the row that counts.
    public var emphasised: String?

    public init(
        heading: String, headingAlone: String? = nil, paragraph: String? = nil, table: [[String]]? = nil,
        emphasised: String? = nil
    ) {
        self.headingAlone = headingAlone ?? heading
        (self.heading, self.paragraph, self.table, self.emphasised) = (heading, paragraph, table, emphasised)
    }
}

/// A run's settings: everything that its workers must know beside their inputs, and what the recipe makes of it.
public protocol RunSettings: AnswerSettings {
    /// Sorted keys, so that equal settings are equal text: the `parameters` of the run's steps.
    func json() -> String

    // MARK: Training

    var trainingPlan: RecipePlan { get }
    /// What a worker will take for the largest step, in bytes.
    func memoryByteCount() throws -> Int
    /// What a step is made of, in words: "2 x 16x96x144".
    var stepText: String { get }
    /// Of its longest session.
    var iterationCount: Int { get }
    /// Of every step, where there is one rate; for curves.
    var learningRate: Double? { get }

    /// As they were asked for, without what training has found.
    var asked: any RunSettings { get }
    /// The same with more iterations.
    /// - Parameter run: names the run in errors.
    /// - Throws: `RecipeError.inputRefused` where there are no more of them, or the recipe cannot go on.
    func extended(to iterationCount: Int, run: String) throws -> any RunSettings
    /// What the plan's tasks have found.
    /// - Parameters:
    ///   - reports: by step, as `RecipeResult.reportJSON` has them; they come from a worker.
    ///   - run: names the run in errors.
    /// - Throws: `RecipeError.inputRefused` where no honest worker says so.
    func concluded(_ reports: [String: String], run: String) throws -> TrainingOutcome
    /// What is missing for answers: "no healthy threshold"; nil for nothing.
    var missing: String? { get }

    /// The report's first words: "preset demo, seed 1, 300 iterations ...".
    func reportText(seed: UInt64, volumeCount: Int) -> String
    /// What the report has behind the replicas.
    func reportSections(calibration: [String: Double]) -> [ReportSection]

    /// The whole network of one replica, for other programs.
    /// - Parameter files: the replica's, a role each of `TrainingGuide.weights`.
    /// - Throws: `RecipeError.inputRefused` naming a file that does not fit.
    func network(_ files: [RecipeInput]) throws -> ReplicaNetwork
}

extension RunSettings {
    public var answerExtras: Set<String> { [] }
    public var learningRate: Double? { nil }

    /// A recipe whose masks say no more than which program wrote them.
    public func describingMasks(_ text: String) -> any RunSettings { self }

    public func network(_ files: [RecipeInput]) throws -> ReplicaNetwork {
        throw RecipeError.inputRefused("this recipe does not say how its network is used elsewhere")
    }
}
