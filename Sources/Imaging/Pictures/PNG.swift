/// PNG files: 8 bits, grey or RGB. The same picture gives the same bytes under the same version of zlib.
public enum PNG {
    /// - Parameter rgb: 3 bytes a pixel, row by row from the top. Written as grey when every pixel is.
    public static func encode(rgb: [UInt8], width: Int, height: Int) -> [UInt8] {
        precondition(width > 0 && height > 0 && rgb.count == 3 * width * height)
        let starts = stride(from: 0, to: rgb.count, by: 3)
        if starts.allSatisfy({ at in rgb[at] == rgb[at + 1] && rgb[at] == rgb[at + 2] }) {
            return encode(grey: starts.map { rgb[$0] }, width: width, height: height)
        }
        return file(rgb, width: width, height: height, bytesPerPixel: 3, colourType: 2)
    }

    /// - Parameter grey: 1 byte a pixel, row by row from the top; 0 is black.
    public static func encode(grey: [UInt8], width: Int, height: Int) -> [UInt8] {
        precondition(width > 0 && height > 0 && grey.count == width * height)
        return file(grey, width: width, height: height, bytesPerPixel: 1, colourType: 0)
    }

    private static func file(
        _ pixels: [UInt8], width: Int, height: Int, bytesPerPixel: Int, colourType: UInt8
    ) -> [UInt8] {
        var filtered: [UInt8] = []
        let rowByteCount = width * bytesPerPixel
        filtered.reserveCapacity((rowByteCount + 1) * height)
        var above = [UInt8](repeating: 0, count: rowByteCount)
        for y in 0 ..< height {
            let row = Array(pixels[y * rowByteCount ..< (y + 1) * rowByteCount])
            filtered += bestFilter(row, above: above, bytesPerPixel: bytesPerPixel)
            above = row
        }
        let header = bigEndian(UInt32(width)) + bigEndian(UInt32(height)) + [8, colourType, 0, 0, 0]
        return [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] + chunk("IHDR", header)
            + chunk("IDAT", Deflate.zlib(filtered)) + chunk("IEND", [])
    }

    /// The row under whichever of None, Sub, Up and Average leaves the smallest sum of differences (the usual
    /// heuristic of the PNG specification, 12.8), preceded by the filter's number.
    private static func bestFilter(_ row: [UInt8], above: [UInt8], bytesPerPixel: Int) -> [UInt8] {
        var best: [UInt8] = []
        var bestCost = Int.max
        for filter in UInt8(0)...3 {
            var (bytes, cost) = ([filter], 0)
            bytes.reserveCapacity(row.count + 1)
            for index in row.indices {
                let left = index >= bytesPerPixel ? row[index - bytesPerPixel] : 0
                let guess: UInt8 =
                    switch filter {
                    case 0: 0
                    case 1: left
                    case 2: above[index]
                    default: UInt8((Int(left) + Int(above[index])) / 2)
                    }
                let difference = row[index] &- guess
                bytes.append(difference)
                cost += abs(Int(Int8(bitPattern: difference)))
            }
            if cost < bestCost { (best, bestCost) = (bytes, cost) }
        }
        return best
    }

    private static func chunk(_ kind: String, _ content: [UInt8]) -> [UInt8] {
        let body = Array(kind.utf8) + content
        return bigEndian(UInt32(content.count)) + body + bigEndian(Deflate.checksum(body))
    }

    private static func bigEndian(_ word: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) }
    }
}
