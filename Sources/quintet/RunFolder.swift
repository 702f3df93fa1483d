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
    }

    let path: String
    let description: Description

    private static let descriptionBytesMax = 4 << 20

    static func descriptionPath(_ path: String) -> String { "\(path)/run.json" }
    static func replicaPath(_ path: String, _ replica: Int) -> String { "\(path)/replica-\(replica).safetensors" }

    /// - Throws: `CommandError` when it is no finished run.
    init(_ path: String) throws {
        self.path = path
        let file = Self.descriptionPath(path)
        guard let bytes = try? FileSystem.read(file, byteCountMax: Self.descriptionBytesMax) else {
            throw CommandError("\(file) can't be read; is \(path) a finished run? quintet train --run \(path) "
                + "makes one, and goes on with one that was interrupted")
        }
        description = try JSONText.decode(Description.self, String(decoding: bytes, as: UTF8.self), what: file)
        do {
            try description.configuration.validate()
        } catch RecipeError.inputRefused(let problem) {
            throw CommandError("\(file): \(problem)")
        }
        let replicaCounts = 1...Limits.replicasMax
        guard description.configuration.healthyThreshold != nil, replicaCounts.contains(description.replicaCount)
        else {
            throw CommandError("\(file) has no healthy threshold or not 1 to \(Limits.replicasMax) replicas; train the "
                + "run again")
        }
    }

    var configuration: LungRunConfiguration { description.configuration }
    var replicaPaths: [String] { (0..<description.replicaCount).map { Self.replicaPath(path, $0) } }
}
