import Numerics

/// Cells of tables that spreadsheets open.
package enum CSV {
    /// Text from elsewhere (names, paths, messages) in quotes, without control characters. A cell that a spreadsheet
    /// would take for a formula and compute gets an apostrophe, which makes it text.
    package static func quoted(_ text: String) -> String {
        let plain = text.printable(most: 2000)
        let isFormula = plain.unicodeScalars.first { $0 != " " }.map { "=+-@".unicodeScalars.contains($0) } ?? false
        return "\"" + (isFormula ? "'" : "") + plain.replacing("\"", with: "\"\"") + "\""
    }
}
