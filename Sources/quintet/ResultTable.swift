import Foundation
import Platform
import Recipes

/// results.csv: one row a CT, in the order of the names. Rows of earlier commands stay.
struct ResultTable {
    /// One volume's line.
    struct Row {
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
    }

    private static let byteCountMax = 256 << 20

    private let guide: AnswerGuide
    /// Cells as they were read, by name.
    private var earlier: [String: [String]] = [:]
    private var rows: [String: Row] = [:]

    /// - Parameters:
    ///   - guide: of the recipe whose answers these are.
    ///   - path: a table of an earlier command; what cannot be read as one is left out.
    init(_ guide: AnswerGuide, keeping path: String?) {
        self.guide = guide
        guard let path else { return }
        let lines = Self.lines(of: path), header = lines.first ?? []
        for line in lines.dropFirst() where !(line.first ?? "").isEmpty {
            earlier[line[0]] = columns.map { column in
                header.firstIndex(of: column).flatMap { $0 < line.count ? line[$0] : nil } ?? ""
            }
        }
    }

    private var columns: [String] {
        ["name"] + guide.figures.map(\.column) + ["source", "refused", "warnings", guide.maskColumn, "add_hu"]
    }

    /// Empty for what is no such table.
    private static func lines(of path: String) -> [[String]] {
        guard let bytes = try? FileSystem.read(path, byteCountMax: byteCountMax) else { return [] }
        let lines = CSV.rows(String(decoding: bytes, as: UTF8.self))
        return lines.first?.first == "name" ? lines : []
    }

    /// Names whose latest row is a refusal: an answer of theirs that is there is an earlier one's.
    static func refusedNames(in path: String) -> Set<String> {
        let lines = lines(of: path)
        guard let column = lines.first?.firstIndex(of: "refused") else { return [] }
        return Set(lines.dropFirst().filter { $0.count > column && !$0[column].isEmpty }.map { $0[0] })
    }

    mutating func add(_ row: Row) { rows[row.name] = row }

    /// Of this command.
    var ownRows: [Row] { rows.values.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) } }

    /// As `quintet segment --json` has them.
    static func json(_ rows: [Row], _ guide: AnswerGuide) -> JSONValue {
        .list(rows.map { row in
            var object: [String: JSONValue] = ["name": .text(row.name), "source": .text(row.source)]
            for figure in guide.figures { object[figure.name] = row.figures[figure.name].map(JSONValue.number) }
            object[guide.maskName] = row.mask.map(JSONValue.text)
            object["addHU"] = row.addHU.map(JSONValue.number)
            object["warnings"] = row.warnings.map { .list($0.map(JSONValue.text)) }
            object["refused"] = row.refused.map(JSONValue.text)
            return .object(object)
        })
    }

    func csv() -> String {
        let columns = columns, numbers = Set(guide.figures.map(\.column) + ["add_hu"])
        var lines = earlier.mapValues { cells in
            zip(columns, cells).map { numbers.contains($0) ? $1 : CSV.quoted($1) }.joined(separator: ",")
        }
        for row in rows.values { lines[row.name] = line(row) }
        let ordered = lines.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map(\.value)
        return ([columns.joined(separator: ",")] + ordered).joined(separator: "\n") + "\n"
    }

    private func line(_ row: Row) -> String {
        let figures = guide.figures.map { figure in
            row.figures[figure.name].map { String(format: "%.3f", $0) } ?? ""
        }
        return ([CSV.quoted(row.name)] + figures + [
            CSV.quoted(row.source), CSV.quoted(row.refused ?? ""),
            CSV.quoted((row.warnings ?? []).joined(separator: " | ")), CSV.quoted(row.mask ?? ""),
            row.addHU.map { "\($0)" } ?? "",
        ]).joined(separator: ",")
    }
}
