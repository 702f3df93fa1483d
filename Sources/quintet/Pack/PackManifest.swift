import Platform

/// `quintet-pack.json`, the first file of a pack: which others there are, and their digests.
struct PackManifest: Codable {
    struct File: Codable {
        var name: String
        var byteCount: UInt64
        var sha256: String
    }

    var format = 1
    /// The program's that packed it.
    var version = Version.text
    var recipe: String
    var files: [File]

    static let name = "quintet-pack.json"
    /// Its own digest, as `sha256sum -c` reads it.
    static let digestName = "quintet-pack.sha256"
    static func digestText(_ digest: String) -> String { "\(digest)  \(name)\n" }
    static let byteCountMax = 1 << 20
}

/// One file of a run, as it goes into a pack.
struct PackedFile {
    var name: String
    var bytes: [UInt8]

    var entry: PackManifest.File {
        .init(name: name, byteCount: UInt64(bytes.count), sha256: SHA256.hexadecimal(of: bytes))
    }

    var tar: [UInt8] {
        TarFile.header(name: name, byteCount: bytes.count) + bytes + TarFile.padding(byteCount: bytes.count)
    }
}
