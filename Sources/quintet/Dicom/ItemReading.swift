import Imaging

extension Archive.Item {
    /// The CT: a file, or a DICOM series through quintet-dicom.
    /// - Throws: `ImageFileError`, `Archive.Refusal`.
    package func read() throws -> LoadedImage {
        guard let series else { return try ImageFile.read(path: path, name: relative) }
        var image = try ImageFile.read(bytes: DicomProgram.convert(series, source: path), name: relative)
        image.source.warnings += series.warnings
        return image
    }

    /// Whether the answer is that of this very series from when it was, or was not, alone in its folder: it has another
    /// name since, and its answer with it.
    func isRenamed(from row: AnswerRow, in archive: Archive) -> Bool {
        guard let series, row.name != name, ArchiveJournal.isSame(row.source, path) else { return false }
        let names = [name, row.name].sorted { $0.utf8.count < $1.utf8.count }
        return names[1] == names[0] + "-" + series.shortID && !archive.items.contains { $0.name == row.name }
    }
}
