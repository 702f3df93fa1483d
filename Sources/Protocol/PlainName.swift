extension String {
    /// Letters, digits and "-_.", one at least: stands as it is in a table's head or a list with spaces between.
    var isPlainName: Bool {
        !isEmpty && utf8.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || [45, 46, 95].contains($0)
        }
    }
}
