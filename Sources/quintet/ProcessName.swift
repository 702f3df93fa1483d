import Platform
import Protocol
import Recipes

/// What a worker of this process is called: where it is, for people, and a random part, so that no two starts share a
/// name, be they in containers with one host name and process numbers of their own. A worker that reconnects says the
/// same.
package enum ProcessName {
    private static let token = String(UInt32.random(in: 0 ... .max) | 1 << 31, radix: 16)
    /// Room for a process number and the random part.
    private static let byteCountMax = Limits.peerNameBytesMax - 24

    /// - Parameter readable: the user's word for it; nil for "host:process".
    /// - Throws: `UsageError` for what would not be one word.
    package static func make(_ readable: String?) throws -> String {
        guard let readable else {
            return "\(Machine.hostName.cut(toBytes: byteCountMax)):\(Machine.processID)-\(token)"
        }
        let isWord = readable.unicodeScalars.allSatisfy { $0.isASCII && $0.value > 0x20 && $0.value < 0x7F }
        guard isWord, !readable.isEmpty, readable.utf8.count <= byteCountMax else {
            throw UsageError("--name takes one word of 1 to \(byteCountMax) ASCII characters, not \"\(readable)\"")
        }
        return "\(readable)-\(token)"
    }

    /// Whether a worker so called is the process of this machine.
    package static func isName(_ name: String, ofProcess processID: Int32) -> Bool {
        name.contains(":\(processID)-")
    }
}
