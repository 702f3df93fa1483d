import Imaging
import ModelCore
import Numerics

/// A made-up CT and what is known of it.
public struct PhantomImages: Sendable {
    /// HU.
    public var ct: Volume<Int16>
    /// The mask that would come with it.
    public var mask: Mask
    /// What is to be found.
    public var truth: Mask

    public init(ct: Volume<Int16>, mask: Mask, truth: Mask) { (self.ct, self.mask, self.truth) = (ct, mask, truth) }
}

/// Makes CTs to play with.
public protocol PhantomMaker: Sendable {
    /// One line, for lists of commands.
    var summary: String { get }
    /// "chest CTs"
    var noun: String { get }
    /// Folders of the masks and of the truths.
    var maskFolder: String { get }
    var truthFolder: String { get }
    var spacing: Spacing { get }
    /// In mm.
    var spacingRange: ClosedRange<Double> { get }
    var details: String { get }

    /// The same arguments give the same voxels anywhere.
    /// - Parameters:
    ///   - index: another patient, of the same seed.
    ///   - severity: 0 to 1, of the diseased.
    func make(
        seed: UInt64, index: Int, isDiseased: Bool, severity: Float, spacing: Spacing, pool: ThreadPool
    ) -> PhantomImages
}

/// Votes from files, for `quintet vote`.
public struct BallotFiles: Sendable {
    public var votes: [String]
    public var ct: String
    public var mask: String
    public var reading: ReadingOptions?

    public init(votes: [String], ct: String, mask: String, reading: ReadingOptions?) {
        (self.votes, self.ct, self.mask, self.reading) = (votes, ct, mask, reading)
    }
}

/// What came of them.
public struct BallotResult: Sendable {
    /// NIfTI, one for each of `BallotBox.fileNames`.
    public var files: [[UInt8]]
    /// In one line.
    public var text: String
    /// One JSON object.
    public var figures: JSONValue

    public init(files: [[UInt8]], text: String, figures: JSONValue) {
        (self.files, self.text, self.figures) = (files, text, figures)
    }
}

/// Counts and finishes votes that were made anywhere.
public protocol BallotBox: Sendable {
    var votesHelp: String { get }
    var maskHelp: String { get }
    var maskNoun: String { get }
    var options: [Option] { get }
    var details: String { get }
    /// Without ".nii.gz".
    var fileNames: [String] { get }
    /// What an answer of quintet segment is, and is no vote: "a mask of lesions, or of lungs".
    var answerNoun: String { get }
    var voteNoun: String { get }

    /// - Parameters:
    ///   - values: of `options`.
    ///   - warn: told what qualifies the result, before it is computed to the end.
    /// - Throws: `UsageError`, `RecipeError.inputRefused` or `ImageFileError` naming a file on another grid or of no
    ///   use.
    func count(
        _ files: BallotFiles, _ values: OptionValues, pool: ThreadPool, warn: (String) -> Void
    ) throws -> BallotResult
}

/// What `quintet demo` shows with a recipe that has phantoms.
public struct Demonstration: Sendable {
    /// Lines of the help.
    public var details: String
    /// What its data set and its training are told.
    public var values: [String: [String]]
    /// What is said of the steps phantom, prepare and segment.
    public var phantomText: String
    public var preparationText: String
    public var answerText: String
    /// Behind the table.
    public var tableText: String
    /// "Made-up chest CTs"
    public var noun: String
    /// What is to be found: "lesion".
    public var findingNoun: String
    /// What of a CT is shown, in HU, from black to white.
    public var window: ClosedRange<Float>
    /// What it claims.
    public var claims: [DemonstrationClaim]

    public init(
        details: String, values: [String: [String]], phantomText: String, preparationText: String, answerText: String,
        tableText: String, noun: String, findingNoun: String, window: ClosedRange<Float>, claims: [DemonstrationClaim]
    ) {
        (self.details, self.values, self.phantomText) = (details, values, phantomText)
        (self.preparationText, self.answerText, self.tableText) = (preparationText, answerText, tableText)
        (self.noun, self.findingNoun, self.window, self.claims) = (noun, findingNoun, window, claims)
    }
}

/// The vote's Dice is at least this share of another row's, plus so much.
public struct DemonstrationClaim: Sendable {
    /// "none"; "members" is the mean of the replicas.
    public var row: String
    public var share: Double
    public var margin: Double
    /// With %VOTE% and %ROW% for the two, in percent.
    public var text: String

    public init(row: String, share: Double = 1, margin: Double = 0, text: String) {
        (self.row, self.share, self.margin, self.text) = (row, share, margin, text)
    }
}

/// One of a recipe's networks with a preset, for `quintet bench`.
public struct BenchmarkedNetwork: Sendable {
    public var presetName: String
    /// As `--network` names it.
    public var name: String
    package var network: any NetworkDescription
    package var loss: TrainingLoss
    /// Of a sample.
    public var shape: TensorShape3D

    package init(
        presetName: String, name: String, network: any NetworkDescription, loss: TrainingLoss, shape: TensorShape3D
    ) {
        (self.presetName, self.name, self.network) = (presetName, name, network)
        (self.loss, self.shape) = (loss, shape)
    }
}

/// Something else that a recipe spends time on.
public protocol RecipeBenchmark: Sendable {
    /// As `quintet bench` is told.
    var name: String { get }
    /// The same in a list for people: "post-processing".
    var title: String { get }
    var help: String { get }
    /// nil: the preset's sample.
    var shape: TensorShape3D? { get }
    /// Timed repetitions, where nobody says otherwise.
    var repetitionCount: Int { get }
    /// How many samples a repetition is: the time is divided by it.
    var samplesAtOnce: Int { get }

    /// Makes what is needed, which is not timed.
    /// - Parameters:
    ///   - values: of `RecipePlugIn.benchmarkOptions`.
    ///   - repetitionCount: how often `run` of what is returned will be called, once to warm up included.
    func prepared(
        _ values: OptionValues, shape: TensorShape3D, repetitionCount: Int, pool: ThreadPool
    ) throws -> BenchmarkRun
}

/// What a benchmark times.
public struct BenchmarkRun {
    /// One repetition.
    public var run: () throws -> Void
    /// After the last one.
    public var end: () -> Void
    /// After that: its figures, and the same in words.
    /// - Parameter secondsPerSample: the median.
    public var details: (_ secondsPerSample: Double) -> (figures: JSONValue, text: String)

    public init(
        run: @escaping () throws -> Void, end: @escaping () -> Void = {},
        details: @escaping (_ secondsPerSample: Double) -> (figures: JSONValue, text: String)
    ) {
        (self.run, self.end, self.details) = (run, end, details)
    }
}
