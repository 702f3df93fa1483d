import Platform

/// Tells the folders that quintet has written.
enum OwnOutput {
    /// What the folder is, for messages; nil when it is none of ours.
    static func kind(of folder: String) -> String? {
        if FileSystem.exists("\(folder)/\(OutputFolder.ledgerName)") { return "a folder that quintet wrote" }
        // Version 0.1.0 kept no list of what it wrote.
        if begins("\(folder)/results.csv", with: "name,lesion_ml,") { return "what quintet segment wrote" }
        // nnU-Net has a dataset.json, too.
        if let text = start(of: "\(folder)/dataset.json", byteCount: 4096), text.contains("\"lungDigest\"")
            || text.contains("\"presetName\"")
        {
            return "a data set that quintet prepare wrote"
        }
        return nil
    }

    private static func begins(_ path: String, with text: String) -> Bool {
        start(of: path, byteCount: text.utf8.count) == text
    }

    private static func start(of path: String, byteCount: Int) -> String? {
        (try? FileSystem.read(path, offset: 0, count: byteCount)).map { String(decoding: $0, as: UTF8.self) }
    }
}
