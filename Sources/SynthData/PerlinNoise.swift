import Numerics

/// Perlin's gradient noise over a square picture, as DRAEM draws it (Zavrtanik et al., ICCV 2021): along each axis 1,
/// 2, 4 ... 32 cells, random unit gradients at their corners, times the square root of 2. DRAEM turns the picture by
/// up to a quarter; here the place is turned and the noise computed there, so nothing is interpolated.
struct PerlinNoise {
    private let size: Int
    private let rows: Int
    private let columns: Int
    /// (row, column) of the gradient at each corner, rows + 1 times columns + 1.
    private let gradients: [(Float, Float)]
    private let turn: (cosine: Float, sine: Float)

    /// - Parameters:
    ///   - size: rows and columns of the picture.
    ///   - isRotated: by -90 to 90 degrees around its middle; what comes from outside of it is 0.
    init(size: Int, isRotated: Bool, random: inout RandomStream) {
        self.size = size
        rows = 1 << random.index(below: 6)
        columns = 1 << random.index(below: 6)
        let angle = isRotated ? Double(random.uniform(-0.5, 0.5)) * Double.pi : 0
        turn = (Float(Portable.cos(angle)), Float(Portable.sin(angle)))
        var corners: [(Float, Float)] = []
        for _ in 0..<(rows + 1) * (columns + 1) {
            let direction = 2 * Double.pi * Double(random.uniform())
            corners.append((Float(Portable.cos(direction)), Float(Portable.sin(direction))))
        }
        gradients = corners
    }

    /// About -1 ... 1.
    func value(y: Int, x: Int) -> Float {
        let middle = Float(size - 1) / 2, dy = Float(y) - middle, dx = Float(x) - middle
        let v = (turn.cosine * dy - turn.sine * dx + middle) * Float(rows) / Float(size)
        let u = (turn.sine * dy + turn.cosine * dx + middle) * Float(columns) / Float(size)
        guard v >= 0, u >= 0, v < Float(rows), u < Float(columns) else { return 0 }
        let row = Int(v), column = Int(u), s = v - Float(row), t = u - Float(column)
        func corner(_ down: Int, _ right: Int) -> Float {
            let gradient = gradients[(row + down) * (columns + 1) + column + right]
            return gradient.0 * (s - Float(down)) + gradient.1 * (t - Float(right))
        }
        func fade(_ t: Float) -> Float { t * t * t * (t * (t * 6 - 15) + 10) }
        let (a, b) = (fade(s), fade(t))
        let left = corner(0, 0) + a * (corner(1, 0) - corner(0, 0))
        let right = corner(0, 1) + a * (corner(1, 1) - corner(0, 1))
        return 1.4142135 * (left + b * (right - left))
    }
}

/// What DRAEM blends into a slice. The original takes photographs of textures; a CT's set has none, so it is another
/// slice's liver, moved at random and repeated without end by its box, or Perlin noise stretched to 0 ... 255.
struct AnomalyTexture {
    private let size: Int
    private let other: UnsafeBufferPointer<UInt8>?
    private let noise: PerlinNoise
    /// The other slice's box: first row and column, rows and columns; and by how much it is moved.
    private var box = (y: 0, x: 0, height: 1, width: 1)
    private let shift: (y: Int, x: Int)

    /// - Parameter other: a slice of `size` x `size`; one without liver is not used.
    init(_ other: UnsafeBufferPointer<UInt8>?, size: Int, random: inout RandomStream) {
        self.size = size
        noise = PerlinNoise(size: size, isRotated: false, random: &random)
        shift = (random.index(below: size), random.index(below: size))
        var low = (y: size, x: size), high = (y: -1, x: -1)
        if let other {
            for index in other.indices where other[index] > 0 {
                let (y, x) = (index / size, index % size)
                low = (min(low.y, y), min(low.x, x))
                high = (max(high.y, y), max(high.x, x))
            }
        }
        self.other = high.y >= 0 ? other : nil
        if high.y >= 0 { box = (low.y, low.x, high.y - low.y + 1, high.x - low.x + 1) }
    }

    /// 0 ... 255.
    func value(y: Int, x: Int) -> Float {
        guard let other else { return min(max(127.5 * (1 + noise.value(y: y, x: x)), 0), 255) }
        let row = box.y + (y + shift.y) % box.height, column = box.x + (x + shift.x) % box.width
        return Float(other[row * size + column])
    }
}
