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

    /// The cells of a table, quoted ones unquoted, blanks around them left out.
    package static func rows(_ text: String) -> [[String]] {
        var rows: [[String]] = [], row: [String] = [], cell = "", isQuoted = false
        func trimmed(_ text: String) -> String {
            var text = Substring(text)
            while text.last == " " || text.last == "\t" { text.removeLast() }
            return String(text.drop { $0 == " " || $0 == "\t" })
        }
        // Some programs put a mark before a text in UTF-8. A line may end in two characters, which Swift takes for one.
        for character in text.drop(while: { $0 == "\u{FEFF}" }) {
            if isQuoted {
                if character == "\"" { isQuoted = false } else { cell.append(character) }
            } else if character == "\"" {
                // Two quotes within quotes are one.
                if !cell.isEmpty { cell.append(character) }
                isQuoted = true
            } else if character == "," {
                row.append(trimmed(cell))
                cell = ""
            } else if character.isNewline {
                rows.append(row + [trimmed(cell)])
                (row, cell) = ([], "")
            } else {
                cell.append(character)
            }
        }
        if !cell.isEmpty || !row.isEmpty { rows.append(row + [trimmed(cell)]) }
        return rows
    }
}
