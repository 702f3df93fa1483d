import Foundation
import Platform

/// results.csv: one row a CT, in the order of the names. Rows of earlier commands stay.
struct ResultTable {
    /// One volume's line.
    struct Row: Encodable {
        var name: String
        var source: String
        var lesionML: Double?
        var lesionPercent: Double?
        var lungML: Double?
        var lesionWithoutGrowingML: Double?
        /// The mask that was given, or "made here".
        var lungMask: String?
        /// What was added to the CT's values.
        var addHU: Double?
        /// What stands beside the figures: they are less certain than they look.
        var warnings: [String]?
        /// Why the volume has no answer.
        var refused: String?
    }

    private static let columns = [
        "name", "lesion_ml", "lesion_percent", "lung_ml", "lesion_without_growing_ml", "source", "refused", "warnings",
        "lung_mask", "add_hu",
    ]
    private static let byteCountMax = 256 << 20

    /// Cells as they were read, by name.
    private var earlier: [String: [String]] = [:]
    private var rows: [String: Row] = [:]

    /// - Parameter path: a table of an earlier command; what cannot be read as one is left out.
    init(keeping path: String?) {
        guard let path, let bytes = try? FileSystem.read(path, byteCountMax: Self.byteCountMax) else { return }
        let lines = CSV.rows(String(decoding: bytes, as: UTF8.self))
        let header = lines.first ?? []
        guard header.first == "name" else { return }
        for line in lines.dropFirst() where !(line.first ?? "").isEmpty {
            earlier[line[0]] = Self.columns.map { column in
                header.firstIndex(of: column).flatMap { $0 < line.count ? line[$0] : nil } ?? ""
            }
        }
    }

    /// Names whose latest row is a refusal: an answer of theirs that is there is an earlier one's.
    static func refusedNames(in path: String) -> Set<String> {
        let table = ResultTable(keeping: path), column = columns.firstIndex(of: "refused") ?? 0
        return Set(table.earlier.filter { !$0.value[column].isEmpty }.map(\.key))
    }

    mutating func add(_ row: Row) { rows[row.name] = row }

    /// Of this command.
    var ownRows: [Row] { rows.values.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) } }

    func csv() -> String {
        var lines = earlier.mapValues { cells in
            zip(Self.columns, cells).map { column, cell in
                column.contains("_ml") || column.contains("_percent") || column == "add_hu" ? cell : CSV.quoted(cell)
            }.joined(separator: ",")
        }
        for row in rows.values { lines[row.name] = Self.line(row) }
        let ordered = lines.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map(\.value)
        return ([Self.columns.joined(separator: ",")] + ordered).joined(separator: "\n") + "\n"
    }

    private static func line(_ row: Row) -> String {
        func number(_ value: Double?) -> String { value.map { String(format: "%.3f", $0) } ?? "" }
        return [
            CSV.quoted(row.name), number(row.lesionML), number(row.lesionPercent), number(row.lungML),
            number(row.lesionWithoutGrowingML), CSV.quoted(row.source), CSV.quoted(row.refused ?? ""),
            CSV.quoted((row.warnings ?? []).joined(separator: " | ")), CSV.quoted(row.lungMask ?? ""),
            row.addHU.map { "\($0)" } ?? "",
        ].joined(separator: ",")
    }
}
