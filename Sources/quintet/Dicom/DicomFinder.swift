import Platform
import Recipes

/// DICOM files that a walk through an archive has met, as series: what is a CT and what is not.
struct DicomFinder {
    /// A CT in many files.
    struct Found {
        /// Path below the archive, without an ending.
        var name: String
        var path: String
        var series: DicomSeries
    }

    private let root: String
    private var files: [FolderWalk.File] = []

    init(root: String) { self.root = root }

    private static let endings = [".dcm", ".dicom", ".ima"]

    /// Takes the file where it is one.
    mutating func look(at file: FolderWalk.File) { if Self.isDICOM(file) { files.append(file) } }

    private static func isDICOM(_ file: FolderWalk.File) -> Bool {
        let name = Archive.fileName(file.relative).lowercased()
        // An index of a medium's files.
        if name == "dicomdir" { return false }
        if endings.contains(where: name.hasSuffix) { return true }
        // Scanners' exports have names like IM0001 and 1.2.840.113619.
        let ending = name.lastIndex(of: ".").map { name[name.index(after: $0)...] } ?? ""
        guard ending.allSatisfy(\.isNumber) else { return false }
        return (try? FileSystem.read(file.path, offset: 128, count: 4)) == Array("DICM".utf8)
    }

    /// What was found.
    struct Outcome {
        var cts: [Found] = []
        var refused: [(name: String, path: String, message: String)] = []
        /// What was left out on purpose.
        var notes: [String] = []
        var all: [DicomSeries] = []
    }

    /// - Throws: `RecipeError.interrupted`.
    func find() throws -> Outcome {
        guard !files.isEmpty else { return Outcome() }
        do {
            return sorted(try DicomProgram.list(files, below: root))
        } catch is DicomProgram.Missing {
            return Outcome(refused: byFolder(files).map { folder, files in
                (name(folder), path(folder), "\(path(folder)): holds DICOM (files: \(files.count)), which the program "
                    + "quintet-dicom reads, and that is not there: \(DicomProgram.remedy) \(path(folder))")
            })
        } catch let failure as DicomProgram.Failure {
            return Outcome(refused: byFolder(files).map { folder, files in
                (name(folder), path(folder), "\(path(folder)): holds DICOM (files: \(files.count)), which was not "
                    + "read: \(failure)")
            })
        }
    }

    private func sorted(_ listing: DicomListing) -> Outcome {
        var outcome = Outcome(all: listing.series)
        let counts = Dictionary(grouping: listing.series.filter(\.isCT), by: \.folder).mapValues(\.count)
        let unreadable = byFolder(listing.unreadable.map(\.file))
        for var series in listing.series {
            let path = path(series.folder)
            guard series.isCT else {
                outcome.notes.append("left out: \(path): a DICOM series that is no CT: \(series.what) "
                    + "(files: \(series.fileCount))")
                continue
            }
            // What an answer is called may be seen by anybody: of the series there is nothing in it but a digest.
            let isAlone = counts[series.folder] == 1
            let name = name(series.folder) + (isAlone ? "" : "-" + series.shortID)
            if let refusal = series.refusal {
                outcome.refused.append((name, path, "\(path): \(refusal)"))
                continue
            }
            let folders = Set(series.files.map { FileSystem.folder(of: $0.relative) })
            if let stranger = unreadable.first(where: { folders.contains($0.folder) }) {
                series.warnings.append("\(stranger.files[0].path), beside its slices, cannot be read and may be one.")
            }
            outcome.cts.append(Found(name: name, path: path, series: series))
        }
        for (folder, files) in unreadable {
            let first = files[0], reason = listing.unreadable.first { $0.file == first }?.reason ?? ""
            let others = files.count > 1 ? " (and \(files.count - 1) others there)" : ""
            outcome.refused.append((
                name(first.relative), path(folder),
                "\(first.path)\(others): \(reason); get it again from its source, or take it out of the archive"))
        }
        return outcome
    }

    private func byFolder(_ files: [FolderWalk.File]) -> [(folder: String, files: [FolderWalk.File])] {
        Dictionary(grouping: files) { FileSystem.folder(of: $0.relative) }.sorted { $0.key < $1.key }
            .map { ($0.key, $0.value) }
    }

    /// Of a folder below the root.
    private func name(_ folder: String) -> String {
        guard folder.isEmpty || folder == "." else { return folder }
        return Archive.fileName((try? FileSystem.absolutePath(root)) ?? root)
    }

    private func path(_ folder: String) -> String { folder.isEmpty || folder == "." ? root : root + "/" + folder }
}
