/// Why the built-in segmenter gave no lung mask.
public enum LungSegmentationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The air inside of the body that could be lung has `foundML`, less than `leastML`; what looks like lung, but is
    /// open to the sides or to the air around the body, has `openML`.
    case noLungFound(foundML: Double, leastML: Double, openML: Double)
    /// The whole volume is smaller than a lung.
    case tooSmall(volumeML: Double, leastML: Double)
    /// `isCancelled` said so; nothing is wrong with the volume.
    case cancelled

    public var description: String {
        switch self {
        case .noLungFound(let foundML, let leastML, let openML):
            "no lung found: \(Int(foundML.rounded())) ml of air inside the body look like lung where at least "
                + "\(Int(leastML.rounded())) ml are expected; " + (openML < leastML
                ? "check that the volume is a chest CT in Hounsfield units, or give its lung mask by --masks"
                : "\(Int(openML.rounded())) ml that look like lung are open to the sides of the volume, or to the air "
                    + "around the body, as where the field of view cuts through the lungs or the scan goes up to the "
                    + "mouth: give the lung mask by --masks, or crop the volume to the chest")
        case .tooSmall(let volumeML, let leastML):
            "no lung found: the whole volume holds \(volumeML) ml, and lungs at least \(Int(leastML.rounded())) ml; "
                + "check its voxel size, or give its lung mask by --masks"
        case .cancelled: "the search for lungs was cancelled"
        }
    }
}
