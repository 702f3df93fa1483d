import Platform

/// Files of an archive that hold images in formats that are not read: their owner expects an answer to each.
struct ForeignImages {
    private(set) var found: [(name: String, path: String, message: String)] = []

    private static let endings = [
        ".nrrd": "NRRD", ".nhdr": "NRRD", ".mgz": "FreeSurfer", ".mgh": "FreeSurfer", ".mnc": "MINC",
        ".nii.bz2": "bzip2", ".nii.xz": "xz", ".nii.zst": "Zstandard", ".nii.zip": "ZIP", ".mha.gz": "gzip",
        ".mhd.gz": "gzip",
    ]

    mutating func look(at file: FolderWalk.File) {
        let name = Archive.fileName(file.relative).lowercased()
        if let (ending, format) = Self.endings.first(where: { name.hasSuffix($0.key) }) {
            let remedy = ending.hasPrefix(".nii.") || ending.hasSuffix(".gz")
                ? "unpack it, and pack it with gzip if it is to be packed" : "convert it to .nii.gz (3D Slicer: Save)"
            return found.append((
                String(file.relative.dropLast(ending.count)), file.path,
                "\(file.path): is a \(format) file, which is not read; \(remedy)"))
        }
        if let ending = [".img", ".img.gz"].first(where: name.hasSuffix) {
            let stem = file.path.dropLast(ending.count)
            guard ![".hdr", ".hdr.gz", ".HDR"].contains(where: { FileSystem.exists(stem + $0) }) else { return }
            return found.append((
                String(file.relative.dropLast(ending.count)), file.path,
                "\(file.path): its header is missing; put the .hdr file beside it, under the same name"))
        }
    }
}
