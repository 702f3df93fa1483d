import Foundation
import Imaging
import Platform

/// A DICOM series that lies in an archive, as quintet-dicom describes it. Nothing of it tells who the patient is, apart
/// from its UID, which stays in this process.
struct DicomSeries: Hashable, Sendable {
    /// Its SeriesInstanceUID.
    var uid: String
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
struct DicomListing: Sendable {
    var series: [DicomSeries] = []
    /// Files that look like DICOM and cannot be read.
    var unreadable: [(file: FolderWalk.File, reason: String)] = []

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
        var unreadable: Int?
        var reason: String?
    }

    /// What the program has said is foreign, as it was made from foreign files: every number and index is looked at.
    struct Malformed: Error {}

    private static let axisVoxelCountMax = 4096, sliceCountMax = 8192, textByteCountMax = 4000

    /// - Parameters:
    ///   - output: lines of JSON, and lines of `@NUMBER`.
    ///   - files: those that the program was given.
    /// - Throws: `Malformed`.
    init(output: [UInt8], files: [FolderWalk.File]) throws {
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

    private static func shown(_ text: String?) -> String { (text ?? "").printable(most: textByteCountMax) }

    private static func series(_ line: Line, _ files: [FolderWalk.File]) throws -> DicomSeries {
        guard let uid = line.uid, uid.utf8.count <= 64, let isCT = line.isCT, let indices = line.files,
            !indices.isEmpty, indices.allSatisfy(files.indices.contains), Set(indices).count == indices.count,
            let columns = line.columns, let rows = line.rows, let spacing = line.spacing, spacing.count == 3
        else { throw Malformed() }
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
            files: own, folder: commonFolder(own.map { FileSystem.folder(of: $0.relative) }))
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
