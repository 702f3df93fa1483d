import Glibc

/// A blob that arrives in pieces: the partial file, how far it is, and the hash so far.
struct BlobUpload: Sendable {
    let path: String
    let byteCount: UInt64
    /// Bytes that have arrived.
    private(set) var offset: UInt64
    private(set) var hash = SHA256()
    /// For choosing which running hash to forget.
    var lastUse: UInt64 = 0

    /// Goes on where the partial file ends, where there is one. Never through a link, which would lead elsewhere.
    init(path: String, byteCount: UInt64) throws(FileError) {
        self.path = path
        self.byteCount = byteCount
        let file = try OpenFile(path, flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        if try file.byteCount() > byteCount { try file.truncate() }
        self.offset = try hash.update(file, byteCountMax: byteCount)
    }

    /// On an error the file may hold a part of the piece, and this value must not be used any more.
    /// - Parameter skipping: bytes at the beginning that have arrived before.
    mutating func append(_ bytes: [UInt8], skipping: Int) throws(FileError) {
        let file = try OpenFile(path, flags: O_WRONLY | O_NOFOLLOW)
        var failure: FileError?
        bytes.withUnsafeBytes { buffer in
            let rest = UnsafeRawBufferPointer(rebasing: buffer[skipping...])
            do throws(FileError) {
                try file.write(rest, at: offset)
                hash.update(rest)
                offset += UInt64(rest.count)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    func sync() throws(FileError) {
        let file = try OpenFile(path, flags: O_WRONLY | O_NOFOLLOW)
        try file.sync()
    }
}
