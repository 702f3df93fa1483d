/// Walks over a row of a mask eight voxels at a time: most of a row lies outside, and most of the rest is one run.
extension UnsafeBufferPointer<UInt8> {
    /// The first place from `start` on, below `end`, that is not 0; `end` without one.
    package func firstSet(from start: Int, to end: Int) -> Int {
        var place = start
        while place + 8 <= end {
            let word = word(at: place)
            if word != 0 { return place + word.trailingZeroBitCount / 8 }
            place += 8
        }
        while place < end, self[place] == 0 { place += 1 }
        return place
    }

    /// The first place from `start` on, below `end`, that is 0; `end` without one.
    package func firstClear(from start: Int, to end: Int) -> Int {
        var place = start
        while place + 8 <= end {
            let word = word(at: place)
            // The lowest marked byte is the first that is 0; those above it may be marked by its borrow.
            let clear = (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
            if clear != 0 { return place + clear.trailingZeroBitCount / 8 }
            place += 8
        }
        while place < end, self[place] != 0 { place += 1 }
        return place
    }

    /// Every longest stretch of places that are not 0.
    @inline(__always)
    package func forEachRun(in range: Range<Int>, _ body: (Range<Int>) -> Void) {
        var place = firstSet(from: range.lowerBound, to: range.upperBound)
        while place < range.upperBound {
            let end = firstClear(from: place, to: range.upperBound)
            body(place..<end)
            place = firstSet(from: end, to: range.upperBound)
        }
    }

    /// Every place of a range that is 0.
    @inline(__always)
    package func forEachClear(in range: Range<Int>, _ body: (Int) -> Void) {
        var place = firstClear(from: range.lowerBound, to: range.upperBound)
        while place < range.upperBound {
            body(place)
            place = firstClear(from: place + 1, to: range.upperBound)
        }
    }

    private func word(at place: Int) -> UInt64 {
        UInt64(littleEndian: UnsafeRawPointer(baseAddress! + place).loadUnaligned(as: UInt64.self))
    }
}

extension Mask {
    /// How many voxels are set at each index of x, of y and of z.
    package func setCounts() -> [[Int]] {
        var alongX = [UInt32](repeating: 0, count: shape.width)
        var alongY = [Int](repeating: 0, count: shape.height), alongZ = [Int](repeating: 0, count: shape.depth)
        voxels.withUnsafeBufferPointer { voxels in
            alongX.withUnsafeMutableBufferPointer { alongX in
                for z in 0..<shape.depth {
                    for y in 0..<shape.height {
                        let start = shape.index(z: z, y: y, x: 0), end = start + shape.width
                        let first = voxels.firstSet(from: start, to: end)
                        guard first < end else { continue }
                        var count: UInt32 = 0
                        for index in first..<end {
                            let inside: UInt32 = voxels[index] > 0 ? 1 : 0
                            alongX[index - start] &+= inside
                            count &+= inside
                        }
                        alongY[y] += Int(count)
                        alongZ[z] += Int(count)
                    }
                }
            }
        }
        return [alongX.map { Int($0) }, alongY, alongZ]
    }
}
