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
}
