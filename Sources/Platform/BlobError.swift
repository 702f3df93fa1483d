/// Why a `BlobDirectory` turns something down. Digests are named by their hexadecimal digits.
public enum BlobError: Error, Hashable, Sendable, CustomStringConvertible {
    /// No such blob is here, or not all of it.
    case missing(digest: String)
    /// The bytes are not what the digest says; what was there has been removed or set aside.
    case damaged(digest: String, path: String)
    /// The piece begins behind what has arrived so far.
    case gap(digest: String, expected: UInt64, found: UInt64)
    /// More bytes than were announced, or another size than before.
    case wrongSize(digest: String, expected: UInt64, found: UInt64)
    /// `append` without `offer`.
    case notOffered(digest: String)
    /// An external file has another size than when it was registered.
    case changed(digest: String, path: String)

    public var description: String {
        switch self {
        case .missing(let digest): "there is no blob \(digest) here"
        case .damaged(let digest, let path):
            "\(path) is damaged: its bytes are not those of blob \(digest); it will be fetched or made again"
        case .gap(let digest, let expected, let found):
            "blob \(digest) goes on at byte \(expected), not at \(found)"
        case .wrongSize(let digest, let expected, let found):
            "blob \(digest) has \(expected) bytes, not \(found)"
        case .notOffered(let digest): "blob \(digest) must be offered before it is sent"
        case .changed(let digest, let path):
            "\(path) was changed after it was registered as blob \(digest); submit it again"
        }
    }
}
