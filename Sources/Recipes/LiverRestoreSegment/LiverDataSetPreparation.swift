import Imaging
import Numerics

/// A data set of livers in the making (liver paper, section 4.1).
final class LiverDataSetPreparation: DataSetPreparation {
    private let preset: LiverPreset
    private let tumourLabel: Int?
    private var entries: [LiverDataSetManifest.Entry] = []

    init(_ preset: LiverPreset, tumourLabel: Int?) { (self.preset, self.tumourLabel) = (preset, tumourLabel) }

    var settingsText: String { "preset \(preset.name), slices of \(preset.slices.size)x\(preset.slices.size)" }

    func fileNames(of name: String) -> [String] {
        [name + ".liver.nii.gz"] + (tumourLabel == nil ? [] : [name + ".tumour.nii.gz"])
    }

    func prepare(
        _ item: PreparationItem, digest: ([UInt8]) -> String, pool: ThreadPool, isCancelled: () -> Bool
    ) throws -> PreparationOutcome {
        guard let mask = item.mask else {
            throw RecipeError.inputRefused("\(item.ct.source.name): this recipe needs the liver's mask; give one with "
                + "--masks")
        }
        let liver = try LiverPreparation.run(
            ct: item.reading?.applied(to: item.ct) ?? item.ct, liver: mask, tumour: tumourLabel == nil ? nil : mask,
            liverLabels: item.reading?.labels, tumourLabels: tumourLabel.map { [$0] }, settings: preset.slices,
            pool: pool, isCancelled: isCancelled
        ).leavingOut(item.excludedSlices)
        let (image, tumour) = liver.encoded()
        let entry = LiverDataSetManifest.Entry(
            name: item.name, liver: liver, imageDigest: digest(image), imageByteCount: image.count,
            tumourDigest: tumour.map(digest), tumourByteCount: tumour?.count)
        entries.append(entry)
        return .prepared(
            files: [(entry.imageName, image)] + (tumour.map { [(entry.tumourName, $0)] } ?? []),
            warnings: liver.warnings)
    }

    func finish() throws -> any RecipeDataSet {
        let manifest = LiverDataSetManifest(
            presetName: preset.name, settings: preset.slices, patients: entries)
        try manifest.validate()
        return manifest
    }

    var closingText: String {
        let clean = entries.reduce(0) { $0 + $1.cleanSlices.count }
        let all = entries.reduce(0) { $0 + $1.sliceIndexes.count }
        return "\(clean) slices to learn from" + (clean < all ? ", \(all - clean) with tumour" : "")
    }
}

extension LiverDataSetManifest: RecipeDataSet {
    public var volumeNames: [String] { patients.map(\.name) }

    public var files: [DataSetFile] {
        patients.flatMap { entry in
            [DataSetFile(role: "image", name: entry.imageName, digest: entry.imageDigest)]
                + (entry.tumourDigest.map { [DataSetFile(role: "tumour", name: entry.tumourName, digest: $0)] } ?? [])
        }
    }

    public var volumeWarnings: [(volume: String, warning: String)] {
        patients.flatMap { entry in (entry.warnings ?? []).map { (entry.name, $0) } }
    }

    public func settings(_ values: OptionValues, folder: String) throws -> any RunSettings {
        let preset = try LiverOptions.preset(values, for: self)
        let clean = patients.reduce(0) { $0 + $1.cleanSlices.count }
        guard clean > 0 else {
            throw RecipeError.inputRefused("\(folder): every slice shows tumour, and networks learn from slices "
                + "without any; add healthy CTs")
        }
        func iterations(_ epochs: Int) -> Int { (clean * epochs + preset.batch - 1) / preset.batch }
        return LiverRunConfiguration(
            preset: preset, restoreIterations: iterations(preset.restoreEpochs),
            segmentIterations: iterations(preset.segmentEpochs))
    }
}
