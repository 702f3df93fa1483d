import CKernels
import Numerics

/// The Gaussian filter of a picture of bytes as OpenCV's `GaussianBlur` computes it, from version 4.3 on, to the byte:
/// its taps are whole 256ths, so a wide one is jagged (0 to 7 of 256 at a sigma of 15, nothing beyond 2.8 sigma) and
/// leaves more of fine noise than the true Gaussian; borders are mirrored at the outermost pixels' middles; each
/// result is rounded to a whole number.
public enum ByteGaussianFilter {
    /// The taps in 256ths, an odd number of them that add up to 256: each one is rounded with what the ones before it
    /// lost or gained, from the ends to the middle, which gets the rest.
    static func taps(sigma: Double) -> [Int] {
        let count = Int((6 * sigma + 1).rounded(.toNearestOrEven)) | 1, middle = count / 2
        let values = (0..<count).map { index -> Double in
            let x = Double(index - middle)
            return Portable.exp(-0.5 * x * x / (sigma * sigma))
        }
        let sum = values.reduce(0, +)
        var taps = [Int](repeating: 0, count: count), lost = 0.0
        for index in 0..<middle {
            let wanted = values[index] / sum * 256 + lost, tap = wanted.rounded(.toNearestOrEven)
            lost = wanted - tap
            (taps[index], taps[count - 1 - index]) = (Int(tap), Int(tap))
        }
        taps[middle] = 256 - taps.reduce(0, +)
        return taps
    }

    /// Filters in place.
    /// - Parameters:
    ///   - values: whole numbers 0 ... 255, `height` rows of `width`; whole numbers again afterwards.
    ///   - sigma: in pixels, 0.1 ... 1000.
    ///   - workspace: memory to reuse: its buffers 0 and 1.
    public static func apply(
        _ values: UnsafeMutableBufferPointer<Float>, height: Int, width: Int, sigma: Double,
        workspace: FilterWorkspace = FilterWorkspace()
    ) {
        precondition(values.count == height * width, "a picture of \(height)x\(width) has \(height * width) pixels")
        precondition(sigma >= 0.1 && sigma <= 1000, "a byte filter's sigma is 0.1 to 1000 pixels")
        guard !values.isEmpty else { return }
        // Sums stay below 2^24: floats hold them exactly.
        let taps = taps(sigma: sigma).map { Float($0) }, radius = taps.count / 2
        let wide = width + 2 * radius
        let rows = workspace.buffer(0, count: (height + 2 * radius) * width).baseAddress!
        let row = workspace.buffer(1, count: max(wide, width)).baseAddress!
        for y in 0..<height {
            for x in 0..<wide { row[x] = values[y * width + mirrored(x - radius, width)] }
            quintet_weighted_rows(row, 1, taps, Int32(taps.count), rows + (y + radius) * width, width)
        }
        for beyond in 0..<radius {
            let (above, below) = (mirrored(beyond - radius, height), mirrored(height + beyond, height))
            (rows + beyond * width).update(from: rows + (above + radius) * width, count: width)
            (rows + (height + radius + beyond) * width).update(from: rows + (below + radius) * width, count: width)
        }
        for y in 0..<height {
            quintet_weighted_rows(rows + y * width, width, taps, Int32(taps.count), row, width)
            for x in 0..<width { values[y * width + x] = (row[x] * 0x1p-16 + 0.5).rounded(.down) }
        }
    }

    /// d c b | a b c d | c b a: the place inside that `place` is the mirror image of.
    private static func mirrored(_ place: Int, _ count: Int) -> Int {
        guard count > 1 else { return 0 }
        let period = 2 * (count - 1), folded = (place % period + period) % period
        return folded < count ? folded : period - folded
    }
}
