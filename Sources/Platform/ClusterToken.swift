import Glibc

/// The cluster's secret: 256 random bits in a file that only its owner can read. Whoever has it is a member.
public struct ClusterToken: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    let key: [UInt8]

    /// Tells tokens apart without telling anything about them: a digest. It goes over the wire in the clear.
    public var identity: String {
        String(Hexadecimal.text(SHA256.digest(of: Array("quintet token identity".utf8) + key)).prefix(32))
    }

    // Whatever prints a token prints this: no log ever holds the key.
    public var description: String { "a cluster token (hidden)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }

    private static let byteCount = 32

    /// - Throws: `TokenError` when others than the owner may read it or when it holds no token; `FileError`.
    public static func load(file: String) throws -> ClusterToken {
        let mode = try FileSystem.mode(of: file)
        guard mode & 0o077 == 0 else { throw TokenError.readableByOthers(file: file, mode: mode) }
        let text = String(decoding: try FileSystem.read(file, byteCountMax: 1024), as: UTF8.self)
        let digits = text.hasSuffix("\n") ? text.dropLast() : text[...]
        guard let key = Hexadecimal.bytes(digits), key.count == byteCount else {
            throw TokenError.malformed(file: file)
        }
        return ClusterToken(key: key)
    }

    /// A new token that is nowhere but here.
    public static func generate() -> ClusterToken { ClusterToken(key: SecureRandom.bytes(byteCount)) }

    /// Whether a text is this token as its file has it, spaces and a line's end around it or not. How long that takes
    /// says nothing about the token.
    public func isWritten(as text: String) -> Bool {
        guard let other = Hexadecimal.bytes(text.drop { $0.isWhitespace }.trimmingSuffix { $0.isWhitespace }) else {
            return false
        }
        // Digests under a key that nobody knows: that and not the token is what a comparison could tell about.
        let key = SecureRandom.bytes(Self.byteCount)
        let (ours, theirs) = (SHA256.digest(of: key + self.key), SHA256.digest(of: key + other))
        return zip(ours, theirs).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    /// Makes a new token in a new file with mode 0600.
    /// - Throws: `FileError`; EEXIST when the file is there: a token is never overwritten.
    @discardableResult
    public static func generate(to file: String) throws -> ClusterToken {
        let token = generate()
        try token.save(to: file)
        return token
    }

    /// In a new file with mode 0600.
    /// - Throws: `FileError`; EEXIST when the file is there.
    public func save(to file: String) throws(FileError) {
        let opened = try OpenFile(file, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        var failure: FileError?
        Array((Hexadecimal.text(key) + "\n").utf8).withUnsafeBytes { bytes in
            do throws(FileError) {
                try opened.write(bytes, at: 0)
                try opened.sync()
            } catch {
                failure = error
            }
        }
        if let failure {
            unlink(file)
            throw failure
        }
        try FileSystem.syncFolder(FileSystem.folder(of: file))
    }
}

public enum TokenError: Error, Hashable, Sendable, CustomStringConvertible {
    case readableByOthers(file: String, mode: UInt32)
    case malformed(file: String)

    public var description: String {
        switch self {
        case .readableByOthers(let file, let mode):
            "the token file \(file) can be read by others (mode \(String(mode, radix: 8))); "
                + "say: chmod 600 '\(file)', and if others may have read it, make a new one: quintet token"
        case .malformed(let file):
            "\(file) holds no token (64 hexadecimal digits); make one: quintet token"
        }
    }
}

extension Substring {
    /// Without what is at its end.
    fileprivate func trimmingSuffix(while isLeftOut: (Character) -> Bool) -> Substring {
        var text = self
        while let last = text.last, isLeftOut(last) { text.removeLast() }
        return text
    }
}
