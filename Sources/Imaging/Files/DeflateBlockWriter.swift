/// Writes blocks of a deflate stream (RFC 1951, 3.2.3 to 3.2.7): each dynamic, fixed or stored, whichever is shortest.
struct DeflateBlockWriter {
    private var bytes: [UInt8] = []
    private var pending: UInt64 = 0
    private var pendingBitCount: UInt64 = 0

    private static let endOfBlock = 256

    /// - Parameters:
    ///   - tokens: literals as they are; matches as 1 << 31 | length << 16 | distance.
    ///   - raw: what the tokens stand for, for storing it as it is.
    mutating func write(tokens: [UInt32], raw: UnsafeRawBufferPointer, isLast: Bool) {
        var (symbols, distances) = ([Int](repeating: 0, count: 286), [Int](repeating: 0, count: 30))
        var extraBitCount = 0
        symbols[Self.endOfBlock] = 1
        for token in tokens {
            guard token >> 31 == 1 else {
                symbols[Int(token)] += 1
                continue
            }
            let length = Tables.lengthSymbol[Int(token >> 16 & 0x1ff)]
            let distance = Tables.distanceSymbol(Int(token & 0xffff))
            symbols[257 + length] += 1
            distances[distance] += 1
            extraBitCount += Tables.lengthExtraBits[length] + Tables.distanceExtraBits[distance]
        }
        let literalCode = HuffmanCode(frequencies: symbols, limit: 15)
        let distanceCode = HuffmanCode(frequencies: distances, limit: 15)
        let lengths = CodeLengths(literalCode, distanceCode)
        func bitCount(_ literal: HuffmanCode, _ distance: HuffmanCode) -> Int {
            zip(symbols, literal.lengths).reduce(0) { $0 + $1.0 * Int($1.1) }
                + zip(distances, distance.lengths).reduce(0) { $0 + $1.0 * Int($1.1) } + extraBitCount
        }
        let dynamicBitCount = lengths.bitCount + bitCount(literalCode, distanceCode)
        let fixedBitCount = bitCount(Tables.fixedLiteral, Tables.fixedDistance)
        let storedBitCount = (raw.count + 5 * (raw.count / 65535 + 1)) * 8
        if storedBitCount < min(dynamicBitCount, fixedBitCount) {
            store(raw, isLast: isLast)
        } else if fixedBitCount <= dynamicBitCount {
            put(isLast ? 1 : 0, 1)
            put(1, 2)
            write(tokens, Tables.fixedLiteral, Tables.fixedDistance)
        } else {
            put(isLast ? 1 : 0, 1)
            put(2, 2)
            write(lengths)
            write(tokens, literalCode, distanceCode)
        }
    }

    /// The bytes; where more pieces follow, brought to a whole byte by an empty stored block.
    mutating func finish(isLast: Bool) -> [UInt8] {
        if isLast {
            align()
        } else {
            store(UnsafeRawBufferPointer(start: nil, count: 0), isLast: false)
        }
        return bytes
    }

    private mutating func write(_ tokens: [UInt32], _ literal: HuffmanCode, _ distance: HuffmanCode) {
        for token in tokens {
            guard token >> 31 == 1 else {
                put(literal, Int(token))
                continue
            }
            let (length, back) = (Int(token >> 16 & 0x1ff), Int(token & 0xffff))
            let symbol = Tables.lengthSymbol[length]
            put(literal, 257 + symbol)
            put(UInt64(length - Tables.lengthBase[symbol]), UInt64(Tables.lengthExtraBits[symbol]))
            let place = Tables.distanceSymbol(back)
            put(distance, place)
            put(UInt64(back - Tables.distanceBase[place]), UInt64(Tables.distanceExtraBits[place]))
        }
        put(literal, Self.endOfBlock)
    }

    private mutating func write(_ lengths: CodeLengths) {
        put(UInt64(lengths.literalCount - 257), 5)
        put(UInt64(lengths.distanceCount - 1), 5)
        put(UInt64(lengths.orderCount - 4), 4)
        for symbol in CodeLengths.order[..<lengths.orderCount] { put(UInt64(lengths.code.lengths[symbol]), 3) }
        for item in lengths.items {
            put(lengths.code, item.symbol)
            put(UInt64(item.extra), UInt64(CodeLengths.extraBits(item.symbol)))
        }
    }

    private mutating func store(_ raw: UnsafeRawBufferPointer, isLast: Bool) {
        var start = 0
        repeat {
            let count = min(raw.count - start, 65535)
            put(isLast && start + count == raw.count ? 1 : 0, 1)
            put(0, 2)
            align()
            for word in [UInt16(count), ~UInt16(count)] {
                bytes += [UInt8(truncatingIfNeeded: word), UInt8(truncatingIfNeeded: word >> 8)]
            }
            bytes += raw[start ..< start + count]
            start += count
        } while start < raw.count
    }

    private mutating func align() {
        if pendingBitCount > 0 { bytes.append(UInt8(truncatingIfNeeded: pending)) }
        (pending, pendingBitCount) = (0, 0)
    }

    @inline(__always)
    private mutating func put(_ code: HuffmanCode, _ symbol: Int) {
        put(UInt64(code.codes[symbol]), UInt64(code.lengths[symbol]))
    }

    @inline(__always)
    private mutating func put(_ value: UInt64, _ bitCount: UInt64) {
        pending |= value << pendingBitCount
        pendingBitCount += bitCount
        while pendingBitCount >= 8 {
            bytes.append(UInt8(truncatingIfNeeded: pending))
            pending >>= 8
            pendingBitCount -= 8
        }
    }
}

/// The two codes' lengths as a dynamic block's header says them (RFC 1951, 3.2.7).
private struct CodeLengths {
    static let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

    let literalCount: Int
    let distanceCount: Int
    let orderCount: Int
    /// Lengths 0 to 15; 16 repeats the last one 3 + extra times, 17 and 18 zeros 3 + extra and 11 + extra times.
    private(set) var items: [(symbol: Int, extra: Int)] = []
    let code: HuffmanCode

    init(_ literal: HuffmanCode, _ distance: HuffmanCode) {
        literalCount = max(257, literal.lengths.lastIndex { $0 > 0 }! + 1)
        distanceCount = distance.lengths.lastIndex { $0 > 0 }! + 1
        let lengths = (literal.lengths[..<literalCount] + distance.lengths[..<distanceCount]).map(Int.init)
        var start = 0
        while start < lengths.count {
            let length = lengths[start]
            let run = lengths[start...].prefix { $0 == length }.count
            items += length == 0 ? Self.zeros(run) : Self.repeated(length, run)
            start += run
        }
        var frequencies = [Int](repeating: 0, count: 19)
        for item in items { frequencies[item.symbol] += 1 }
        let built = HuffmanCode(frequencies: frequencies, limit: 7)
        code = built
        orderCount = max(4, Self.order.lastIndex { built.lengths[$0] > 0 }! + 1)
    }

    var bitCount: Int {
        14 + 3 * orderCount
            + items.reduce(0) { $0 + Int(code.lengths[$1.symbol]) + Self.extraBits($1.symbol) }
    }

    static func extraBits(_ symbol: Int) -> Int { symbol < 16 ? 0 : [2, 3, 7][symbol - 16] }

    private static func zeros(_ run: Int) -> [(symbol: Int, extra: Int)] {
        var (left, result) = (run, [(symbol: Int, extra: Int)]())
        while left > 0 {
            let count = left < 3 ? 1 : min(left, 138)
            result.append(count < 3 ? (0, 0) : (count < 11 ? (17, count - 3) : (18, count - 11)))
            left -= count
        }
        return result
    }

    private static func repeated(_ length: Int, _ run: Int) -> [(symbol: Int, extra: Int)] {
        var (left, result) = (run - 1, [(symbol: length, extra: 0)])
        while left > 0 {
            let count = left < 3 ? 1 : min(left, 6)
            result.append(count < 3 ? (length, 0) : (16, count - 3))
            left -= count
        }
        return result
    }
}

/// RFC 1951, 3.2.5 and 3.2.6.
private enum Tables {
    static let lengthBase = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227,
        258,
    ]
    static let lengthExtraBits = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0]
    static let distanceBase = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097,
        6145, 8193, 12289, 16385, 24577,
    ]
    static let distanceExtraBits = (0..<30).map { max(0, $0 / 2 - 1) }
    /// Symbol - 257 of each length.
    static let lengthSymbol: [Int] = (0...258).map { length in lengthBase.lastIndex { $0 <= length } ?? 0 }
    static let fixedLiteral = HuffmanCode(
        lengths: (0..<288).map { $0 < 144 ? 8 : ($0 < 256 ? 9 : ($0 < 280 ? 7 : 8)) })
    static let fixedDistance = HuffmanCode(lengths: [UInt8](repeating: 5, count: 30))

    static func distanceSymbol(_ distance: Int) -> Int {
        if distance <= 4 { return distance - 1 }
        // The highest bit says the pair, the next one which of the two.
        let bit = Int.bitWidth - 1 - (distance - 1).leadingZeroBitCount
        return 2 * bit + (distance - 1) >> (bit - 1) & 1
    }
}
