import Foundation
import Platform
import Recipes

/// What a RUN folder was asked for, noted there before the first step, so that a later command with other settings is
/// told so instead of finishing, or replacing, what was asked for first.
struct TrainingRequest: Codable, Equatable {
    var format = 1
    var recipe: String
    var seed: UInt64
    var replicaCount: Int
    /// The recipe's settings.
    var configuration: JSONValue
    /// Of dataset.json, which names every file's digest.
    var dataSetDigest: String

    static let fileName = ".quintet-request.json"
    private static let byteCountMax = 4 << 20

    init(
        recipe: String, seed: UInt64, replicaCount: Int, settings: any RunSettings, dataSetDigest: String
    ) {
        self.recipe = recipe
        self.seed = seed
        self.replicaCount = replicaCount
        configuration = settings.value
        self.dataSetDigest = dataSetDigest
    }

    /// Of earlier programs, which wrote no format: the first one.
    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        format = try values.decodeIfPresent(Int.self, forKey: .format) ?? 1
        recipe = try values.decode(String.self, forKey: .recipe)
        seed = try values.decode(UInt64.self, forKey: .seed)
        replicaCount = try values.decode(Int.self, forKey: .replicaCount)
        configuration = try values.decode(JSONValue.self, forKey: .configuration)
        dataSetDigest = try values.decode(String.self, forKey: .dataSetDigest)
    }

    /// What a finished run was asked for.
    init(_ finished: RunFolder) {
        self.init(
            recipe: finished.description.recipe, seed: finished.description.seed,
            replicaCount: finished.description.replicaCount, settings: finished.settings.asked,
            dataSetDigest: finished.description.dataSetDigest)
    }

    /// nil when the folder has none.
    init?(of folder: String) throws {
        let path = "\(folder)/\(Self.fileName)"
        guard FileSystem.exists(path) else { return nil }
        let bytes = try FileSystem.read(path, byteCountMax: Self.byteCountMax)
        self = try JSONText.decode(Self.self, String(decoding: bytes, as: UTF8.self), what: path)
    }

    /// "seed 1 -> 2, configuration.preset.batch 4 -> 8"
    func differences(to other: TrainingRequest) -> String {
        SettingsComparison.differences(from: self, to: other)
            .map { $0.replacing("configuration.preset.", with: "").replacing("configuration.", with: "") }
            .reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }.joined(separator: ", ")
    }
}

/// What is to be done with a RUN folder, decided before anything is written there.
enum RunState {
    /// Nothing is there, or an interrupted run of these very settings.
    case toTrain
    /// These very settings have been trained.
    case finished(RunFolder)

    /// - Parameters:
    ///   - request: what is asked for now.
    ///   - isExtension: with more iterations than the finished run that is there.
    ///   - mayOverwrite: `--overwrite`.
    /// - Throws: `CommandError`: the folder is no run, or one of other settings.
    init(
        of folder: String, request: TrainingRequest, isExtension: Bool, mayOverwrite: Bool, choice: RecipeChoice
    ) throws {
        self = .toTrain
        guard FileSystem.exists(folder) else { return }
        guard FileSystem.isFolder(folder) else { throw CommandError("\(folder) is a file; name the run's folder") }
        if FileSystem.exists(RunFolder.descriptionPath(folder)) {
            let finished = try RunFolder(folder, in: choice.registry), asked = TrainingRequest(finished)
            if asked == request {
                self = .finished(finished)
                return
            } else if !isExtension, !mayOverwrite {
                throw CommandError("\(folder) is a finished run with other settings ("
                    + "\(asked.differences(to: request))); name another folder, say --extend N for more iterations of "
                    + "the same, or --overwrite to replace it")
            }
        }
        let interrupted = try TrainingRequest(of: folder)
        if let interrupted, interrupted != request, !mayOverwrite, !Self.isFinished(interrupted, folder, choice) {
            throw CommandError("\(folder) holds a training that was interrupted, with other settings ("
                + "\(interrupted.differences(to: request))); the settings of then go on with it, --overwrite gives it "
                + "up, another folder leaves it")
        }
        let isKnown = interrupted != nil || FileSystem.exists(RunFolder.descriptionPath(folder))
        let strangers = try FileSystem.list(folder).filter {
            !$0.hasPrefix(".") && !RunFolder.isOwn($0, of: choice.recipe)
        }
        if FileSystem.exists("\(folder)/\(DataSetFile.descriptionName)") {
            throw CommandError("\(folder) is a data set, no run; name another folder for --run")
        }
        guard isKnown || strangers.isEmpty else {
            throw CommandError("\(folder) is no run: it holds \(OutputFolder.list(strangers)); name a new folder")
        }
    }

    /// Whether what was asked for has been trained since.
    private static func isFinished(_ request: TrainingRequest, _ folder: String, _ choice: RecipeChoice) -> Bool {
        (try? RunFolder(folder, in: choice.registry)).map { TrainingRequest($0) == request } ?? false
    }
}

extension RunSettings {
    /// As descriptions have them.
    var value: JSONValue {
        // A recipe's settings are JSON.
        (try? JSONText.decode(JSONValue.self, json(), what: "settings")) ?? .null
    }
}
