import CKernels

/// A whole number for each axis of a volume: a kernel's size, a stride, a padding.
public struct PerAxis: Hashable, Codable, Sendable, CustomStringConvertible {
    public var depth: Int
    public var height: Int
    public var width: Int

    public init(depth: Int, height: Int, width: Int) {
        self.depth = depth
        self.height = height
        self.width = width
    }

    /// The same along every axis.
    public init(_ all: Int) { self.init(depth: all, height: all, width: all) }

    public static let one = PerAxis(1)

    var size: quintet_size3 { .init(depth: Int32(depth), height: Int32(height), width: Int32(width)) }
    public var product: Int { depth * height * width }
    public var all: [Int] { [depth, height, width] }
    public var description: String {
        depth == height && height == width ? "\(depth)" : "\(depth)x\(height)x\(width)"
    }

    init(_ size: quintet_size3) {
        self.init(depth: Int(size.depth), height: Int(size.height), width: Int(size.width))
    }

    static func * (a: PerAxis, b: PerAxis) -> PerAxis {
        PerAxis(depth: a.depth * b.depth, height: a.height * b.height, width: a.width * b.width)
    }

    static func / (a: PerAxis, b: PerAxis) -> PerAxis {
        PerAxis(depth: a.depth / b.depth, height: a.height / b.height, width: a.width / b.width)
    }
}

extension TensorShape3D {
    func divided(by divisor: PerAxis) -> TensorShape3D {
        TensorShape3D(depth: depth / divisor.depth, height: height / divisor.height, width: width / divisor.width)
    }

    func isMultiple(of divisor: PerAxis) -> Bool {
        depth % divisor.depth == 0 && height % divisor.height == 0 && width % divisor.width == 0
    }

    /// The smallest shape not below this one whose sides are multiples of those of `divisor`.
    public func rounded(upToMultipleOf divisor: PerAxis) -> TensorShape3D {
        func up(_ side: Int, _ factor: Int) -> Int { (side + factor - 1) / factor * factor }
        return TensorShape3D(
            depth: up(depth, divisor.depth), height: up(height, divisor.height), width: up(width, divisor.width))
    }
}
