import Foundation
import Platform
import Protocol
import Recipes

/// A run's folder, as `quintet train` leaves it (docs/ARCHITECTURE.md).
struct RunFolder {
    /// `run.json`: what was run, in words that a later version can read.
    struct Description: Codable {
        var format = 1
        var recipe: String
        var version: String
        var seed: UInt64
        var replicaCount: Int
        var configuration: LungRunConfiguration
        /// Digest of the data set's description, and of each replica's file.
        var dataSetDigest: String
        var replicaDigests: [String]
        /// Dice on generator lesions by threshold, from the calibration.
        var calibration: [String: Double]
        /// How the workers computed that trained it: the digest of their proof (`quintet --version` says its number).
        /// Absent in runs of earlier versions.
        var arithmetic: String?
    }

    let path: String
    let description: Description

    private static let descriptionBytesMax = 4 << 20

    static let descriptionName = "run.json"
    static func replicaName(_ replica: Int) -> String { "replica-\(replica).safetensors" }
    /// Weights and optimiser at the end, for `--extend`.
    static func stateName(_ replica: Int) -> String { ".quintet-states/replica-\(replica).safetensors" }
    /// Whether a file of this name is one that a run has.
    static func isOwn(_ name: String) -> Bool {
        [descriptionName, "metrics.csv", "report.html"].contains(name)
            || name.hasPrefix("replica-") && name.hasSuffix(".safetensors")
    }
    static func descriptionPath(_ path: String) -> String { "\(path)/\(descriptionName)" }
    static func replicaPath(_ path: String, _ replica: Int) -> String { "\(path)/" + replicaName(replica) }

    /// - Throws: `CommandError` when it is no finished run.
    init(_ path: String) throws {
        self.path = path
        let file = Self.descriptionPath(path)
        guard let bytes = try? FileSystem.read(file, byteCountMax: Self.descriptionBytesMax) else {
            throw CommandError("\(file) can't be read; is \(path) a finished run? quintet train --run \(path) "
                + "makes one, and goes on with one that was interrupted")
        }
        try OutputFolder.check(file, remedy: "train the run again (--overwrite)")
        description = try JSONText.decode(Description.self, String(decoding: bytes, as: UTF8.self), what: file)
        do {
            try description.configuration.validate()
        } catch RecipeError.inputRefused(let problem) {
            throw CommandError("\(file): \(problem)")
        }
        let replicaCounts = 1...Limits.replicasMax
        guard description.configuration.healthyThreshold != nil, replicaCounts.contains(description.replicaCount),
            description.replicaDigests.count == description.replicaCount
        else {
            throw CommandError("\(file) has no healthy threshold, or not 1 to \(Limits.replicasMax) replicas with "
                + "their digests; train the run again")
        }
    }

    var configuration: LungRunConfiguration { description.configuration }
    var replicaPaths: [String] { (0..<description.replicaCount).map { Self.replicaPath(path, $0) } }

    /// - Throws: `CommandError` naming a replica that is not the file that run.json names.
    func checkReplicas() throws {
        for (replica, path) in replicaPaths.enumerated() {
            let digest = FileSystem.exists(path) ? Hexadecimal.text(try SHA256.digest(ofFile: path)) : "nothing"
            try checkReplica(replica, digest: digest)
        }
    }

    /// - Parameter digest: of the file that lies there.
    func checkReplica(_ replica: Int, digest: String) throws {
        guard digest != description.replicaDigests[replica] else { return }
        throw CommandError("\(Self.replicaPath(path, replica)) is not the file that \(Self.descriptionPath(path)) "
            + "names: it is missing, or was changed or swapped since it was trained; put it back, or train the run "
            + "again (--overwrite)")
    }
}

extension LungRunConfiguration {
    /// The same with more iterations, and a threshold to be calibrated again.
    /// - Throws: `CommandError` when there are no more of them.
    func extended(to count: Int, run: String) throws -> LungRunConfiguration {
        guard count >= iterations else {
            throw CommandError("\(run) has \(iterations) iterations already; --extend takes a number above that")
        }
        var result = self
        (result.iterations, result.preset.iterations) = (count, count)
        result.healthyThreshold = preset.healthyThreshold
        return result
    }
}
