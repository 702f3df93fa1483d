import Protocol

/// Blobs on a simulated disk, by the rules of Platform.BlobDirectory: uploads in pieces, verified and synced at the
/// last one, only then complete. A killed process loses nothing that it wrote; a power cut takes what was not synced.
struct SimulatedBlobs {
    enum Problem: Error { case missing, notOffered, gap, wrongSize, damaged, full, failed }

    private struct Upload: Hashable {
        var digest: ContentDigest
        var byteCount: UInt64
    }

    private(set) var complete: [ContentDigest: [UInt8]] = [:]
    private var partial: [Upload: [UInt8]] = [:]
    /// Known to the running process.
    private var offered: [ContentDigest: UInt64] = [:]
    private var unsynced: Set<ContentDigest> = []

    func byteCount(of digest: ContentDigest) -> UInt64? { complete[digest].map { UInt64($0.count) } }

    func read(_ digest: ContentDigest, offset: UInt64, count: Int) throws(Problem) -> [UInt8] {
        guard let bytes = complete[digest] else { throw .missing }
        guard offset < bytes.count else { return [] }
        return Array(bytes[Int(offset)..<min(bytes.count, Int(offset) + count)])
    }

    mutating func offer(_ digest: ContentDigest, byteCount: UInt64) throws(Problem) -> UInt64 {
        if let present = self.byteCount(of: digest) {
            guard present == byteCount else { throw .wrongSize }
            return byteCount
        }
        offered[digest] = byteCount
        let upload = Upload(digest: digest, byteCount: byteCount)
        if partial[upload]?.count == Int(byteCount) { try finish(upload, isSynced: true) }
        return complete[digest] == nil ? UInt64(partial[upload]?.count ?? 0) : byteCount
    }

    /// - Parameter isSynced: false only under a planted bug.
    mutating func append(
        _ digest: ContentDigest, offset: UInt64, bytes: [UInt8], isSynced: Bool = true
    ) throws(Problem) -> UInt64 {
        guard let byteCount = offered[digest] else {
            guard let present = self.byteCount(of: digest) else { throw .notOffered }
            return present
        }
        let upload = Upload(digest: digest, byteCount: byteCount)
        let held = UInt64(partial[upload]?.count ?? 0)
        let end = offset + UInt64(bytes.count)
        guard end <= byteCount else { throw .wrongSize }
        guard offset <= held else { throw .gap }
        guard end > held else { return held }
        partial[upload, default: []] += bytes[Int(held - offset)...]
        if end == byteCount { try finish(upload, isSynced: isSynced) }
        return end
    }

    private mutating func finish(_ upload: Upload, isSynced: Bool) throws(Problem) {
        offered[upload.digest] = nil
        let bytes = partial.removeValue(forKey: upload) ?? []
        guard simulatedDigest(bytes) == upload.digest else { throw .damaged }
        complete[upload.digest] = bytes
        if !isSynced { unsynced.insert(upload.digest) }
    }

    mutating func store(_ bytes: [UInt8]) -> ContentDigest {
        let digest = simulatedDigest(bytes)
        if complete[digest] == nil { complete[digest] = bytes }
        return digest
    }

    mutating func remove(_ digest: ContentDigest) {
        complete[digest] = nil
        if let byteCount = offered.removeValue(forKey: digest) {
            partial[Upload(digest: digest, byteCount: byteCount)] = nil
        }
    }

    /// Sets a damaged blob aside. nil: it is not there.
    mutating func verify(_ digest: ContentDigest) -> Bool? {
        guard let bytes = complete[digest] else { return nil }
        if simulatedDigest(bytes) == digest { return true }
        complete[digest] = nil
        return false
    }

    func isIntact(_ digest: ContentDigest) -> Bool { complete[digest].map { simulatedDigest($0) == digest } ?? false }

    // MARK: - Faults

    mutating func rot(_ digest: ContentDigest, at random: inout SimulationRandom) {
        guard let count = complete[digest]?.count, count > 0 else { return }
        complete[digest]![Int(random.below(Int64(count)))] ^= UInt8(1 << random.below(8))
    }

    mutating func processEnded() { offered = [:] }

    /// What was not synced is gone: uploads end where they like, blobs that nobody synced are there in part.
    mutating func lostPower(_ random: inout SimulationRandom) {
        processEnded()
        for upload in partial.keys.sorted(by: { "\($0.digest)" < "\($1.digest)" }) {
            let count = Int64(partial[upload]!.count)
            partial[upload] = Array(partial[upload]!.prefix(Int(random.between(0, count))))
        }
        for digest in unsynced.sorted(by: { "\($0)" < "\($1)" }) { complete[digest] = nil }
        unsynced = []
    }
}

/// The simulation's digest: 64 bits of the bytes, four times.
func simulatedDigest(_ bytes: [UInt8]) -> ContentDigest {
    var hash = UInt64(bytes.count) &* 0x9E37_79B9_7F4A_7C15
    var word: UInt64 = 0
    for (index, byte) in bytes.enumerated() {
        word = word << 8 | UInt64(byte)
        if index & 7 == 7 { hash = (hash ^ word) &* 0xFF51_AFD7_ED55_8CCD ^ hash >> 29 }
    }
    hash = mixed(hash ^ word)
    return ContentDigest(bytes: (0..<32).map { UInt8(truncatingIfNeeded: hash >> (8 * UInt64($0 & 7))) })
}

extension BlobReference {
    init(role: String, name: String, bytes: [UInt8]) {
        self.init(role: role, name: name, digest: simulatedDigest(bytes), byteCount: UInt64(bytes.count))
    }
}
