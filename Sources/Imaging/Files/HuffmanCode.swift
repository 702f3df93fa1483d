/// A canonical prefix code of deflate (RFC 1951, 3.2.2) with the shortest total length under a limit on code lengths.
package struct HuffmanCode {
    /// Bits of each symbol's code; 0: unused.
    package let lengths: [UInt8]
    /// Each symbol's code, first bit lowest (as deflate writes it).
    package let codes: [UInt16]

    /// - Parameter frequencies: at least two symbols. Where fewer than two occur, others are given a code as well:
    ///   decoders do not agree about codes of one symbol.
    package init(frequencies: [Int], limit: Int) {
        var used = frequencies
        for symbol in 0..<2 where used.lazy.filter({ $0 > 0 }).count < 2 && used[symbol] == 0 { used[symbol] = 1 }
        if used.lazy.filter({ $0 > 0 }).count < 2 { used[1] = 1 }
        self.init(lengths: Self.packageMerge(used, limit: limit))
    }

    /// The code that follows from its lengths.
    init(lengths: [UInt8]) {
        self.lengths = lengths
        var countOfLength = [Int](repeating: 0, count: 17)
        for length in lengths where length > 0 { countOfLength[Int(length)] += 1 }
        var next = [Int](repeating: 0, count: 17)
        for length in 1...15 { next[length + 1] = (next[length] + countOfLength[length]) << 1 }
        codes = lengths.map { length in
            guard length > 0 else { return 0 }
            defer { next[Int(length)] += 1 }
            return UInt16(next[Int(length)]).bitReversed >> (16 - UInt16(length))
        }
    }

    /// Larmore and Hirschberg's package-merge. Ties go to the lower symbol, so the lengths depend on the frequencies
    /// alone.
    private static func packageMerge(_ frequencies: [Int], limit: Int) -> [UInt8] {
        let symbols = frequencies.indices.filter { frequencies[$0] > 0 }
            .sorted { (frequencies[$0], $0) < (frequencies[$1], $1) }
        let leaves = symbols.map { frequencies[$0] }
        precondition(leaves.count >= 2 && leaves.count <= 1 << limit)
        var isLeafByLevel: [[Bool]] = []
        var packages: [Int] = []
        for _ in 0 ..< limit {
            var (merged, isLeaf): ([Int], [Bool]) = ([], [])
            var (leaf, package) = (0, 0)
            while leaf < leaves.count || package < packages.count {
                let takesLeaf = package == packages.count || leaf < leaves.count && leaves[leaf] <= packages[package]
                merged.append(takesLeaf ? leaves[leaf] : packages[package])
                isLeaf.append(takesLeaf)
                if takesLeaf { leaf += 1 } else { package += 1 }
            }
            packages = stride(from: 0, to: merged.count - 1, by: 2).map { merged[$0] + merged[$0 + 1] }
            isLeafByLevel.append(isLeaf)
        }
        // Each time a leaf is among the cheapest items of a level its code is one bit longer.
        var lengths = [UInt8](repeating: 0, count: frequencies.count)
        var taken = 2 * leaves.count - 2
        for isLeaf in isLeafByLevel.reversed() {
            let leafCount = isLeaf[..<taken].lazy.filter { $0 }.count
            for symbol in symbols[..<leafCount] { lengths[symbol] += 1 }
            taken = 2 * (taken - leafCount)
        }
        return lengths
    }
}

extension UInt16 {
    var bitReversed: UInt16 {
        var (value, result) = (self, UInt16(0))
        for _ in 0..<16 {
            result = result << 1 | value & 1
            value >>= 1
        }
        return result
    }
}
