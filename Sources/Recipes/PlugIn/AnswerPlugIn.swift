import Imaging
import Numerics

/// A mask that an answer has, as a file of the answers' folder: FOLDER/NAME.nii.gz.
public struct AnswerMask: Sendable {
    /// As the recipe's last step names it.
    public var role: String
    /// "" for the folder itself, which is the answer's first mask.
    public var folder: String
    /// One for the vote and one for each replica that answers for itself; else one for the volume.
    public var isOfAnswer: Bool
    /// Where lesions can be at all: specificity is counted in it, and truths are held against it.
    public var isRegion: Bool
    /// For masks that are scored beside the first one: their key in evaluate's JSON, and in its table the words behind
    /// "Dice ".
    public var scoreKey: String?
    public var scoreTitle: String?
    /// Written only where this switch is given (`RunSettings.answerExtras`).
    public var option: String?
    /// What it shows, where picture archives are to be told; nil for one that is of use to researchers alone.
    public var concept: MaskConcept?

    public init(
        role: String, folder: String, isOfAnswer: Bool, isRegion: Bool = false, scoreKey: String? = nil,
        scoreTitle: String? = nil, option: String? = nil, concept: MaskConcept? = nil
    ) {
        (self.role, self.folder, self.isOfAnswer, self.isRegion) = (role, folder, isOfAnswer, isRegion)
        (self.scoreKey, self.scoreTitle, self.concept) = (scoreKey, scoreTitle, concept)
        self.option = option
    }
}

/// What a mask shows, in words of SNOMED CT that programs of any maker understand.
public struct MaskConcept: Sendable {
    public struct Code: Hashable, Sendable {
        public var value: String
        public var meaning: String

        public init(_ value: String, _ meaning: String) { (self.value, self.meaning) = (value, meaning) }

        public static let anatomicalStructure = Code("123037004", "Anatomical Structure")
        public static let abnormalStructure = Code("49755003", "Morphologically Abnormal Structure")
        public static let lesion = Code("52988006", "Lesion")
        public static let neoplasm = Code("108369006", "Neoplasm")
        public static let lung = Code("39607008", "Lung")
        public static let liver = Code("10200004", "Liver")
    }

    /// For lists of viewers, in ASCII: "Lesions".
    public var label: String
    /// How it came about, for people, in ASCII.
    public var about: String
    public var category: Code
    public var type: Code
    /// Where in the body; nil where the type says so.
    public var region: Code?

    public init(label: String, about: String, category: Code, type: Code, region: Code? = nil) {
        (self.label, self.about, self.category, self.type, self.region) = (label, about, category, type, region)
    }
}

/// A figure of a volume's answer.
public struct AnswerFigure: Sendable {
    /// In a worker's report and in segment's JSON: "lesionML".
    public var name: String
    /// In archive.csv: "lesion_ml".
    public var column: String

    /// Absent where there is nothing to say: a share of no lesion.
    public var isOptional: Bool
    /// Behind the point, in tables.
    public var digits: Int
    /// In files, and not on pages, which would be too wide to read.
    public var isDetail: Bool

    public init(name: String, column: String, isOptional: Bool = false, digits: Int = 3, isDetail: Bool = false) {
        (self.name, self.column, self.isOptional, self.digits) = (name, column, isOptional, digits)
        self.isDetail = isDetail
    }

    /// In pages: "lesion ml".
    public var title: String { column.split(separator: "_").joined(separator: " ") }
}

/// What there is to say about the parts of an answer, one by one: a table of its own, a row each.
public struct AnswerParts: Sendable {
    /// Written only where this switch is given (`RunSettings.answerExtras`).
    public var option: String
    /// In a worker's report and in segment's JSON: a list of objects.
    public var key: String
    public var fileName: String
    /// Behind the CT's name.
    public var figures: [AnswerFigure]

    public init(option: String, key: String, fileName: String, figures: [AnswerFigure]) {
        (self.option, self.key, self.fileName, self.figures) = (option, key, fileName, figures)
    }
}

/// What `quintet segment` says and asks with a recipe, and what its answers are.
public struct AnswerGuide: Sendable {
    /// One line, for lists of commands.
    public var summary: String
    public var options: [Option]
    /// Lines of the help about the folder's files and about masks.
    public var details: String
    /// The first one is the answer.
    public var masks: [AnswerMask]
    /// In the order of their columns in archive.csv. The step's report has them for "vote".
    public var figures: [AnswerFigure]
    /// nil where answers have no parts to speak of.
    public var parts: AnswerParts?
    /// What archive.csv and segment's JSON call the mask that came with a CT: "lung_mask", "lungMask".
    public var maskColumn: String
    public var maskName: String
    /// The mask that came with a CT, as the steps that answer know it; the CT itself is "ct".
    public var givenMaskRole: String
    /// The last step: what it makes is the answer.
    public var step: String
    /// What evaluate's help calls true masks: "true lesion masks".
    public var truthNoun: String
    /// The rows of `RunSettings.references`; may be empty.
    public var referenceNames: [String]
    /// Lines of evaluate's help about them.
    public var referenceDetails: String
    /// What a worker takes to answer for a CT of this size, beside what it has without one.
    public var memoryByteCount: @Sendable (VolumeShape) -> UInt64
    /// By this figure answers are listed: the most first.
    public var rankedBy: String
    /// The figure that says in percent how far the replicas agree; nil where there is none.
    public var agreement: String?
    /// What its answers are not good for, a sentence each, for who gets weights from others.
    public var limits: [String]
    /// Of pictures: in HU, from black to white.
    public var window: ClosedRange<Float>

    public init(
        summary: String, options: [Option], details: String, masks: [AnswerMask], figures: [AnswerFigure],
        parts: AnswerParts? = nil,
        maskColumn: String, maskName: String, givenMaskRole: String, step: String, truthNoun: String,
        referenceNames: [String], referenceDetails: String, rankedBy: String, agreement: String? = nil,
        limits: [String] = [], window: ClosedRange<Float>,
        memoryByteCount: @escaping @Sendable (VolumeShape) -> UInt64 = { _ in 0 }
    ) {
        (self.summary, self.options, self.details, self.masks) = (summary, options, details, masks)
        (self.figures, self.maskColumn, self.maskName, self.step) = (figures, maskColumn, maskName, step)
        (self.givenMaskRole, self.parts) = (givenMaskRole, parts)
        self.truthNoun = truthNoun
        self.memoryByteCount = memoryByteCount
        (self.rankedBy, self.agreement, self.limits, self.window) = (rankedBy, agreement, limits, window)
        (self.referenceNames, self.referenceDetails) = (referenceNames, referenceDetails)
    }
}

/// What a run's settings say of answers.
public protocol AnswerSettings: Sendable {
    /// - Parameters:
    ///   - values: of `AnswerGuide.options`.
    ///   - memberAnswers: each replica's own answer, too.
    ///   - reading: how CTs and masks are read; nil: as they are.
    /// - Throws: `UsageError` naming the option.
    func answering(_ values: OptionValues, memberAnswers: Bool, reading: ReadingOptions?) throws -> any RunSettings
    /// With what the headers of masks say made them: printable ASCII, at most `NIfTIFile.descriptionByteCountMax`.
    func describingMasks(_ text: String) -> any RunSettings
    /// Of settings that `answering` gave.
    var answerPlan: RecipePlan { get }
    /// The switches of `AnswerGuide.options` that `answering` was given and that add files to an answer.
    var answerExtras: Set<String> { get }
    /// Without what changes nothing of the vote's answers, or is told for each CT.
    var answerIdentity: any RunSettings { get }

    /// The rows that every table carries beside replicas and vote (method A6).
    /// - Parameters:
    ///   - mask: the one that the answer was given with.
    ///   - truth: on the CT's grid.
    /// - Throws: `RecipeError.inputRefused` or `ImageFileError` naming the file.
    func references(
        ct: LoadedImage, mask: LoadedImage?, reading: ReadingOptions?, truth: Mask, pool: ThreadPool
    ) throws -> [ReferenceAnswer]
}

/// An answer that no replica gave, for a table to be read by.
public struct ReferenceAnswer: Sendable {
    public var name: String
    /// Above the replicas; else below the vote.
    public var isFirst: Bool
    /// By role, on the CT's grid.
    public var masks: [String: Mask]

    public init(name: String, isFirst: Bool, masks: [String: Mask]) {
        (self.name, self.isFirst, self.masks) = (name, isFirst, masks)
    }
}
