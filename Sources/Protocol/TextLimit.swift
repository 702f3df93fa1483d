extension String {
    /// As much of the text's beginning as fits, whole scalars; where something is lost it ends with "...". Takes no
    /// longer than its answer is: a single character may have a million scalars. Control characters, which no message
    /// may hold, become spaces: a reason is better told without them than not at all.
    package func cut(toBytes byteCountMax: Int) -> String {
        let bytes = utf8
        guard bytes.count > byteCountMax else { return withoutControls }
        var end = bytes.index(bytes.startIndex, offsetBy: Swift.max(0, byteCountMax - 3))
        // A byte 10xxxxxx goes on with a scalar.
        while end > bytes.startIndex, bytes[end] & 0xC0 == 0x80 { bytes.formIndex(before: &end) }
        return String(self[..<end]).withoutControls + "..."
    }

    private var withoutControls: String {
        guard !TextKind.label.accepts(utf8) else { return self }
        var result = ""
        for scalar in unicodeScalars {
            result.unicodeScalars.append(TextKind.label.accepts(String(scalar).utf8) ? scalar : " ")
        }
        return result
    }
}
