extension String {
    /// As much of the text's beginning as fits, whole characters; where something is lost it ends with "...".
    func cut(toBytes byteCountMax: Int) -> String {
        guard utf8.count > byteCountMax else { return self }
        var text = self
        while text.utf8.count > byteCountMax - 3, !text.isEmpty { text.removeLast() }
        return text + "..."
    }
}
