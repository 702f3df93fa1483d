import Imaging

/// What can be wrong with votes and masks that come from outside.
public enum VotingError: Error, Equatable, Sendable, CustomStringConvertible {
    case noVoters
    /// Voter `index` (from 0) voted on another grid than the first one.
    case shapeMismatch(voter: Int, shape: VolumeShape, expected: VolumeShape)
    /// Two masks, or a mask and its volume, are not on one grid; `what` names the one that differs.
    case gridMismatch(what: String, shape: VolumeShape, expected: VolumeShape)
    /// A serialised mask is not one; the text says in which way.
    case damagedMask(String)

    public var description: String {
        switch self {
        case .noVoters:
            "there is nothing to vote on: give at least one mask"
        case .shapeMismatch(let voter, let shape, let expected):
            "voter \(voter + 1) has a mask of \(shape) voxels where the first has \(expected): "
                + "all votes must be on one grid; make them from the same volume"
        case .gridMismatch(let what, let shape, let expected):
            "\(what) has \(shape) voxels where \(expected) are expected: both must be on one grid"
        case .damagedMask(let reason):
            "not a usable bit mask: \(reason); fetch or make it again"
        }
    }
}
