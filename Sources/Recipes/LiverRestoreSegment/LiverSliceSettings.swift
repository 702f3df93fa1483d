/// How a CT becomes the liver slices that networks see (method.md B; liver paper, section 4.1). Fixed for a data set
/// and for everything that is answered by what was trained on it.
public struct LiverSliceSettings: Codable, Hashable, Sendable {
    /// Rows and columns of a slice: the whole plane of the CT, however many voxels it has.
    public var size: Int
    /// After the equalisation, values 1 ... 149 become 30 ... 149, as in the authors' program; without it 1 ... 255 are
    /// spread evenly (method.md's words).
    public var liftsDarkValues: Bool

    public static let sizeRange = 16...1024
    /// HU that become 0 and 255.
    static let clipHU: ClosedRange<Float> = -200...250

    public init(size: Int = 256, liftsDarkValues: Bool = true) {
        self.size = size
        self.liftsDarkValues = liftsDarkValues
    }

    /// For settings from outside.
    /// - Throws: `RecipeError.inputRefused` when the size is out of range.
    public func validate() throws {
        guard Self.sizeRange.contains(size) else {
            throw RecipeError.inputRefused("liver slices of \(size) x \(size) pixels are not computed with; choose a "
                + "size from \(Self.sizeRange.lowerBound) to \(Self.sizeRange.upperBound)")
        }
    }
}
