import Platform
import Recipes

/// What the live page shows that it is who it says, where it listens at more than loopback.
enum LiveCertificate {
    private static let bytesMax = 1 << 20

    /// - Returns: nil where none is given.
    /// - Throws: `UsageError`, `CommandError`, `FileError`.
    static func load(_ arguments: Arguments) throws -> (chain: String, key: String)? {
        guard arguments.has("--http-certificate") || arguments.has("--http-key") else { return nil }
        guard arguments.has("--http"), let certificate = arguments.text("--http-certificate"),
            let key = arguments.text("--http-key")
        else { throw UsageError("--http-certificate, --http-key and --http go together") }
        let mode = try FileSystem.mode(of: key)
        guard mode & 0o077 == 0 else {
            throw CommandError("\(key) is a private key that others can read; say: chmod 600 '\(key)'")
        }
        return (
            try text(certificate, "-----BEGIN CERTIFICATE-----"), try text(key, "PRIVATE KEY-----")
        )
    }

    private static func text(_ file: String, _ mark: String) throws -> String {
        let text = try FileSystem.readText(file, byteCountMax: bytesMax)
        guard text.contains(mark) else { throw CommandError("\(file) holds no PEM text with \(mark)") }
        return text
    }
}
