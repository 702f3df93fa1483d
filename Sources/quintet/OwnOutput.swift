import Platform

/// Tells the folders that quintet has written.
enum OwnOutput {
    /// What the folder is, for messages; nil when it is none of ours.
    static func kind(of folder: String) -> String? {
        if FileSystem.exists("\(folder)/\(OutputFolder.ledgerName)") { return "a folder that quintet wrote" }
        // Version 0.1.0 kept no list of what it wrote.
        if isSegmentation(folder) { return "what quintet segment wrote" }
        // nnU-Net has a dataset.json, too.
        if let text = start(of: "\(folder)/dataset.json", byteCount: 4096), text.contains("\"lungDigest\"")
            || text.contains("\"presetName\"")
        {
            return "a data set that quintet prepare wrote"
        }
        return nil
    }

    /// Whether it holds answers, with lungs and members in folders of their own.
    static func isSegmentation(_ folder: String) -> Bool {
        let head = "name,lesion_ml,"
        return start(of: "\(folder)/\(SegmentationFolder.resultsName)", byteCount: head.utf8.count) == head
    }

    /// The folder of answers that a file lies in, members' and ungrown ones included; nil for other files.
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
