import Foundation
import Protocol

/// What `quintet segment --out DIR` leaves:
///
///     DIR/NAME.nii.gz                       the answer: the vote's lesions, grown
///     DIR/without-growing/NAME.nii.gz       the same before growing
///     DIR/replica-0/NAME.nii.gz ...         each replica's own, with --members
///     DIR/replica-0/without-growing/...
///     DIR/lungs/NAME.nii.gz                 the lung masks that were given or made
///     DIR/results.csv                       figures for every volume
struct SegmentationFolder {
    let path: String

    init(_ path: String) { self.path = path }

    var resultsPath: String { path + "/results.csv" }

    /// - Parameter answer: "vote", "replica-0", ...
    func mask(_ name: String, answer: String, isGrown: Bool) -> String {
        let folder = (answer == "vote" ? path : "\(path)/\(answer)") + (isGrown ? "" : "/without-growing")
        return "\(folder)/\(name).nii.gz"
    }

    func lungPath(_ name: String) -> String { "\(path)/lungs/\(name).nii.gz" }

    /// nil when it is not there.
    func lung(_ name: String) -> String? { existing(lungPath(name)) }

    /// The answers that are there: replicas first, then the vote.
    func answers(for name: String) -> [(name: String, grown: String?, withoutGrowing: String?)] {
        var kinds = (0..<Limits.replicasMax).map { "replica-\($0)" }.filter {
            FileManager.default.fileExists(atPath: "\(path)/\($0)")
        }
        kinds.append("vote")
        return kinds.map { kind in
            (
                kind, existing(mask(name, answer: kind, isGrown: true)),
                existing(mask(name, answer: kind, isGrown: false))
            )
        }
    }

    private func existing(_ path: String) -> String? {
        FileManager.default.fileExists(atPath: path) ? path : nil
    }
}
