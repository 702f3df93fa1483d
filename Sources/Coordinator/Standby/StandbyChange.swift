import Protocol

/// What one commit has changed, for a standby.
package struct StandbyChange: Hashable, Sendable {
    /// The last turn that it is of.
    package var number: UInt64
    /// Blobs that count now: the standby fetches those that it lacks.
    package var references: [ContentDigest]
    /// Blobs that nothing refers to any more.
    package var gone: [ContentDigest]
    /// The database's own record of the changed rows (`Database.takeChanges`).
    package var changeset: [UInt8]

    package init(number: UInt64, references: [ContentDigest], gone: [ContentDigest], changeset: [UInt8]) {
        (self.number, self.references, self.gone, self.changeset) = (number, references, gone, changeset)
    }

    /// As messages, each small enough for a frame.
    package var parts: [Message] {
        let bytes = encoded, size = Limits.blobChunkBytesMax
        return stride(from: 0, to: bytes.count, by: size).map { start in
            let end = min(start + size, bytes.count)
            return .standbyPart(number: number, isLast: end == bytes.count, bytes: Array(bytes[start..<end]))
        }
    }

    /// Two counts of four bytes, the digests, the changeset.
    private var encoded: [UInt8] {
        [references.count, gone.count].flatMap { withUnsafeBytes(of: UInt32($0).littleEndian, Array.init) }
            + (references + gone).flatMap(\.bytes) + changeset
    }

    /// - Throws: `CoordinatorError` for bytes that are too few for what they say.
    package init(number: UInt64, bytes: [UInt8]) throws {
        func count(at offset: Int) throws -> Int {
            guard bytes.count >= offset + 4 else { throw CoordinatorError("a change of \(bytes.count) bytes is none") }
            return (0..<4).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
        }
        let counts = (try count(at: 0), try count(at: 4)), digestsEnd = 8 + 32 * (counts.0 + counts.1)
        guard bytes.count >= digestsEnd else { throw CoordinatorError("a change is cut short") }
        let digests = stride(from: 8, to: digestsEnd, by: 32).map { ContentDigest(bytes: Array(bytes[$0..<$0 + 32])) }
        self.init(
            number: number, references: Array(digests[..<counts.0]), gone: Array(digests[counts.0...]),
            changeset: Array(bytes[digestsEnd...]))
    }
}
