import Foundation
import Imaging
import Numerics

/// A data set of healthy CTs in the making (method A1): all of its volumes lie in planes of one size, the preset's or
/// larger where the lungs of one of them need it.
final class LungPreparation: DataSetPreparation {
    private let preset: Preset
    private var planeHeight: Int
    private var planeWidth: Int
    private var entries: [DataSetManifest.Entry] = []

    init(_ preset: Preset) {
        self.preset = preset
        (planeHeight, planeWidth) = (preset.planeHeight, preset.planeWidth)
    }

    var settingsText: String {
        "preset \(preset.name), \(preset.spacing.text), planes from \(preset.planeHeight)x\(preset.planeWidth), "
            + "tau \(preset.tau)"
    }

    func fileNames(of name: String) -> [String] { [name + ".image.nii.gz", name + ".lung.nii.gz"] }

    /// A first CT with lungs larger than the plane makes the plane larger for all: those before are redone.
    func prepare(
        _ item: PreparationItem, digest: ([UInt8]) -> String, pool: ThreadPool, isCancelled: () -> Bool
    ) throws -> PreparationOutcome {
        let volume = try Preparation.run(
            ct: item.ct, lung: item.mask, reading: item.reading, preset: preset, planeHeight: planeHeight,
            planeWidth: planeWidth, forTraining: true, pool: pool, isCancelled: isCancelled)
        let shape = volume.lung.shape
        if shape.height > planeHeight || shape.width > planeWidth {
            (planeHeight, planeWidth) = (shape.height, shape.width)
            if !entries.isEmpty {
                entries = []
                return .startAgain("\(item.name) has larger lungs: all planes become \(planeHeight)x\(planeWidth)")
            }
        }
        let (image, lung) = volume.encoded()
        let entry = DataSetManifest.Entry(
            name: item.name, sourceName: volume.source.name, imageDigest: digest(image),
            lungDigest: digest(lung), imageByteCount: image.count, lungByteCount: lung.count,
            depth: shape.depth, lungVoxelsBySlice: volume.lungVoxelsBySlice(),
            excludedSlices: try volume.excludedSlices(holding: item.excludedSlices).sorted(),
            edgeVoxelsRemoved: volume.edgeVoxelsRemoved, lungML: volume.lungML,
            brightShare: volume.brightShare(tau: preset.tau),
            warnings: volume.warnings.isEmpty ? nil : volume.warnings)
        entries.append(entry)
        return .prepared(files: [(entry.imageName, image), (entry.lungName, lung)], warnings: volume.warnings)
    }

    func finish() throws -> any RecipeDataSet {
        let manifest = DataSetManifest(
            preset: preset, planeHeight: planeHeight, planeWidth: planeWidth, volumes: entries)
        try manifest.validate()
        return manifest
    }

    var closingText: String {
        let bright = entries.map(\.brightShare).reduce(0, +) / Double(entries.count)
        return "planes of \(planeHeight)x\(planeWidth), " + String(format: "%.1f%% of the lung is bright", 100 * bright)
    }
}
