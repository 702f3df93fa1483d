/// Why the built-in segmenter gave no lung mask.
public enum LungSegmentationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The air inside of the body that could be lung has `foundML`, less than `leastML`.
    case noLungFound(foundML: Double, leastML: Double)
    /// The whole volume is smaller than a lung.
    case tooSmall(volumeML: Double, leastML: Double)
    /// `isCancelled` said so; nothing is wrong with the volume.
    case cancelled

    public var description: String {
        switch self {
        case .noLungFound(let foundML, let leastML):
            "no lung found: \(Int(foundML.rounded())) ml of air inside the body look like lung where at least "
                + "\(Int(leastML.rounded())) ml are expected; check that the volume is a chest CT in Hounsfield units, "
                + "or give its lung mask by --masks"
        case .tooSmall(let volumeML, let leastML):
            "no lung found: the whole volume holds \(volumeML) ml, and lungs at least \(Int(leastML.rounded())) ml; "
                + "check its voxel size, or give its lung mask by --masks"
        case .cancelled: "the search for lungs was cancelled"
        }
    }
}
