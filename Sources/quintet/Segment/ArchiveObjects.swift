import Foundation
import Imaging
import Platform
import Recipes

// What answers have beside their masks where the CT is a DICOM series: a DICOM SEG, and whose it is. Both are made
// here, the object of the masks in the folder: no worker knows the series, and an answer that is there needs no
// computing.

extension ArchiveStream {
    /// Said once for what an archive holds: these have their masks as NIfTI alone.
    func tellOfFilesWithoutObjects() {
        let items = plan.inputs.archive.items, files = items.filter { $0.series == nil }
        guard plan.options.writesObjects, let first = files.first else { return }
        progress.say("no DICOM SEG for \(files.count) of \(items.count) CTs, which are no DICOM series, such as "
            + "\(first.path): their masks are NIfTI")
    }

    /// - Returns: the row with what is asked for of a DICOM series: its object, and whose it is; nil where there is
    ///   nothing to add.
    func completed(_ row: AnswerRow) throws -> AnswerRow? {
        try plan.inputs.archive.seriesByName[row.name].flatMap { try completed(row, $0, path: row.source) }
    }

    func completed(_ row: AnswerRow, of item: Archive.Item) throws -> AnswerRow? {
        try item.series.flatMap { try completed(row, $0, path: item.path) }
    }

    private func completed(_ row: AnswerRow, _ series: DicomSeries, path: String) throws -> AnswerRow? {
        let identified = try withIdentity(row, series, path: path)
        return try withObject(identified ?? row, series, path: path) ?? identified
    }

    private func withIdentity(_ row: AnswerRow, _ series: DicomSeries, path: String) throws -> AnswerRow? {
        guard plan.options.keepsIdentity, row.identity?.seriesUID != series.uid else { return nil }
        do {
            var more = row
            more.identity = try DicomProgram.identity(of: series, source: path)
            return more
        } catch {
            guard let message = PrepareCommand.refusal(error) else { throw error }
            progress.warn("whose it is, is not known: \(message)")
            return nil
        }
    }

    private func withObject(_ row: AnswerRow, _ series: DicomSeries, path: String) throws -> AnswerRow? {
        let name = SegmentationFolder.objectName(row.name)
        guard plan.options.writesObjects, row.refused == nil, try !hasObject(row, name, series) else { return nil }
        var more = row
        more.warnings = row.warnings?.filter { !$0.hasPrefix(AnswerRow.noObject) }
        do {
            guard try plan.output.foreign(of: [name]).isEmpty else {
                throw Archive.Refusal("\(plan.output.path(of: name)): there already, and not as quintet wrote it; move "
                    + "it away, or say --overwrite")
            }
            // The masks are those of the slices that were there when the archive was looked through.
            guard let stamp = series.stamp, stamp == series.walkedStamp else {
                throw Archive.Refusal("\(path): has changed since it was segmented; say the same command again")
            }
            let bytes = try DicomObject(row, series, plan).bytes(source: path)
            try plan.output.write(bytes, to: name)
            more.files = row.files ?? [:]
            more.files![name] = AnswerRow.WrittenFile(
                digest: SHA256.hexadecimal(of: bytes), stamp: FileStamp(plan.output.path(of: name)))
            more.objectSeries = stamp
            return more
        } catch {
            // The answer is there, whatever a header holds.
            guard let message = PrepareCommand.refusal(error) else { throw error }
            // An earlier one is of other slices, or of another answer.
            try plan.output.remove([name])
            more.files?[name] = nil
            more.objectSeries = nil
            let said = "\(AnswerRow.noObject): \(message)"
            progress.warn(said)
            more.warnings = (more.warnings ?? []) + [said.printable(most: 600)]
            return more.warnings == row.warnings && row.objectSeries == nil ? nil : more
        }
    }

    /// Whether it is there as it was written, for this very series.
    private func hasObject(_ row: AnswerRow, _ name: String, _ series: DicomSeries) throws -> Bool {
        let path = plan.output.path(of: name)
        guard let made = row.objectSeries, made == series.stamp, let written = row.files?[name],
            let stamp = FileStamp(path)
        else { return false }
        if written.stamp == stamp { return true }
        return try Hexadecimal.text(SHA256.digest(ofFile: path)) == written.digest
    }
}

/// One answer as a DICOM SEG object: the vote's masks that have a concept, a segment each.
struct DicomObject {
    private let row: AnswerRow
    private let series: DicomSeries
    private let plan: SegmentationPlan

    init(_ row: AnswerRow, _ series: DicomSeries, _ plan: SegmentationPlan) {
        (self.row, self.series, self.plan) = (row, series, plan)
    }

    /// As DICOM has CIELab, under D50, of sRGB (230, 46, 46) and (102, 179, 255): a finding's and its region's.
    private static let colours = (finding: "33771 50573 45209", region: "46143 30939 21180")

    /// - Throws: `ImageFileError` of a mask, `Archive.Refusal` of the series, `RecipeError.interrupted`.
    func bytes(source: String) throws -> [UInt8] {
        let masks = plan.guide.masks.filter { $0.concept != nil }
        let bits = try masks.map { try packed($0) }
        return try DicomProgram.object(series, settings: head + masks.flatMap(segment), bits: bits, source: source)
    }

    private var head: [String] {
        let now = WallClock.localDateAndTime()
        return [
            "series-uid=\(Self.makeUID())", "instance-uid=\(Self.makeUID())", "dimension-uid=\(Self.makeUID())",
            "date=\(now.date)", "time=\(now.time)", "description=Segmentation by quintet \(plan.run.recipe.name)",
            "version=\(Version.build)", "serial-number=\(plan.settingsDigest.prefix(32))",
        ]
    }

    private func segment(_ mask: AnswerMask) -> [String] {
        guard let concept = mask.concept else { return [] }
        let isGiven = mask.isRegion && row.mask != "made here"
        let region = concept.region.map { ["region=\($0.value)", "region-meaning=\($0.meaning)"] } ?? []
        return [
            "segment=\(concept.label)", "about=\(concept.about)\(isGiven ? "; came with the CT" : "")",
            "automatic=\(isGiven ? "no" : "yes")",
            "algorithm=\(isGiven ? "unknown, came with the CT" : "quintet \(plan.run.recipe.name)")",
            "category=\(concept.category.value)", "category-meaning=\(concept.category.meaning)",
            "type=\(concept.type.value)", "type-meaning=\(concept.type.meaning)",
            "colour=\(mask.isRegion ? Self.colours.region : Self.colours.finding)",
        ] + region
    }

    /// A bit a voxel, the lowest first.
    private func packed(_ mask: AnswerMask) throws -> [UInt8] {
        let path = plan.output.path(of: SegmentationFolder.fileName(row.name, answer: "vote", mask))
        let found = try ImageFile.read(path: path).mask()
        guard found.shape == series.shape else {
            throw Archive.Refusal("\(path): has other voxels than its series; segment it again")
        }
        var bits = [UInt8](repeating: 0, count: (found.voxels.count + 7) / 8)
        for (index, value) in found.voxels.enumerated() where value != 0 { bits[index / 8] |= 1 << (index % 8) }
        return bits
    }

    /// Of a random UUID, as PS3.5, B.2 has it.
    private static func makeUID() -> String {
        let value = withUnsafeBytes(of: UUID().uuid) { bytes in
            bytes.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        }
        return "2.25.\(value)"
    }
}
