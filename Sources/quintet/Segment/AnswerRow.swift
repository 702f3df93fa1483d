import Foundation
import Platform
import Recipes

/// What there is to say about one CT of an archive: its answer's figures, or why it has none. A line of archive.csv.
struct AnswerRow: Codable {
    /// A file of the answer as it was written.
    struct WrittenFile: Codable {
        var digest: String
        /// nil where the file could have been changed since without showing.
        var stamp: FileStamp?
    }

    var name: String
    var source: String
    /// By the names of the recipe's figures.
    var figures: [String: Double] = [:]
    /// The mask that was given, or "made here".
    var mask: String?
    /// What was added to the CT's values.
    var addHU: Double?
    /// What stands beside the figures: they are less certain than they look.
    var warnings: [String]?
    /// Why the volume has no answer.
    var refused: String?
    /// Of the CT's file.
    var byteCount: UInt64?
    /// Of what was answered or refused; nil where it was not even read.
    var content: AnsweredContent?
    /// How long workers computed.
    var seconds: Double?
    var worker: String?
    /// By the name below the folder.
    var files: [String: WrittenFile]?
    /// The program that refused it: another one may not.
    var build: String?
    /// About the answer's parts, by the names of their figures; nil where nobody asked.
    var parts: [[String: Double]]?
    /// Of the DICOM series that the answer's DICOM SEG was made for; the file is one of `files`.
    var objectSeries: FileStamp?
    /// Whose the CT is, with `--keep-identity`.
    var identity: DicomIdentity?

    /// How the warning of an answer begins whose DICOM SEG was asked for and cannot be made.
    static let noObject = "no DICOM SEG"
    var lacksObject: Bool { refused == nil && (warnings ?? []).contains { $0.hasPrefix(Self.noObject) } }
}

/// By what an answer is known, beside the weights and the settings that all answers in a folder share.
struct AnsweredContent: Codable, Hashable {
    /// SHA-256 of the CT, and of the mask where one came with it.
    var ct: String
    var mask: String?
    /// How they were read (`ReadingOptions`, JSON), where somebody said so.
    var reading: String?
}

/// archive.csv: one row a CT. Added to as answers come, and put into the order of the names at the end.
struct AnswerTable {
    private let guide: AnswerGuide
    /// `--keep-identity`
    private let hasIdentity: Bool
    private(set) var rows: [String: AnswerRow] = [:]
    /// Names of this command.
    private var own: Set<String> = []

    init(_ guide: AnswerGuide, rows: [String: AnswerRow], hasIdentity: Bool) {
        (self.guide, self.rows, self.hasIdentity) = (guide, rows, hasIdentity)
    }

    mutating func add(_ row: AnswerRow) {
        if own.contains(row.name), rows[row.name]?.refused != nil { ownRefusedCount -= 1 }
        rows[row.name] = row
        own.insert(row.name)
        if row.refused != nil { ownRefusedCount += 1 }
    }

    /// An earlier command's row that is this one's, too.
    mutating func keep(_ name: String) {
        guard own.insert(name).inserted, rows[name]?.refused != nil else { return }
        ownRefusedCount += 1
    }

    mutating func remove(_ name: String) {
        rows[name] = nil
        own.remove(name)
    }

    var ownCount: Int { own.count }
    private(set) var ownRefusedCount = 0

    /// Of this command.
    var ownRows: [AnswerRow] {
        own.compactMap { rows[$0] }.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    var allRows: [AnswerRow] { rows.values.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) } }

    // MARK: - CSV

    static let state = (done: "done", refused: "refused")

    private var columns: [String] {
        ["name"] + guide.figures.map(\.column) + [
            "source", "refused", "warnings", guide.maskColumn, "add_hu", "state", "bytes", "sha256", "seconds",
            "worker",
        ] + (hasIdentity ? DicomIdentity.columns : [])
    }

    var header: String { columns.joined(separator: ",") + "\n" }

    /// A row for every part of every answer that knows them.
    func csv(of parts: AnswerParts) -> String {
        let header = (["name"] + parts.figures.map(\.column)).joined(separator: ",") + "\n"
        return header + allRows.flatMap { row in
            (row.refused == nil ? row.parts ?? [] : []).map { part in
                let cells = parts.figures.map { String(format: "%.\($0.digits)f", part[$0.name] ?? .nan) }
                return ([CSV.quoted(row.name)] + cells).joined(separator: ",") + "\n"
            }
        }.joined()
    }

    func csv() -> String { header + allRows.map { line($0) + "\n" }.joined() }

    func line(_ row: AnswerRow) -> String {
        let figures = guide.figures.map { figure in
            row.figures[figure.name].map { String(format: "%.\(figure.digits)f", $0) } ?? ""
        }
        let identity = (row.identity?.cells.map(CSV.quoted) ?? DicomIdentity.columns.map { _ in "" })
        return ([CSV.quoted(row.name)] + figures + [
            CSV.quoted(row.source), CSV.quoted(row.refused ?? ""),
            CSV.quoted((row.warnings ?? []).joined(separator: " | ")), CSV.quoted(row.mask ?? ""),
            row.addHU.map { "\($0)" } ?? "", row.refused == nil ? Self.state.done : Self.state.refused,
            row.byteCount.map(String.init) ?? "", row.content?.ct ?? "",
            row.seconds.map { String(format: "%.3f", $0) } ?? "", CSV.quoted(row.worker ?? ""),
        ] + (hasIdentity ? identity : [])).joined(separator: ",")
    }

    /// Whether lines were added by quintet: each is its CT's row, or was followed by another of that CT; the last one
    /// may be cut.
    func hasWritten(_ text: String) -> Bool {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false), whole = lines.dropLast()
        func cell(_ line: some StringProtocol) -> String { CSV.rows(String(line)).first?.first ?? "" }
        // By their cells: a name may have an apostrophe before it there.
        let byCell = Dictionary(
            rows.values.map { (cell(CSV.quoted($0.name)), $0) }, uniquingKeysWith: { first, _ in first })
        var isFollowed: Set<String> = []
        for line in whole.reversed() {
            let name = cell(line)
            guard let row = byCell[name], self.line(row) == line || isFollowed.contains(name) else { return false }
            isFollowed.insert(name)
        }
        guard let cut = lines.last, !cut.isEmpty else { return true }
        return rows.values.contains { line($0).hasPrefix(cut) }
    }

    static let byteCountMax = 1 << 30

    /// Names whose latest row is a refusal: an answer of theirs that is there is an earlier one's.
    static func refusedNames(in path: String) -> Set<String> {
        guard let bytes = try? FileSystem.read(path, byteCountMax: byteCountMax) else { return [] }
        let lines = CSV.rows(String(decoding: bytes, as: UTF8.self))
        guard lines.first?.first == "name", let column = lines[0].firstIndex(of: "refused") else { return [] }
        var refused: [String: Bool] = [:]
        for line in lines.dropFirst() where line.count > column { refused[line[0]] = !line[column].isEmpty }
        return Set(refused.filter(\.value).keys)
    }

    // MARK: - JSON

    /// As `quintet segment --json` has them.
    static func json(_ rows: [AnswerRow], _ guide: AnswerGuide) -> JSONValue {
        .list(rows.map { row in
            var object: [String: JSONValue] = ["name": .text(row.name), "source": .text(row.source)]
            for figure in guide.figures { object[figure.name] = row.figures[figure.name].map(JSONValue.number) }
            object[guide.maskName] = row.mask.map(JSONValue.text)
            object["addHU"] = row.addHU.map(JSONValue.number)
            object["warnings"] = row.warnings.map { .list($0.map(JSONValue.text)) }
            object["refused"] = row.refused.map(JSONValue.text)
            object["byteCount"] = row.byteCount.map { .number(Double($0)) }
            object["sha256"] = row.content.map { .text($0.ct) }
            object["seconds"] = row.seconds.map(JSONValue.number)
            object["worker"] = row.worker.map(JSONValue.text)
            if let parts = guide.parts {
                object[parts.key] = row.parts.map { .list($0.map { .object($0.mapValues(JSONValue.number)) }) }
            }
            if let identity = row.identity {
                let names = ["patientName", "patientID", "studyDate", "accessionNumber", "seriesUID"]
                object["identity"] = .object(Dictionary(
                    uniqueKeysWithValues: zip(names, identity.cells.map(JSONValue.text))))
            }
            object["dicomSeg"] = row.objectSeries.map { _ in .text(SegmentationFolder.objectName(row.name)) }
            return .object(object)
        })
    }
}
