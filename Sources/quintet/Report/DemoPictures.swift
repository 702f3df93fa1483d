import Foundation
import Imaging
import Recipes

/// The demo's overview: for every diseased CT one slice with the truth and one with the answer.
struct DemoPictures {
    let out: String
    /// Of the phantoms.
    let truthFolder: String
    let guide: AnswerGuide
    /// In HU, from black to white.
    let window: ClosedRange<Float>

    func overview() throws -> [UInt8] {
        var pictures: [Picture] = []
        for item in try Archive(["\(out)/phantoms/diseased"]).items.prefix(6) {
            let answerPath = SegmentationFolder("\(out)/masks", guide)
                .file(item.name, answer: "vote", guide.masks[0])
            guard FileManager.default.fileExists(atPath: answerPath) else { continue }
            let ct = try ImageFile.read(path: item.path).volume
            let truth = try ImageFile.read(path: "\(out)/phantoms/\(truthFolder)/\(item.name).nii.gz").mask()
            let answer = try ImageFile.read(path: answerPath).mask()
            let plane = truth.shape.sliceVoxelCount
            let areas = (0..<truth.shape.depth).map { z in
                truth.voxels[(z * plane)..<((z + 1) * plane)].reduce(0) { $0 + Int($1) }
            }
            let slice = areas.indices.max { areas[$0] < areas[$1] } ?? 0
            let renderer = SliceRenderer(range: window)
            let columns: [(String, [SliceRenderer.Overlay])] = [
                (item.name, []),
                ("truth", [.init(mask: truth, colour: .amber)]),
                ("vote", [.init(mask: answer, colour: .red)]),
            ]
            for (caption, overlays) in columns {
                pictures.append(renderer.picture(ct, slice: slice, overlays: overlays).captioned(caption))
            }
        }
        return Picture.grid(pictures, columnCount: 3).png()
    }
}
