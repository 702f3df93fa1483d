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
    private static let pixelMM = 1.2

    init(_ plan: SegmentationPlan) { self.plan = plan }

    /// nil where the CT or the answer cannot be read any more.
    func picture(_ row: AnswerRow) -> Shown? {
        guard let content = row.content else { return nil }
        let stem = "\(ArchivePage.pictureFolder)/\(content.ct.prefix(16))\((content.mask ?? "").prefix(8))"
        if let known = known(stem) { return known }
        let mask = plan.output.path(of: ArchivePage.fileName(row, plan))
        guard let ct = try? ImageFile.read(path: row.source).volume,
            let answer = try? ImageFile.read(path: mask).mask(), answer.shape == ct.shape
        else { return nil }
        let renderer = SliceRenderer(range: plan.guide.window, pixelMM: Self.pixelMM)
        let slice = Self.fullestSlice(of: answer, count: renderer.sliceCount(ct))
        var overlays = [SliceRenderer.Overlay(mask: answer, colour: .red)]
        if let region = plan.guide.masks.first(where: \.isRegion),
            let found = try? ImageFile.read(path: plan.output.path(
                of: SegmentationFolder.fileName(row.name, answer: "vote", region))).mask(), found.shape == ct.shape
        {
            overlays.insert(.init(mask: found, colour: .skyBlue), at: 0)
        }
        let picture = renderer.picture(ct, slice: slice, overlays: overlays).captioned("slice \(slice)")
        let name = "\(stem)-\(slice)-\(picture.width)x\(picture.height).png"
        guard (try? plan.output.write(picture.png(), to: name)) != nil else { return nil }
        return Shown(link: name, width: picture.width, height: picture.height, slice: slice)
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
