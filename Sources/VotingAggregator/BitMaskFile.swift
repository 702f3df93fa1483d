import Imaging

/// A bit mask as bytes, for blobs and files. Little-endian:
///
///     magic      8 bytes  "QNTBITS\0"
///     version    u32      1
///     depth, height, width  u32 each, at least 1
///     wordCount  u64      depth * height * ceil(width / 64)
///     then until wordCount words are reached: zeros u32, literals u32, `literals` words of 8 bytes
///
/// The stretches of zero words are the longest possible, so a mask has exactly one form.
extension BitMask {
    private static let magic: [UInt8] = Array("QNTBITS\0".utf8)
    private static let version: UInt32 = 1
    private static let headerCount = 32

    /// The serialised form; the same mask gives the same bytes on any machine.
    public func bytes() -> [UInt8] {
        var bytes = Self.magic
        bytes.reserveCapacity(Self.headerCount + words.count)
        for value in [Self.version, UInt32(shape.depth), UInt32(shape.height), UInt32(shape.width)] {
            bytes.append(littleEndian: value)
        }
        bytes.append(littleEndian: UInt64(words.count))
        var index = 0
        while index < words.count {
            let zerosEnd = Self.stretchEnd(words, from: index) { $0 == 0 }
            let literalsEnd = Self.stretchEnd(words, from: zerosEnd) { $0 != 0 }
            bytes.append(littleEndian: UInt32(zerosEnd - index))
            bytes.append(littleEndian: UInt32(literalsEnd - zerosEnd))
            for word in words[zerosEnd..<literalsEnd] { bytes.append(littleEndian: word) }
            index = literalsEnd
        }
        return bytes
    }

    private static func stretchEnd(_ words: [UInt64], from start: Int, while condition: (UInt64) -> Bool) -> Int {
        var end = start
        while end < words.count && end - start < Int(UInt32.max) && condition(words[end]) { end += 1 }
        return end
    }

    /// Reads the serialised form. Nothing is allocated before shape and word count are found plausible.
    ///
    /// - Parameters:
    ///   - expectedShape: the grid the mask must be on, where it is known.
    ///   - voxelCountMax: larger masks are refused.
    /// - Throws: `VotingError.damagedMask`, `.gridMismatch` when the shape is not the expected one.
    public init(bytes: [UInt8], expectedShape: VolumeShape? = nil, voxelCountMax: Int = 1 << 31) throws {
        var reader = LittleEndianReader(bytes)
        guard bytes.count >= Self.headerCount, Array(bytes[0..<Self.magic.count]) == Self.magic else {
            throw VotingError.damagedMask("it does not begin with the mark of a bit mask")
        }
        reader.skip(Self.magic.count)
        let version: UInt32 = try reader.next()
        guard version == Self.version else {
            throw VotingError.damagedMask("its version is \(version), this program reads \(Self.version)")
        }
        let sizes: [UInt32] = [try reader.next(), try reader.next(), try reader.next()]
        let shape = try Self.checkedShape(sizes, voxelCountMax: voxelCountMax)
        if let expectedShape, expectedShape != shape {
            throw VotingError.gridMismatch(what: "the mask", shape: shape, expected: expectedShape)
        }
        let wordCount: UInt64 = try reader.next()
        guard wordCount == UInt64(shape.bitWordCount) else {
            throw VotingError.damagedMask(
                "it claims \(wordCount) words where \(shape) voxels are \(shape.bitWordCount)")
        }
        self.init(shape: shape)
        try reader.fill(&words)
        try checkRowEnds()
    }

    private static func checkedShape(_ sizes: [UInt32], voxelCountMax: Int) throws -> VolumeShape {
        let (slice, sliceOverflow) = Int(sizes[1]).multipliedReportingOverflow(by: (Int(sizes[2]) + 63) / 64 * 64)
        let (count, overflow) = slice.multipliedReportingOverflow(by: Int(sizes[0]))
        let shape = VolumeShape(depth: Int(sizes[0]), height: Int(sizes[1]), width: Int(sizes[2]))
        guard sizes.allSatisfy({ $0 > 0 }), !sliceOverflow, !overflow, count / 64 <= (voxelCountMax + 63) / 64 else {
            throw VotingError.damagedMask("its size \(shape) is not between 1 and \(voxelCountMax) voxels")
        }
        return shape
    }

    private func checkRowEnds() throws {
        guard shape.width % 64 != 0 else { return }
        let behind = ~UInt64(0) << UInt64(shape.width % 64)
        for index in stride(from: shape.wordsPerRow - 1, to: words.count, by: shape.wordsPerRow)
        where words[index] & behind != 0 {
            throw VotingError.damagedMask("a bit is set behind the end of a row")
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append<Value: FixedWidthInteger>(littleEndian value: Value) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }
}

private struct LittleEndianReader {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func skip(_ count: Int) { offset += count }

    mutating func next<Value: FixedWidthInteger>() throws -> Value {
        guard bytes.count - offset >= MemoryLayout<Value>.size else { throw VotingError.damagedMask("it is cut short") }
        defer { offset += MemoryLayout<Value>.size }
        return bytes.withUnsafeBytes { Value(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Value.self)) }
    }

    /// Reads stretches of zeros and literals into words that are all zero; every byte must be used.
    mutating func fill(_ words: inout [UInt64]) throws {
        var index = 0
        while index < words.count {
            let zeros = Int(try next() as UInt32), literals = Int(try next() as UInt32)
            guard zeros + literals > 0, zeros + literals <= words.count - index,
                literals <= (bytes.count - offset) / 8
            else { throw VotingError.damagedMask("its words do not add up to its size") }
            // The one form: as many zeros as there are, then as many others.
            let isLongest = (zeros > 0 || index == 0) && (literals > 0 || index + zeros == words.count)
            index += zeros
            var hasZero = false
            for _ in 0..<literals {
                words[index] = try next()
                hasZero = hasZero || words[index] == 0
                index += 1
            }
            guard isLongest, !hasZero else { throw VotingError.damagedMask("it is not packed as it should be") }
        }
        guard offset == bytes.count else { throw VotingError.damagedMask("bytes follow its end") }
    }
}
