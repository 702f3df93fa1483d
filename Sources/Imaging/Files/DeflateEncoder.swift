/// Deflate (RFC 1951), written here so that a result has the same bytes wherever it is computed: zlib's output changes
/// with its version and with what a distribution has put in its place. Inflating stays with zlib.
///
/// The input is cut into pieces of `pieceByteCount`; each is compressed by itself, with the 32 KiB before it as
/// dictionary, and ends on a whole byte. So pieces can be made by many threads and the bytes do not depend on them.
struct DeflateEncoder {
    static let pieceByteCount = 1 << 20
    private static let windowByteCount = 1 << 15
    private static let hashBitCount: UInt32 = 15
    private static let matchLengthMin = 4
    private static let matchLengthMax = 258
    /// How many earlier places with the same beginning are looked at.
    private static let chainLengthMax = 24
    /// From this length on a match is taken without looking for a better one at the next byte.
    private static let lazyLengthMax = 32
    private static let blockTokenCount = 1 << 15

    private let input: UnsafePointer<UInt8>
    private let end: Int
    /// Most recent position with a hash, and for each position the one before it with the same hash; -1: none.
    private var head = [Int32](repeating: -1, count: 1 << Int(hashBitCount))
    private var previous = [Int32](repeating: -1, count: windowByteCount)
    private var inserted: Int
    /// Literals as they are; matches as 1 << 31 | length << 16 | distance.
    private var tokens: [UInt32] = []
    private var writer = DeflateBlockWriter()

    /// One piece as a part of a deflate stream.
    /// - Parameters:
    ///   - range: of the whole input.
    ///   - isLast: ends the stream; otherwise an empty stored block brings the next piece to a whole byte.
    static func encode(_ input: UnsafeRawBufferPointer, _ range: Range<Int>, isLast: Bool) -> [UInt8] {
        guard let base = input.baseAddress, !range.isEmpty else {
            var writer = DeflateBlockWriter()
            writer.write(tokens: [], raw: UnsafeRawBufferPointer(start: nil, count: 0), isLast: isLast)
            return writer.finish(isLast: isLast)
        }
        var encoder = DeflateEncoder(base.assumingMemoryBound(to: UInt8.self), range)
        return encoder.run(range, isLast: isLast)
    }

    private init(_ input: UnsafePointer<UInt8>, _ range: Range<Int>) {
        precondition(range.upperBound < Int(Int32.max) || range.count <= Self.pieceByteCount)
        let dictionaryStart = max(0, range.lowerBound - Self.windowByteCount)
        // Positions count from the dictionary's start, so that 32 bits are enough for any file.
        self.input = input + dictionaryStart
        self.end = range.upperBound - dictionaryStart
        self.inserted = 0
        tokens.reserveCapacity(Self.blockTokenCount)
    }

    private mutating func run(_ range: Range<Int>, isLast: Bool) -> [UInt8] {
        var position = end - range.count
        var blockStart = position
        insert(upTo: position)
        while position < end {
            let match = takeLazily(&position)
            if match.length > 0 {
                tokens.append(1 << 31 | UInt32(match.length) << 16 | UInt32(match.distance))
                position += match.length
            } else {
                tokens.append(UInt32(input[position]))
                position += 1
            }
            if tokens.count >= Self.blockTokenCount - 1 || position == end {
                let raw = UnsafeRawBufferPointer(start: input + blockStart, count: position - blockStart)
                writer.write(tokens: tokens, raw: raw, isLast: isLast && position == end)
                tokens.removeAll(keepingCapacity: true)
                blockStart = position
            }
        }
        return writer.finish(isLast: isLast)
    }

    /// The match to take at `position`; where the next byte has a longer one, a literal goes first.
    private mutating func takeLazily(_ position: inout Int) -> (length: Int, distance: Int) {
        var match = longestMatch(at: position)
        while match.length > 0, match.length < Self.lazyLengthMax, position + 1 < end,
            tokens.count < Self.blockTokenCount - 2
        {
            let next = longestMatch(at: position + 1)
            if next.length <= match.length { break }
            tokens.append(UInt32(input[position]))
            position += 1
            match = next
        }
        return match
    }

    private mutating func longestMatch(at position: Int) -> (length: Int, distance: Int) {
        insert(upTo: position)
        let limit = min(end - position, Self.matchLengthMax)
        guard limit >= Self.matchLengthMin else { return (0, 0) }
        var candidate = Int(head[hash(position)])
        var (best, distance) = (Self.matchLengthMin - 1, 0)
        var chain = Self.chainLengthMax
        while candidate >= 0, position - candidate < Self.windowByteCount, chain > 0 {
            if input[candidate + best] == input[position + best] {
                let length = commonLength(candidate, position, limit)
                if length > best {
                    (best, distance) = (length, position - candidate)
                    if best == limit { break }
                }
            }
            let next = Int(previous[candidate & (Self.windowByteCount - 1)])
            if next >= candidate { break }
            candidate = next
            chain -= 1
        }
        return distance > 0 ? (best, distance) : (0, 0)
    }

    private func commonLength(_ a: Int, _ b: Int, _ limit: Int) -> Int {
        let (left, right) = (UnsafeRawPointer(input + a), UnsafeRawPointer(input + b))
        var length = 0
        while length + 8 <= limit {
            let x = left.loadUnaligned(fromByteOffset: length, as: UInt64.self)
            let y = right.loadUnaligned(fromByteOffset: length, as: UInt64.self)
            if x != y { return length + (UInt64(littleEndian: x) ^ UInt64(littleEndian: y)).trailingZeroBitCount / 8 }
            length += 8
        }
        while length < limit, input[a + length] == input[b + length] { length += 1 }
        return length
    }

    /// Makes every position before this one findable.
    private mutating func insert(upTo position: Int) {
        while inserted < position, inserted + Self.matchLengthMin <= end {
            let slot = hash(inserted)
            previous[inserted & (Self.windowByteCount - 1)] = head[slot]
            head[slot] = Int32(inserted)
            inserted += 1
        }
    }

    private func hash(_ position: Int) -> Int {
        let word = UInt32(littleEndian: UnsafeRawPointer(input + position).loadUnaligned(as: UInt32.self))
        return Int((word &* 2_654_435_761) >> (32 - Self.hashBitCount))
    }
}
