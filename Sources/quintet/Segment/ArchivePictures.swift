import Dispatch
import Foundation
import Imaging
import Platform
import Recipes

/// For some answers of an archive a picture of the slice with most of the finding. Made once for each content.
struct ArchivePictures {
    struct Shown {
        var link: String
        var width: Int
        var height: Int
        var slice: Int
    }

    /// Remembered beside the file, in its name: slice and size.
    private let plan: SegmentationPlan
    init(_ plan: SegmentationPlan) { self.plan = plan }

    /// By the names of the rows; none where the CT or the answer cannot be read any more.
    private(set) var shown: [String: Shown] = [:]

    /// Several at a time: reading CTs is most of it.
    mutating func make(_ rows: [AnswerRow]) {
        var missing: [AnswerRow] = []
        for row in rows where shown[row.name] == nil {
            if let known = stem(row).flatMap(known) { shown[row.name] = known } else { missing.append(row) }
        }
        let drawn = Guarded<[Int: (picture: Picture, slice: Int)]>([:])
        // Reading takes a while, and somebody waits for the end.
        let drawings = StopSignal.isRequested ? [] : missing.map(drawing)
        DispatchQueue.concurrentPerform(iterations: drawings.count) { index in
            guard let picture = drawings[index].draw() else { return }
            drawn.withLock { $0[index] = picture }
        }
        for (index, (picture, slice)) in drawn.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
            let row = missing[index]
            guard let stem = stem(row) else { continue }
            let name = "\(stem)-\(slice)-\(picture.width)x\(picture.height).png"
            guard (try? plan.output.write(picture.png(), to: name)) != nil else { continue }
            shown[row.name] = Shown(link: name, width: picture.width, height: picture.height, slice: slice)
        }
    }

    private func stem(_ row: AnswerRow) -> String? {
        row.content.map { "\(ArchivePage.pictureFolder)/\($0.ct.prefix(16))\(($0.mask ?? "").prefix(8))" }
    }

    private func drawing(_ row: AnswerRow) -> Drawing {
        let region = plan.guide.masks.first(where: \.isRegion).map {
            plan.output.path(of: SegmentationFolder.fileName(row.name, answer: "vote", $0))
        }
        return Drawing(
            ct: row.source, series: plan.inputs.archive.seriesByName[row.name], digest: row.content?.ct ?? "",
            mask: plan.output.path(of: ArchivePage.fileName(row, plan)), region: region, window: plan.guide.window)
    }

    private func known(_ stem: String) -> Shown? {
        let folder = plan.output.path(of: ArchivePage.pictureFolder), prefix = Archive.fileName(stem) + "-"
        guard let name = (try? FileSystem.list(folder))?.first(where: { $0.hasPrefix(prefix) && $0.hasSuffix(".png") })
        else { return nil }
        let numbers = name.dropFirst(prefix.count).dropLast(4).split { $0 == "-" || $0 == "x" }.compactMap { Int($0) }
        guard numbers.count == 3 else { return nil }
        return Shown(
            link: "\(ArchivePage.pictureFolder)/\(name)", width: numbers[1], height: numbers[2], slice: numbers[0])
    }
}

/// One picture, by its files.
private struct Drawing: Sendable {
    var ct: String
    /// Where the CT is one.
    var series: DicomSeries?
    /// Of the CT: another one may lie there by now.
    var digest: String
    var mask: String
    var region: String?
    /// In HU.
    var window: ClosedRange<Float>

    private static let pixelMM = 1.2

    func draw() -> (picture: Picture, slice: Int)? {
        guard let ct = volume(),
            let answer = try? ImageFile.read(path: mask).mask(), answer.shape == ct.shape
        else { return nil }
        let renderer = SliceRenderer(range: window, pixelMM: Self.pixelMM)
        let slice = Self.fullestSlice(of: answer, count: renderer.sliceCount(ct))
        var overlays = [SliceRenderer.Overlay(mask: answer, colour: .red)]
        if let region, let found = try? ImageFile.read(path: region).mask(), found.shape == ct.shape {
            overlays.insert(.init(mask: found, colour: .skyBlue), at: 0)
        }
        let caption = "slice \(slice) of \(ct.shape.depth), \(Int(window.lowerBound)) to \(Int(window.upperBound)) HU"
        var picture = renderer.picture(ct, slice: slice, overlays: overlays)
        picture.markSides(pixelMM: Self.pixelMM)
        return (picture.captioned(caption), slice)
    }

    /// nil where it is not the CT of the answer any more.
    private func volume() -> Volume<Float>? {
        guard let series else { return isStillThere ? try? ImageFile.read(path: ct).volume : nil }
        guard let bytes = try? DicomProgram.convert(series, source: ct), SHA256.hexadecimal(of: bytes) == digest else {
            return nil
        }
        return try? ImageFile.read(bytes: bytes, name: ct).volume
    }

    private var isStillThere: Bool {
        if let found = try? SHA256.digest(ofFile: ct), Hexadecimal.text(found) == digest { return true }
        guard let joined = try? ImageFile.joined(path: ct) else { return false }
        return SHA256.hexadecimal(of: joined) == digest
    }

    /// Of the stored slices; the middle where there is nothing.
    private static func fullestSlice(of mask: Mask, count: Int) -> Int {
        let plane = mask.shape.sliceVoxelCount
        let areas = (0..<mask.shape.depth).map { z in
            mask.voxels[(z * plane)..<((z + 1) * plane)].reduce(0) { $0 + Int($1) }
        }
        guard let most = areas.max(), most > 0, count == areas.count else { return count / 2 }
        return areas.firstIndex(of: most)!
    }
}
