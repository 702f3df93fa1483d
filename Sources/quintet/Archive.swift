import Foundation
import Imaging
import Numerics
import Platform
import Protocol
import Recipes

/// The images that a command was pointed at: files, or folders with files somewhere below.
///
/// An image is called after its path below the folder, without its ending: "patA/ct" for ARCHIVE/patA/ct.nii.gz. So its
/// name, and with it its answer's, is its own for good, whatever is added to the archive or taken from it.
package struct Archive {
    package enum Purpose {
        /// What quintet itself has written is never an input.
        case cts
        /// Masks may be any, quintet's own answers among them.
        case masks
    }

    package struct Item {
        /// Unique among the items.
        package var name: String
        /// The path below the folder, with its ending: for people.
        var relative: String
        package var path: String
        /// As it was seen when the archive was looked through.
        var stamp: FileStamp?
        /// Where the CT is a DICOM series, in the folder that `path` names; nil for a file.
        var series: DicomSeries?

        /// The name where it must be short: on the wire.
        var label: String { WireName.fitting(name, byteCountMax: Limits.nameBytesMax) }

        /// The file where its name must be short.
        var fileLabel: String { WireName.fitting(relative, byteCountMax: Limits.nameBytesMax) }
    }

    /// An input that cannot be used; the others can.
    package struct Refusal: Error, CustomStringConvertible {
        package var description: String
        init(_ description: String) { self.description = description }
    }

    /// Something in the archive that looks like an input and is none that can be taken.
    package struct Refused {
        package var name: String
        var path: String
        /// Names the file, and says what to do.
        package var message: String
    }

    package private(set) var items: [Item] = []
    package private(set) var refused: [Refused] = []
    /// What was left out on purpose.
    package private(set) var notes: [String] = []
    /// Of the items that are DICOM series.
    private(set) var seriesByName: [String: DicomSeries] = [:]
    private var walks: [FolderWalk] = []
    private var pathByName: [String: String] = [:]
    private let purpose: Purpose
    private let registry: RecipeRegistry

    /// Bytes of a name's last part: with the endings of the files that are made from it, and of files that are being
    /// written, a file system takes 255.
    private static let partByteCountMax = 200
    private static let pathByteCountMax = 1000

    /// - Parameter mayBeEmpty: more will come.
    /// - Throws: `UsageError` when a path does not exist or nothing readable is there.
    package init(
        _ paths: [String], purpose: Purpose = .cts, in registry: RecipeRegistry = .standard, mayBeEmpty: Bool = false
    ) throws {
        (self.purpose, self.registry) = (purpose, registry)
        for path in paths { try add(path) }
        if purpose == .cts { refuseEqualNames() }
        items.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        guard !items.isEmpty || mayBeEmpty else {
            let reasons = (refused.prefix(5).map(\.message) + notes.prefix(5)).map { "\n  " + $0 }.joined()
            throw UsageError("there is no \(purpose == .cts ? "CT" : "mask") that can be taken in "
                + "\(paths.joined(separator: ", ")); "
                + "quintet reads .nii, .nii.gz, .hdr/.img, .mhd, .mha and folders of DICOM" + reasons)
        }
    }

    /// Files that are named one by one, called after their paths below a folder; those elsewhere after their whole
    /// paths.
    init(_ files: [String], below folder: String) throws {
        (purpose, registry) = (.cts, .standard)
        for path in files {
            let isBelow = folder != "." && path.hasPrefix(folder + "/")
            let below = isBelow ? String(path.dropFirst(folder.count + 1)) : path
            let parts = below.split(separator: "/").filter { $0 != "." && $0 != ".." }
            let relative = parts.joined(separator: "/")
            if FileSystem.isFolder(path) {
                try add(folder: path, as: relative)
            } else {
                add(FolderWalk.File(relative: relative, path: path))
            }
        }
        refuseEqualNames()
        items.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        guard !items.isEmpty else { throw UsageError("the table names no CT that could be used") }
    }

    /// Without the others.
    mutating func keep(_ isKept: (Item) -> Bool) { items.removeAll { !isKept($0) } }

    /// Whether this folder is walked, so that what is written there would be found the next time.
    func walks(through folder: String) -> Bool { walks.contains { $0.holds(folder) } }

    // MARK: - Walking

    private mutating func add(_ path: String) throws {
        guard FileSystem.exists(path) else {
            throw UsageError(FileSystem.isLink(path) ? "\(path) is a link to nothing" : "\(path) does not exist")
        }
        guard FileSystem.isFolder(path) else {
            return add(FolderWalk.File(relative: Self.fileName(path), path: path))
        }
        if purpose == .cts, let what = OwnOutput.kind(of: path) {
            throw UsageError("\(path) is \(what): own answers are never inputs; name the folder of the CTs")
        }
        let answers = OwnOutput.isSegmentation(path) ? SegmentationFolder(path, in: registry) : nil
        let walk = try FolderWalk(
            path,
            leavesOut: { [purpose] relative, folder in
                guard !relative.isEmpty else { return nil }
                if purpose == .masks {
                    return answers?.isReserved(relative + "/") ?? false ? "holds other files of the answers" : nil
                }
                return OwnOutput.kind(of: folder).map { "is \($0); own answers are never inputs" }
            },
            isStopped: { StopSignal.isRequested })
        // What was not walked through must not be taken for all that there is.
        try StopWatch.check()
        walks.append(walk)
        let root = path.hasSuffix("/") ? String(path.dropLast()) : path
        for skipped in walk.skipped {
            let message = "\(root)/\(skipped.relative): \(skipped.reason)"
            if skipped.isLoss {
                refuse(skipped.relative, root + "/" + skipped.relative, message)
            } else {
                notes.append("left out: " + message)
            }
        }
        var foreign = ForeignImages(), dicom = DicomFinder(root: root)
        for file in walk.files {
            if Self.isImage(file.relative) {
                add(file)
            } else {
                foreign.look(at: file)
                dicom.look(at: file)
            }
        }
        for (name, path, message) in foreign.found { refuse(name, path, message) }
        // Masks are images of one file.
        if purpose == .cts { add(try dicom.find()) }
    }

    private mutating func add(_ dicom: DicomFinder.Outcome) {
        for (name, path, message) in dicom.refused { refuse(name, path, message) }
        notes += dicom.notes
        for ct in dicom.cts {
            add(Item(
                name: ct.name, relative: ct.name, path: ct.path, stamp: ct.series.walkedStamp, series: ct.series))
        }
    }

    /// A folder that a list or a table names is one CT: a DICOM series.
    private mutating func add(folder: String, as relative: String) throws {
        var dicom = DicomFinder(root: folder)
        for file in try FolderWalk(folder, isStopped: { StopSignal.isRequested }).files { dicom.look(at: file) }
        let found = try dicom.find()
        guard found.cts.count == 1, found.refused.isEmpty else {
            let reasons = found.refused.prefix(3).map { "; " + $0.message }.joined()
            return refuse(relative, folder, "\(folder): is a folder, and of DICOM series of a CT it holds "
                + "\(found.cts.count) that can be taken, not one; name a file, or a folder with one series\(reasons)")
        }
        notes += found.notes
        let series = found.cts[0].series
        add(Item(name: relative, relative: relative, path: folder, stamp: series.walkedStamp, series: series))
    }

    private mutating func refuse(_ name: String, _ path: String, _ message: String) {
        refused.append(Refused(name: name, path: path, message: message))
    }

    private mutating func add(_ file: FolderWalk.File) {
        let folder = FileSystem.folder(of: file.relative)
        let stem = ImageFile.stem(file.relative)
        add(Item(
            name: folder == "." ? stem : folder + "/" + stem, relative: file.relative, path: file.path,
            stamp: file.stamp ?? FileStamp(file.path)))
    }

    private mutating func add(_ item: Item) {
        if let problem = Self.problem(of: item) { return refuse(item.name, item.path, problem) }
        if let twin = pathByName[item.name], let one = FileIdentity(twin), one == FileIdentity(item.path) {
            return notes.append("\(item.path) is named twice; it is taken once")
        }
        pathByName[item.name] = item.path
        items.append(item)
        if let series = item.series { seriesByName[item.name] = series }
    }

    /// The name becomes a path, travels with the file and stands in logs: what none of them may hold is said here.
    private static func problem(of item: Item) -> String? {
        let part = ImageFile.stem(item.relative), shown = item.relative.printable(most: 60)
        if part.utf8.count > partByteCountMax || item.relative.utf8.count > pathByteCountMax {
            return "\(shown): its name has \(item.relative.utf8.count) bytes, more than \(partByteCountMax) in one "
                + "part or \(pathByteCountMax) in all; rename it"
        }
        guard item.relative == item.relative.printable(most: .max) else {
            return "\(item.relative.printable()): its name holds control characters; rename it"
        }
        return nil
    }

    /// Two files of one name would have one answer. Neither is taken: taking one would swap it when the other goes.
    private mutating func refuseEqualNames() {
        let groups = Dictionary(grouping: items, by: \.name).filter { $0.value.count > 1 }
        guard !groups.isEmpty else { return }
        items.removeAll { groups[$0.name] != nil }
        for (name, group) in groups.sorted(by: { $0.key < $1.key }) {
            for item in group {
                // By bytes: two spellings of one letter are equal to Swift.
                let others = group.map(\.path).filter { !$0.utf8.elementsEqual(item.path.utf8) }.joined(separator: ", ")
                refuse(name, item.path, "\(item.path) and \(others) would have one answer, \(name).nii.gz; rename one "
                    + "of them, or keep the one that is meant")
            }
        }
    }

    private static func isImage(_ path: String) -> Bool { ImageFile.isReadable(fileName(path)) }

    static func fileName(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }
}

/// Names with a bounded number of bytes.
package enum WireName {
    /// The name where it fits; else its end, which tells most, behind a part of its digest, which keeps it unique.
    package static func fitting(_ name: String, byteCountMax: Int) -> String {
        guard name.utf8.count > byteCountMax else { return name }
        let digest = SHA256.hexadecimal(of: Array(name.utf8)).prefix(16)
        var end = Substring(name)
        while end.utf8.count > byteCountMax - 17 { end.unicodeScalars.removeFirst() }
        return digest + "~" + end
    }
}
