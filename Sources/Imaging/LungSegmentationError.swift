/// Why the built-in segmenter gave no lung mask.
public enum LungSegmentationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The air inside of the body that could be lung has `foundML`, less than `leastML`.
    case noLungFound(foundML: Double, leastML: Double)

    public var description: String {
        switch self {
        case .noLungFound(let foundML, let leastML):
            "no lung found: \(Int(foundML.rounded())) ml of air inside the body look like lung where at least "
                + "\(Int(leastML.rounded())) ml are expected; check that the volume is a chest CT in Hounsfield units, "
                + "or give its lung mask by --masks"
        }
    }
}
