extension StringProtocol {
    /// Text from a file or a peer as it may stand within a message: one line, and at most so many characters with
    /// "..." behind them. A control character would be obeyed by a terminal and is refused by the protocol, one that
    /// turns the direction of writing would show another name than there is: each becomes its JSON escape, "\u001b".
    ///
    /// Takes no longer than its answer is, however long the text.
    public func printable(most: Int = 200) -> String {
        var result = "", count = 0
        for scalar in unicodeScalars {
            guard count < most else { return result + "..." }
            count += 1
            if scalar.isPrintable { result.unicodeScalars.append(scalar) } else { result += scalar.escape }
        }
        return result
    }

    /// A whole text of ours, of any length, as a terminal or a file of lines takes it: ends of lines and tabs stay.
    /// Inside of JSON the escapes mean what they replace.
    public func printableLines() -> String {
        func stays(_ scalar: Unicode.Scalar) -> Bool { scalar.isPrintable || scalar == "\n" || scalar == "\t" }
        guard !unicodeScalars.allSatisfy(stays) else { return String(self) }
        var result = ""
        for scalar in unicodeScalars {
            if stays(scalar) { result.unicodeScalars.append(scalar) } else { result += scalar.escape }
        }
        return result
    }
}

extension Unicode.Scalar {
    /// Shows as itself, or as a space.
    var isPrintable: Bool {
        if (0x20..<0x7F).contains(value) { return true }
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: return false
        default: return true
        }
    }

    var escape: String {
        String(self).utf16.reduce("") { text, unit in
            let digits = String(unit, radix: 16)
            return text + "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
    }
}
