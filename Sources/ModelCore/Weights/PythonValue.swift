/// A value as Python or JSON writes it: `3`, `1e-05`, `False`, `"INSTANCE"`, `(2, 2, 2)`,
/// `("INSTANCE", {"eps": 1e-5})`. A word without quotes is a text, and `16, 32` without brackets a list.
enum PythonValue: Equatable {
    case number(Double)
    /// Also True, False and None, which are texts in a file's metadata in any case.
    case text(String)
    case list([PythonValue])
    case dictionary([String: PythonValue])

    /// nil for what is no such value, is longer than any setting, or nested deeper.
    init?(_ written: String) {
        guard written.utf8.count <= 1024 else { return nil }
        var reader = Reader(rest: Array(written)[...])
        guard let value = reader.list(until: nil, depth: 0) else { return nil }
        self = value
    }

    /// A whole number; nil for anything else.
    var whole: Int? {
        if case .number(let value) = self { return Int(exactly: value) }
        return nil
    }

    /// In lower case; numbers as Swift writes them.
    var word: String? {
        switch self {
        case .text(let text): text.lowercased()
        case .number(let value): whole.map { "\($0)" } ?? "\(value)"
        default: nil
        }
    }

    var boolean: Bool? {
        switch word {
        case "true", "1": true
        case "false", "0", "none": false
        default: nil
        }
    }

    private struct Reader {
        var rest: ArraySlice<Character>

        mutating func skipBlanks() { rest = rest.drop { $0.isWhitespace } }

        mutating func take(_ character: Character) -> Bool {
            skipBlanks()
            guard rest.first == character else { return false }
            rest.removeFirst()
            return true
        }

        /// Values with commas between them. Without brackets, or in round ones, one value without a comma is itself.
        mutating func list(until end: Character?, depth: Int) -> PythonValue? {
            var values: [PythonValue] = [], hasComma = false
            while true {
                skipBlanks()
                if end.map({ take($0) }) ?? rest.isEmpty { break }
                if !values.isEmpty {
                    guard take(",") else { return nil }
                    hasComma = true
                    skipBlanks()
                    if end.map({ take($0) }) ?? rest.isEmpty { break }
                }
                guard let value = value(depth: depth + 1) else { return nil }
                values.append(value)
            }
            if end != "]", !hasComma {
                guard let value = values.first else { return end == nil ? nil : .list([]) }
                return value
            }
            return .list(values)
        }

        mutating func value(depth: Int) -> PythonValue? {
            guard depth < 8 else { return nil }
            if take("[") { return list(until: "]", depth: depth) }
            if take("(") { return list(until: ")", depth: depth) }
            if take("{") { return dictionary(depth: depth) }
            for quote in ["\"", "'"] as [Character] where take(quote) {
                guard let end = rest.firstIndex(of: quote) else { return nil }
                defer { rest = rest[(end + 1)...] }
                return .text(String(rest[..<end]))
            }
            let word = String(rest.prefix { !",:()[]{}\"'".contains($0) })
            rest = rest.dropFirst(word.count)
            let trimmed = String(word.reversed().drop { $0.isWhitespace }.reversed())
            guard !trimmed.isEmpty else { return nil }
            return Double(trimmed).map { .number($0) } ?? .text(trimmed)
        }

        mutating func dictionary(depth: Int) -> PythonValue? {
            var values: [String: PythonValue] = [:]
            while !take("}") {
                if !values.isEmpty {
                    guard take(",") else { return nil }
                    if take("}") { break }
                }
                guard let key = value(depth: depth + 1)?.word, take(":"), let value = value(depth: depth + 1),
                    values.updateValue(value, forKey: key) == nil
                else { return nil }
            }
            return .dictionary(values)
        }
    }
}
