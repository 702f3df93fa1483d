import Foundation
import Imaging
import Platform

/// A DICOM series that lies in an archive, as quintet-dicom describes it. Nothing of it tells who the patient is, apart
/// from its UID, which stays in this process.
package struct DicomSeries: Hashable, Sendable {
    /// Its SeriesInstanceUID.
    package var uid: String
    var modality: String
    /// Slices of a CT, whether they make a volume or not.
    var isCT: Bool
    /// What it is where it is no CT.
    var what: String
    /// With what was left out.
    var fileCount: Int
    var columns: Int
    var rows: Int
    /// Distance of columns, rows and slices in mm.
    var spacingMM: [Double]
    var kernel: String
    var transferSyntaxes: [String]
    var warnings: [String]
    /// Why it makes no volume, naming the file.
    var refusal: String?
    /// All that was seen of it, with what was left out.
    package var allFiles: Set<FolderWalk.File>
    /// Its slices; from the lowest along the normal on where they make a volume.
    var files: [FolderWalk.File]
    /// Path below the folder that was asked for: the deepest that holds all of its files; "" for that folder itself.
    var folder: String

    /// Tells series in one folder apart, in names that may be seen by anybody: a part of the UID's digest.
    var shortID: String { String(SHA256.hexadecimal(of: Array(uid.utf8)).prefix(8)) }

    /// By what it is known not to have changed, as a file is by its stamp; nil where a file is gone.
    var stamp: FileStamp? { Self.stamp(of: files.map { FileStamp($0.path) }) }

    /// As the walk has seen its files.
    var walkedStamp: FileStamp? { Self.stamp(of: files.map { $0.stamp ?? FileStamp($0.path) }) }

    /// The sum of the sizes, the latest of the times, and a digest of all stamps where a file has its inode.
    private static func stamp(of stamps: [FileStamp?]) -> FileStamp? {
        var sum = FileStamp(byteCount: 0, modifiedNanoseconds: .min, inode: 0xcbf2_9ce4_8422_2325)
        for stamp in stamps {
            guard let stamp else { return nil }
            sum.byteCount &+= stamp.byteCount
            sum.modifiedNanoseconds = max(sum.modifiedNanoseconds, stamp.modifiedNanoseconds)
            for word in [stamp.byteCount, UInt64(bitPattern: stamp.modifiedNanoseconds), stamp.inode] {
                // FNV-1a, a word at a time, with its high half mixed in.
                sum.inode = (sum.inode ^ word) &* 0x0000_0100_0000_01b3
                sum.inode ^= sum.inode >> 32
            }
        }
        return stamps.isEmpty ? nil : sum
    }

    /// What a volume of it would be like, by its headers.
    var shape: VolumeShape { VolumeShape(depth: files.count, height: rows, width: columns) }
}

/// What quintet-dicom said of the files that it was given.
package struct DicomListing: Sendable {
    package var series: [DicomSeries] = []
    /// Files that look like DICOM and cannot be read.
    package var unreadable: [(file: FolderWalk.File, reason: String)] = []

    /// A line of the program, as far as it is believed.
    private struct Line: Decodable {
        var uid: String?
        var modality: String?
        var isCT: Bool?
        var what: String?
        var fileCount: Int?
        var columns: Int?
        var rows: Int?
        var spacing: [Double]?
        var kernel: String?
        var transferSyntaxes: [String]?
        var warnings: [String]?
        var refusal: String?
        var files: [Int]?
        var leftOut: [Int]?
        var unreadable: Int?
        var reason: String?
    }

    /// What the program has said is foreign, as it was made from foreign files: every number and index is looked at.
    package struct Malformed: Error {}

    private static let axisVoxelCountMax = 4096, sliceCountMax = 8192, textByteCountMax = 4000

    /// - Parameters:
    ///   - output: lines of JSON, and lines of `@NUMBER`.
    ///   - files: those that the program was given.
    /// - Throws: `Malformed`.
    package init(output: [UInt8], files: [FolderWalk.File]) throws {
        let decoder = JSONDecoder()
        for line in output.split(separator: UInt8(ascii: "\n")) where line.first != UInt8(ascii: "@") {
            guard let found = try? decoder.decode(Line.self, from: Data(line)) else { throw Malformed() }
            if let index = found.unreadable {
                guard files.indices.contains(index) else { throw Malformed() }
                unreadable.append((files[index], Self.shown(found.reason)))
            } else {
                series.append(try Self.series(found, files))
            }
        }
    }

    init() {}

    /// What is there now, of which only the series that have gained or lost files are read again.
    /// - Parameter reading: lists files that it opens.
    package func updated(
        from before: Set<FolderWalk.File>, to files: [FolderWalk.File],
        reading read: ([FolderWalk.File]) throws -> DicomListing
    ) throws -> DicomListing {
        let now = Set(files), added = now.subtracting(before)
        var kept = series.filter { $0.allFiles.isSubset(of: now) }
        let touched = series.filter { !$0.allFiles.isSubset(of: now) }.flatMap { $0.allFiles.intersection(now) }
        var again = added.union(touched)
        var news = again.isEmpty ? DicomListing() : try read(files.filter(again.contains))
        // More of a series that was known.
        let uids = Set(news.series.map(\.uid)), grown = kept.filter { uids.contains($0.uid) }
        if !grown.isEmpty {
            kept.removeAll { uids.contains($0.uid) }
            again.formUnion(grown.flatMap(\.allFiles))
            news = try read(files.filter(again.contains))
        }
        let stillUnreadable = unreadable.filter { now.contains($0.file) }
        // In the order of their files, as when all are listed together.
        let places = Dictionary(files.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        var listing = DicomListing()
        listing.series = (kept + news.series).map { ($0.allFiles.compactMap { places[$0] }.min() ?? 0, $0) }
            .sorted { $0.0 < $1.0 }.map(\.1)
        listing.unreadable = (stillUnreadable + news.unreadable).sorted {
            (places[$0.file] ?? 0) < (places[$1.file] ?? 0)
        }
        return listing
    }

    private static func shown(_ text: String?) -> String { (text ?? "").printable(most: textByteCountMax) }

    private static func series(_ line: Line, _ files: [FolderWalk.File]) throws -> DicomSeries {
        guard let uid = line.uid, uid.utf8.count <= 64, let isCT = line.isCT, let indices = line.files,
            !indices.isEmpty, indices.allSatisfy(files.indices.contains), Set(indices).count == indices.count,
            let columns = line.columns, let rows = line.rows, let spacing = line.spacing, spacing.count == 3
        else { throw Malformed() }
        let leftOut = line.leftOut ?? []
        guard leftOut.allSatisfy(files.indices.contains) else { throw Malformed() }
        let refusal = shown(line.refusal), own = indices.map { files[$0] }
        if isCT, refusal.isEmpty {
            let sizes = 1...axisVoxelCountMax
            guard sizes.contains(columns), sizes.contains(rows), (2...sliceCountMax).contains(indices.count),
                spacing.allSatisfy(ImageLimits.spacingMM.contains)
            else { throw Malformed() }
        }
        return DicomSeries(
            uid: uid, modality: shown(line.modality), isCT: isCT, what: shown(line.what),
            fileCount: line.fileCount ?? indices.count, columns: columns, rows: rows, spacingMM: spacing,
            kernel: shown(line.kernel), transferSyntaxes: (line.transferSyntaxes ?? []).map { shown($0) },
            warnings: (line.warnings ?? []).prefix(20).map { shown($0) }, refusal: refusal.isEmpty ? nil : refusal,
            allFiles: Set(own + leftOut.map { files[$0] }), files: own,
            folder: commonFolder(own.map { FileSystem.folder(of: $0.relative) }))
    }

    private static func commonFolder(_ folders: [String]) -> String {
        var common = (folders.first ?? ".").split(separator: "/").filter { $0 != "." }
        for folder in folders {
            let parts = folder.split(separator: "/").filter { $0 != "." }
            common = Array(zip(common, parts).prefix { $0 == $1 }.map(\.0))
        }
        return common.joined(separator: "/")
    }
}
