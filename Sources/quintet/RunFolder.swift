import Foundation
import Platform
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
        try description.configuration.validate()
        guard description.configuration.healthyThreshold != nil, (1...256).contains(description.replicaCount) else {
            throw CommandError("\(file) has no healthy threshold or no replicas; train the run again")
        }
    }

    var configuration: LungRunConfiguration { description.configuration }
    var replicaPaths: [String] { (0..<description.replicaCount).map { Self.replicaPath(path, $0) } }
}
