import Recipes

/// `--add-hu` and `--labels`: how CTs and masks are read where their files need it.
enum ReadingArguments {
    static let addHU = Option(
        "--add-hu", "N", "added to every value of a CT that is not in HU: -1024 where its file holds HU + 1024")

    /// - Parameter masks: what the labels are of.
    static func labels(of masks: String) -> Option {
        Option("--labels", "N,N", "labels of \(masks) that count as inside, such as 3,4; default: all but 0")
    }

    /// - Returns: nil when neither was given.
    static func options(_ arguments: Arguments) throws -> ReadingOptions? {
        let addHU = try arguments.number("--add-hu", ReadingOptions.addHURange), labels = try labels(arguments)
        return addHU == nil && labels == nil ? nil : ReadingOptions(addHU: addHU, maskLabels: labels)
    }

    private static func labels(_ arguments: Arguments) throws -> [Int]? {
        guard let text = arguments.text("--labels") else { return nil }
        let words = text.split(separator: ",", omittingEmptySubsequences: false)
        let labels = words.compactMap { Int($0) }
        guard labels.count == words.count, labels.count <= ReadingOptions.labelCountMax,
            labels.allSatisfy(ReadingOptions.labelRange.contains)
        else {
            throw UsageError("--labels takes whole numbers from \(ReadingOptions.labelRange.lowerBound) to "
                + "\(ReadingOptions.labelRange.upperBound) with commas between them, such as 3,4, not \"\(text)\"")
        }
        return Array(Set(labels)).sorted()
    }
}
