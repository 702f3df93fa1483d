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
        /// The recipe's settings.
        var configuration: JSONValue
        /// Digest of the data set's description, and of each replica's file.
        var dataSetDigest: String
        var replicaDigests: [String]
        /// Of the other weights that the recipe leaves, by file name; absent where it has one network a replica.
        var otherDigests: [String: String]?
        /// Scores by setting that was tried, from the calibration.
        var calibration: [String: Double]
        /// CTs of the data set; absent in runs of earlier versions.
        var volumeCount: Int?
        /// How the workers computed that trained it: the digest of their proof (`quintet --version` says its number).
        /// Absent in runs of earlier versions.
        var arithmetic: String?
    }

    let path: String
    let description: Description
    let recipe: any RecipePlugIn
    let settings: any RunSettings

    static let descriptionBytesMax = 4 << 20

    static let descriptionName = "run.json"
    /// Weights of a replica.
    static func name(_ weights: WeightsFile, _ replica: Int) -> String {
        "\(weights.stem)-\(replica).safetensors"
    }
    /// Weights and optimiser at the end, for `--extend`.
    static func stateName(_ weights: WeightsFile, _ replica: Int) -> String {
        ".quintet-states/" + name(weights, replica)
    }
    /// Whether a file of this name is one that a run has.
    static func isOwn(_ name: String, of recipe: any RecipePlugIn) -> Bool {
        [descriptionName, "metrics.csv", "report.html"].contains(name)
            || name.hasSuffix(".safetensors")
                && recipe.trainingGuide.weights.contains { name.hasPrefix($0.stem + "-") }
    }
    static func descriptionPath(_ path: String) -> String { "\(path)/\(descriptionName)" }

    /// - Throws: `CommandError` when it is no finished run.
    init(_ path: String, in registry: RecipeRegistry) throws {
        let file = Self.descriptionPath(path)
        guard let bytes = try? FileSystem.read(file, byteCountMax: Self.descriptionBytesMax) else {
            throw CommandError("\(file) can't be read; is \(path) a finished run? quintet train --run \(path) "
                + "makes one, and goes on with one that was interrupted")
        }
        try OutputFolder.check(file, remedy: "train the run again (--overwrite)")
        try self.init(path, description: bytes, named: file, in: registry)
    }

    /// - Parameters:
    ///   - bytes: of run.json.
    ///   - file: names it in errors.
    /// - Throws: `CommandError` when it describes no finished run.
    init(_ path: String, description bytes: [UInt8], named file: String, in registry: RecipeRegistry) throws {
        self.path = path
        description = try JSONText.decode(Description.self, String(decoding: bytes, as: UTF8.self), what: file)
        guard description.format == 1 else {
            throw CommandError("\(file) has the format \(description.format), of a later quintet; use that one")
        }
        recipe = try registry.recipe(named: description.recipe, in: file)
        do {
            settings = try recipe.settings(json: description.configuration.json)
        } catch RecipeError.inputRefused(let problem) {
            throw CommandError("\(file): \(problem)")
        }
        let replicaCounts = 1...Limits.replicasMax
        guard replicaCounts.contains(description.replicaCount),
            description.replicaDigests.count == description.replicaCount
        else {
            throw CommandError("\(file) has not 1 to \(Limits.replicasMax) replicas with their digests; train the run "
                + "again")
        }
        if let missing = settings.missing { throw CommandError("\(file) has \(missing); train the run again") }
    }

    /// One file of weights, and what run.json says of it.
    struct Replica {
        var weights: WeightsFile
        var number: Int
        var path: String
        /// nil where run.json does not name it.
        var digest: String?
    }

    /// What a run is known by where one number has to do: the SHA-256 of run.json, which names its weights' digests.
    func digest() throws -> String { Hexadecimal.text(try SHA256.digest(ofFile: Self.descriptionPath(path))) }

    /// Settings to answer with; masks say in their headers which run of which version made them.
    /// - Throws: `UsageError` naming the option.
    func answering(
        _ values: OptionValues, memberAnswers: Bool, reading: ReadingOptions?
    ) throws -> any RunSettings {
        try settings.answering(values, memberAnswers: memberAnswers, reading: reading)
            .describingMasks("quintet \(Version.text), run \(try digest().prefix(16))")
    }

    /// Every file of weights; those that the run is known by last.
    var replicas: [Replica] {
        let all = recipe.trainingGuide.weights
        return all.indices.flatMap { index in
            (0..<description.replicaCount).map { number in
                let name = Self.name(all[index], number)
                return Replica(
                    weights: all[index], number: number, path: "\(path)/\(name)",
                    digest: index == all.count - 1
                        ? description.replicaDigests[number] : description.otherDigests?[name])
            }
        }
    }

    var replicaPaths: [String] { replicas.map(\.path) }

    /// - Throws: `CommandError` naming a replica that is not the file that run.json names.
    func checkReplicas() throws {
        for replica in replicas {
            let isThere = FileSystem.exists(replica.path)
            try check(replica, digest: isThere ? Hexadecimal.text(try SHA256.digest(ofFile: replica.path)) : "nothing")
        }
    }

    /// - Parameter digest: of the file that lies there.
    func check(_ replica: Replica, digest: String) throws {
        guard digest != replica.digest else { return }
        throw CommandError("\(replica.path) is not the file that \(Self.descriptionPath(path)) "
            + "names: it is missing, or was changed or swapped since it was trained; put it back, or train the run "
            + "again (--overwrite)")
    }
}
