/// A colour, 8 bits a channel.
public struct Colour: Hashable, Sendable {
    public var red: UInt8
    public var green: UInt8
    public var blue: UInt8

    public init(red: UInt8, green: UInt8, blue: UInt8) {
        (self.red, self.green, self.blue) = (red, green, blue)
    }

    public static let black = Colour(red: 0, green: 0, blue: 0)
    public static let white = Colour(red: 255, green: 255, blue: 255)
    public static let grey = Colour(red: 128, green: 128, blue: 128)
    public static let red = Colour(red: 255, green: 40, blue: 40)
    public static let lungGreen = Colour(red: 0, green: 170, blue: 60)
    public static let amber = Colour(red: 255, green: 200, blue: 0)
    public static let skyBlue = Colour(red: 70, green: 160, blue: 255)
}

/// A small RGB picture for reports: slices with outlines, side by side, with captions.
public struct Picture: Hashable, Sendable {
    public private(set) var width: Int
    public private(set) var height: Int
    /// 3 bytes a pixel, row by row from the top.
    public private(set) var rgb: [UInt8]

    public init(width: Int, height: Int, colour: Colour = .black) {
        precondition(width > 0 && height > 0 && width <= 1 << 15 && height <= 1 << 15)
        (self.width, self.height) = (width, height)
        rgb = []
        rgb.reserveCapacity(3 * width * height)
        for _ in 0 ..< width * height { rgb += [colour.red, colour.green, colour.blue] }
    }

    /// Pixel (x, y), y from the top.
    public subscript(x: Int, y: Int) -> Colour {
        get {
            let at = offset(x, y)
            return Colour(red: rgb[at], green: rgb[at + 1], blue: rgb[at + 2])
        }
        set {
            let at = offset(x, y)
            (rgb[at], rgb[at + 1], rgb[at + 2]) = (newValue.red, newValue.green, newValue.blue)
        }
    }

    private func offset(_ x: Int, _ y: Int) -> Int {
        precondition(x >= 0 && x < width && y >= 0 && y < height)
        return 3 * (y * width + x)
    }

    /// As a PNG file.
    public func png() -> [UInt8] { PNG.encode(rgb: rgb, width: width, height: height) }

    /// Every pixel becomes a square of `factor` x `factor`.
    public func enlarged(by factor: Int) -> Picture {
        precondition(factor >= 1)
        var result = Picture(width: width * factor, height: height * factor)
        for y in 0 ..< result.height {
            for x in 0 ..< result.width { result[x, y] = self[x / factor, y / factor] }
        }
        return result
    }

    /// Puts another picture onto this one with its top left corner at (x, y); what reaches beyond is cut off.
    public mutating func place(_ other: Picture, x: Int, y: Int) {
        for row in max(0, -y) ..< max(max(0, -y), min(other.height, height - y)) {
            for column in max(0, -x) ..< max(max(0, -x), min(other.width, width - x)) {
                self[x + column, y + row] = other[column, row]
            }
        }
    }

    /// Pictures in rows of `columnCount`, each in a cell of the largest one's size, top left aligned.
    public static func grid(
        _ pictures: [Picture], columnCount: Int, gap: Int = 4, background: Colour = .black
    ) -> Picture {
        precondition(!pictures.isEmpty && columnCount >= 1 && gap >= 0)
        let columns = min(columnCount, pictures.count)
        let rows = (pictures.count + columns - 1) / columns
        let cellWidth = pictures.map(\.width).max()! + gap
        let cellHeight = pictures.map(\.height).max()! + gap
        var result = Picture(
            width: columns * cellWidth - gap, height: rows * cellHeight - gap, colour: background)
        for (index, picture) in pictures.enumerated() {
            result.place(picture, x: index % columns * cellWidth, y: index / columns * cellHeight)
        }
        return result
    }

    /// Writes a line of text with its top left corner at (x, y): capitals are 7 pixels high, a character is 6 wide,
    /// both times `scale`. What the font lacks (anything but ASCII) is a box.
    public mutating func write(_ text: String, x: Int, y: Int, colour: Colour = .white, scale: Int = 1) {
        precondition(scale >= 1)
        for (index, character) in text.enumerated() {
            let glyph = BitmapFont.glyph(character)
            for column in 0 ..< BitmapFont.width {
                for row in 0 ..< BitmapFont.height where glyph[column] >> row & 1 == 1 {
                    let left = x + (index * BitmapFont.advance + column) * scale
                    fill(left, y + row * scale, scale, colour)
                }
            }
        }
    }

    private mutating func fill(_ left: Int, _ top: Int, _ size: Int, _ colour: Colour) {
        for y in top ..< top + size where y >= 0 && y < height {
            for x in left ..< left + size where x >= 0 && x < width { self[x, y] = colour }
        }
    }

    /// The picture under a bar with a line of text; widened where the text is longer.
    public func captioned(
        _ text: String, colour: Colour = .white, background: Colour = .black, scale: Int = 1
    ) -> Picture {
        let barHeight = (BitmapFont.height + 4) * scale
        let textWidth = (text.count * BitmapFont.advance + 3) * scale
        var result = Picture(width: max(width, textWidth), height: height + barHeight, colour: background)
        result.write(text, x: 2 * scale, y: 2 * scale, colour: colour, scale: scale)
        result.place(self, x: 0, y: barHeight)
        return result
    }
}
