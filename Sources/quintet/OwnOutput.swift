import Platform
import Recipes

/// Tells the folders that quintet has written.
enum OwnOutput {
    /// What the folder is, for messages; nil when it is none of ours.
    static func kind(of folder: String) -> String? {
        if FileSystem.exists("\(folder)/\(OutputFolder.ledgerName)") { return "a folder that quintet wrote" }
        // Version 0.1.0 kept no list of what it wrote.
        if isSegmentation(folder) { return "what quintet segment wrote" }
        // nnU-Net has a dataset.json, too.
        let description = start(of: "\(folder)/\(DataSetFile.descriptionName)", byteCount: 4096)
        if description?.contains("\"presetName\"") ?? false { return "a data set that quintet prepare wrote" }
        return nil
    }

    /// Whether it holds answers, with members and other masks in folders of their own.
    static func isSegmentation(_ folder: String) -> Bool {
        if FileSystem.exists("\(folder)/\(SegmentationFolder.settingsName)") { return true }
        let head = start(of: "\(folder)/\(SegmentationFolder.resultsName)", byteCount: 100) ?? ""
        return RecipeRegistry.standard.plugIns.contains { recipe in
            head.hasPrefix("name,\(recipe.answerGuide.figures.first?.column ?? "source"),")
        }
    }

    /// The folder of answers that a file lies in, members' and other masks included; nil for other files.
    static func segmentation(holding file: String) -> String? {
        var folder = FileSystem.folder(of: (try? FileSystem.absolutePath(file)) ?? file)
        while folder != "/", folder != "." {
            if isSegmentation(folder) { return folder }
            folder = FileSystem.folder(of: folder)
        }
        return nil
    }

    private static func start(of path: String, byteCount: Int) -> String? {
        (try? FileSystem.read(path, offset: 0, count: byteCount)).map { String(decoding: $0, as: UTF8.self) }
    }
}
