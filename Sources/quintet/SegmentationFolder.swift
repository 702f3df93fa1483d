import Imaging
import Platform
import Protocol

/// What `quintet segment --out DIR` leaves; NAME is the CT's path below the archive, folders included:
///
///     DIR/NAME.nii.gz                       the answer: the vote's lesions, grown
///     DIR/without-growing/NAME.nii.gz       the same before growing
///     DIR/replica-0/NAME.nii.gz ...         each replica's own, with --members
///     DIR/replica-0/without-growing/...
///     DIR/lungs/NAME.nii.gz                 the lung masks that were given or made
///     DIR/results.csv                       figures for every volume
struct SegmentationFolder {
    static let resultsName = "results.csv"

    let path: String

    init(_ path: String) { self.path = path }

    /// - Parameter answer: "vote", "replica-0", ...
    static func maskName(_ name: String, answer: String, isGrown: Bool) -> String {
        (answer == "vote" ? "" : answer + "/") + (isGrown ? "" : "without-growing/") + name + ".nii.gz"
    }

    static func lungName(_ name: String) -> String { "lungs/\(name).nii.gz" }

    /// Everything that is written about one CT.
    static func names(_ name: String, answers: [String]) -> [String] {
        answers.flatMap { answer in [true, false].map { maskName(name, answer: answer, isGrown: $0) } }
            + [lungName(name)]
    }

    /// A CT in an archive's folder of this name would have its answer where another CT's lungs belong.
    static func isReserved(_ name: String) -> Bool {
        guard let folder = name.split(separator: "/").first, name.contains("/") else { return false }
        if folder == "lungs" || folder == "without-growing" { return true }
        return folder.hasPrefix("replica-") && folder.dropFirst(8).allSatisfy(\.isNumber)
    }

    func mask(_ name: String, answer: String, isGrown: Bool) -> String {
        "\(path)/" + Self.maskName(name, answer: answer, isGrown: isGrown)
    }

    /// nil when it is not there.
    func lung(_ name: String) -> String? { existing("\(path)/" + Self.lungName(name)) }

    /// What an answer's CT is called.
    func name(of answer: String) -> String {
        let below = answer.hasPrefix(path + "/") ? String(answer.dropFirst(path.count + 1)) : answer
        let folder = FileSystem.folder(of: below), stem = ImageFile.stem(below)
        return folder == "." ? stem : folder + "/" + stem
    }

    /// The answers that are there: replicas first, then the vote.
    /// - Parameter vote: the vote's file.
    func answers(for name: String, vote: String) -> [(name: String, grown: String?, withoutGrowing: String?)] {
        let members = (0..<Limits.replicasMax).map { "replica-\($0)" }.filter { FileSystem.isFolder("\(path)/\($0)") }
        return members.map { kind in
            (
                kind, existing(mask(name, answer: kind, isGrown: true)),
                existing(mask(name, answer: kind, isGrown: false))
            )
        } + [("vote", vote, existing(mask(name, answer: "vote", isGrown: false)))]
    }

    private func existing(_ path: String) -> String? { FileSystem.exists(path) ? path : nil }
}
