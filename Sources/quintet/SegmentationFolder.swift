import Imaging
import Platform
import Protocol
import Recipes

/// What `quintet segment --out DIR` leaves; NAME is the CT's path below the archive, folders included, and FOLDER that
/// of one of the recipe's masks, none for the answer itself:
///
///     DIR/FOLDER/NAME.nii.gz                the vote's answer, and masks that the volume has once
///     DIR/replica-0/FOLDER/NAME.nii.gz ...  each replica's own, with --members
///     DIR/lesions.csv                       with --numbered: a row for every lesion
///     DIR/NAME.seg.dcm                      with --dicom-seg: vote and region as DICOM SEG of the CT's series
///     DIR/archive.csv                       a row for every CT: figures, or why it has none
///     DIR/report.html                       the same to look at
struct SegmentationFolder {
    static let resultsName = "archive.csv"
    /// Which ensemble has answered, with which settings.
    static let settingsName = ".quintet-segmentation.json"

    let path: String
    let guide: AnswerGuide

    init(_ path: String, _ guide: AnswerGuide) { (self.path, self.guide) = (path, guide) }

    /// With the recipe that its answers are of, as far as the folder says so.
    init(_ path: String, in registry: RecipeRegistry) {
        let name = RecipeChoice.recipeName(in: "\(path)/\(Self.settingsName)")
        self.init(path, (name.flatMap { try? registry.recipe(named: $0) } ?? registry.standard).answerGuide)
    }

    /// - Parameter answer: "vote", "replica-0", ...
    static func fileName(_ name: String, answer: String, _ mask: AnswerMask) -> String {
        (answer == "vote" || !mask.isOfAnswer ? "" : answer + "/") + (mask.folder.isEmpty ? "" : mask.folder + "/")
            + name + ".nii.gz"
    }

    /// With `--dicom-seg`: of the same masks, where the CT is a DICOM series.
    static func objectName(_ name: String) -> String { name + ".seg.dcm" }

    /// Everything that is written about one CT.
    static func names(_ name: String, answers: [String], _ masks: [AnswerMask]) -> [String] {
        answers.flatMap { answer in
            masks.filter(\.isOfAnswer).map { fileName(name, answer: answer, $0) }
        } + masks.filter { !$0.isOfAnswer }.map { fileName(name, answer: "vote", $0) }
    }

    /// A CT in an archive's folder of this name would have its answer where another CT's other masks belong.
    func isReserved(_ name: String) -> Bool {
        guard let folder = name.split(separator: "/").first, name.contains("/") else { return false }
        if guide.masks.contains(where: { !$0.folder.isEmpty && $0.folder == folder }) { return true }
        if folder == ArchivePage.pictureFolder { return true }
        return folder.hasPrefix("replica-") && folder.dropFirst(8).allSatisfy(\.isNumber)
    }

    func file(_ name: String, answer: String, _ mask: AnswerMask) -> String {
        "\(path)/" + Self.fileName(name, answer: answer, mask)
    }

    /// Where findings can be; nil when the recipe's answers have no such mask, or it is not there.
    func region(_ name: String) -> String? {
        guide.masks.first(where: \.isRegion).flatMap { existing(file(name, answer: "vote", $0)) }
    }

    /// What an answer's CT is called.
    func name(of answer: String) -> String {
        let below = answer.hasPrefix(path + "/") ? String(answer.dropFirst(path.count + 1)) : answer
        let folder = FileSystem.folder(of: below), stem = ImageFile.stem(below)
        return folder == "." ? stem : folder + "/" + stem
    }

    /// The answers that are there, files of their masks by role: replicas first, then the vote.
    /// - Parameter vote: the vote's file.
    func answers(for name: String, vote: String) -> [(name: String, masks: [String: String])] {
        let members = (0..<Limits.replicasMax).map { "replica-\($0)" }.filter { FileSystem.isFolder("\(path)/\($0)") }
        return (members + ["vote"]).map { answer in
            var masks: [String: String] = [:]
            for mask in guide.masks where mask.isOfAnswer {
                masks[mask.role] = answer == "vote" && mask.folder.isEmpty
                    ? vote : existing(file(name, answer: answer, mask))
            }
            return (answer, masks)
        }
    }

    private func existing(_ path: String) -> String? { FileSystem.exists(path) ? path : nil }
}
