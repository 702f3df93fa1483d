import Platform

/// Files of an archive that hold images in formats that are not read: their owner expects an answer to each.
struct ForeignImages {
    private let root: String
    private var dicomCounts: [String: Int] = [:]
    private var others: [(name: String, path: String, message: String)] = []

    private static let endings = [
        ".nrrd": "NRRD", ".nhdr": "NRRD", ".mgz": "FreeSurfer", ".mgh": "FreeSurfer", ".mnc": "MINC",
        ".nii.bz2": "bzip2", ".nii.xz": "xz", ".nii.zst": "Zstandard", ".nii.zip": "ZIP", ".mha.gz": "gzip",
        ".mhd.gz": "gzip",
    ]
    private static let dicomEndings = [".dcm", ".dicom", ".ima"]

    init(root: String) { self.root = root }

    mutating func look(at file: FolderWalk.File) {
        let name = Archive.fileName(file.relative).lowercased()
        if let (ending, format) = Self.endings.first(where: { name.hasSuffix($0.key) }) {
            let remedy = ending.hasPrefix(".nii.") || ending.hasSuffix(".gz")
                ? "unpack it, and pack it with gzip if it is to be packed" : "convert it to .nii.gz (3D Slicer: Save)"
            return others.append((
                String(file.relative.dropLast(ending.count)), file.path,
                "\(file.path): is a \(format) file, which is not read; \(remedy)"))
        }
        if let ending = [".img", ".img.gz"].first(where: name.hasSuffix) {
            let stem = file.path.dropLast(ending.count)
            guard ![".hdr", ".hdr.gz", ".HDR"].contains(where: { FileSystem.exists(stem + $0) }) else { return }
            return others.append((
                String(file.relative.dropLast(ending.count)), file.path,
                "\(file.path): its header is missing; put the .hdr file beside it, under the same name"))
        }
        if isDICOM(file, name) { dicomCounts[FileSystem.folder(of: file.relative), default: 0] += 1 }
    }

    private func isDICOM(_ file: FolderWalk.File, _ name: String) -> Bool {
        if Self.dicomEndings.contains(where: name.hasSuffix) { return true }
        // Scanners' exports have names like IM0001 and 1.2.840.113619.
        let ending = name.lastIndex(of: ".").map { name[name.index(after: $0)...] } ?? ""
        guard ending.allSatisfy(\.isNumber) else { return false }
        return (try? FileSystem.read(file.path, offset: 128, count: 4)) == Array("DICM".utf8)
    }

    /// A series is one CT in many files: one line for each folder.
    var found: [(name: String, path: String, message: String)] {
        others + dicomCounts.sorted { $0.key < $1.key }.map { folder, count in
            let path = folder == "." ? root : root + "/" + folder
            return (
                folder == "." ? Archive.fileName(root) : folder, path,
                "\(path): holds DICOM, which is not read (files: \(count)); convert the series with "
                    + "dcm2niix -z y \(path)"
            )
        }
    }
}
