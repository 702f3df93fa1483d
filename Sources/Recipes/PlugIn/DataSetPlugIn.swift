import Imaging
import Numerics

/// The masks that a recipe's CTs come with: how commands speak of them, and whether they can do without.
public struct MaskGuide: Sendable {
    /// Of the option `--masks`.
    public var help: String
    /// "the lung masks": whose labels `--labels` names.
    public var noun: String
    /// The recipe has no way to make one.
    public var isNeeded: Bool

    public init(help: String, noun: String, isNeeded: Bool) {
        (self.help, self.noun, self.isNeeded) = (help, noun, isNeeded)
    }
}

/// What `quintet prepare` says and asks with a recipe.
public struct PreparationGuide: Sendable {
    /// One line, for lists of commands.
    public var summary: String
    public var masks: MaskGuide
    /// What fixes the grid that volumes are prepared for, `--preset` among it.
    public var options: [Option]
    /// Names that a column of `--leave-out`'s tables may have which says whether a slice has a finding, beside
    /// "finding", "findings" and "label"; in small letters.
    public var findingColumns: [String]
    /// The help of `--leave-out`; nil where slices cannot be left out.
    public var leaveOutHelp: String?
    /// Lines of the help about masks and about what is written.
    public var details: String

    public init(
        summary: String, masks: MaskGuide, options: [Option], findingColumns: [String] = [], leaveOutHelp: String?,
        details: String
    ) {
        (self.summary, self.masks, self.options) = (summary, masks, options)
        (self.findingColumns, self.leaveOutHelp, self.details) = (findingColumns, leaveOutHelp, details)
    }
}

/// One CT to prepare, as it is in its files.
public struct PreparationItem: Sendable {
    /// What its files in the data set are called after, folders included: at most `DataSetFile.nameByteCountMax` bytes.
    public var name: String
    public var ct: LoadedImage
    /// The mask that was given.
    public var mask: LoadedImage?
    /// How both are read; nil: as they are.
    public var reading: ReadingOptions?
    /// Slices of the file, counted from 0 as it stores them, that show findings and must not be learnt as normal.
    public var excludedSlices: Set<Int>

    public init(
        name: String, ct: LoadedImage, mask: LoadedImage?, reading: ReadingOptions?, excludedSlices: Set<Int>
    ) {
        (self.name, self.ct, self.mask, self.reading) = (name, ct, mask, reading)
        self.excludedSlices = excludedSlices
    }
}

/// What became of a CT.
public enum PreparationOutcome: Sendable {
    /// Its files of the data set, and what there is to say about it, a sentence each without the CT's name.
    case prepared(files: [(name: String, bytes: [UInt8])], warnings: [String])
    /// It changes what all volumes have in common: those before are to be prepared anew, it is told why, and so is this
    /// one. Happens a finite number of times.
    case startAgain(String)
}

/// A data set in the making. Used by one thread.
public protocol DataSetPreparation: AnyObject {
    /// What all volumes of the data set have in common, in words.
    var settingsText: String { get }

    /// The files that a CT will have below the data set's folder.
    func fileNames(of name: String) -> [String]

    /// - Parameter digest: SHA-256 of a file's bytes, as `DataSetFile.digest` has it.
    /// - Throws: `RecipeError.inputRefused` or `ImageFileError` naming the file and what to do: the others go on.
    func prepare(
        _ item: PreparationItem, digest: (_ bytes: [UInt8]) -> String, pool: ThreadPool, isCancelled: () -> Bool
    ) throws -> PreparationOutcome

    /// Of all that was prepared, at least one CT.
    func finish() throws -> any RecipeDataSet

    /// What is said at the end beside the number of CTs: "planes of 96x144".
    var closingText: String { get }
}

/// One file of a data set.
public struct DataSetFile: Sendable {
    /// As the recipe's steps know it.
    public var role: String
    /// Below the data set's folder.
    public var name: String
    /// SHA-256, hexadecimal.
    public var digest: String

    public init(role: String, name: String, digest: String) {
        (self.role, self.name, self.digest) = (role, name, digest)
    }

    /// What every data set's description is called; its role is "dataset".
    public static let descriptionName = "dataset.json"

    /// Of a volume's name in a data set: with the endings of its files what a message may name.
    public static let nameByteCountMax = 160

    /// Whether a volume's name is a path below the data set's folder that leads nowhere else: "patA/ct".
    static func isVolumeName(_ name: String) -> Bool {
        guard name.utf8.count <= nameByteCountMax, name == name.printable(most: .max) else { return false }
        // By bytes: a slash with an accent is another character, and a slash all the same.
        return name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { part in
            part.first.map { $0 != UInt8(ascii: ".") } ?? false
        }
    }
}

/// A prepared data set's description: dataset.json. Encoded it has the key "recipe" with the recipe's name; without it
/// a data set is one of the recipe `lung-normnet`, which had none in the beginning.
public protocol RecipeDataSet: Encodable, Sendable {
    /// Unique.
    var volumeNames: [String] { get }
    /// All but the description itself, in a fixed order.
    var files: [DataSetFile] { get }
    /// What to look at before it is learnt from.
    var volumeWarnings: [(volume: String, warning: String)] { get }

    /// What to train with it.
    /// - Parameters:
    ///   - values: of `TrainingGuide.options`.
    ///   - folder: names the data set in errors.
    /// - Throws: `UsageError` naming an option; `RecipeError.inputRefused` where settings and data set do not go
    ///   together, before anything is sent anywhere.
    func settings(_ values: OptionValues, folder: String) throws -> any RunSettings

    /// What training sees.
    /// - Parameters:
    ///   - values: of `SampleGuide.options`.
    ///   - inputs: its files, read and found to be what was prepared.
    /// - Throws: as `settings`.
    func samples(_ values: OptionValues, folder: String, inputs: () throws -> [RecipeInput]) throws -> SampleSet
}

extension RecipeDataSet {
    public func samples(
        _ values: OptionValues, folder: String, inputs: () throws -> [RecipeInput]
    ) throws -> SampleSet {
        throw RecipeError.inputRefused("this recipe writes no samples")
    }
}

/// What `quintet samples` says and asks with a recipe.
public struct SampleGuide: Sendable {
    /// What the command is called for this recipe beside "samples": "lesions". Names the folder's kind, too.
    public var commandName: String
    public var summary: String
    /// How many, of which seed and replica, and whatever else.
    public var options: [Option]
    public var details: String
    /// "pairs"
    public var noun: String

    public init(commandName: String, summary: String, options: [Option], details: String, noun: String) {
        (self.commandName, self.summary, self.options) = (commandName, summary, options)
        (self.details, self.noun) = (details, noun)
    }
}

/// Samples to write as files NUMBER.KIND.nii.gz.
public struct SampleSet {
    public var count: Int
    public var kinds: [String]
    /// What fixes them beside the data set, in words.
    public var settingsText: String
    /// NIfTI, one for each of `kinds`.
    public var files: (Int) throws -> [[UInt8]]

    public init(count: Int, kinds: [String], settingsText: String, files: @escaping (Int) throws -> [[UInt8]]) {
        (self.count, self.kinds, self.settingsText, self.files) = (count, kinds, settingsText, files)
    }
}
