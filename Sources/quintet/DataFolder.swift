import Foundation
import Platform
import Recipes

/// A data set's folder, as `quintet prepare` leaves it.
struct DataFolder {
    let path: String
    let manifest: DataSetManifest

    /// Of `dataset.json`: 100,000 volumes have less.
    private static let descriptionBytesMax = 256 << 20

    /// - Throws: `CommandError` when it is none.
    init(_ path: String) throws {
        self.path = path
        let file = "\(path)/\(DataSetManifest.fileName)"
        guard let bytes = try? FileSystem.read(file, byteCountMax: Self.descriptionBytesMax) else {
            throw CommandError("\(file) can't be read; is \(path) a data set? quintet prepare CT... --out \(path) "
                + "makes one")
        }
        manifest = try JSONText.decode(DataSetManifest.self, String(decoding: bytes, as: UTF8.self), what: file)
        try manifest.validate()
    }

    /// Every file with its role, in a fixed order, as a run's inputs.
    func files() -> [(role: String, name: String, path: String)] {
        [("dataset", DataSetManifest.fileName, "\(path)/\(DataSetManifest.fileName)")]
            + manifest.volumes.flatMap { entry in
                [
                    ("image", entry.imageName, "\(path)/\(entry.imageName)"),
                    ("lung", entry.lungName, "\(path)/\(entry.lungName)"),
                ]
            }
    }

    func inputs() -> [RecipeInput] { files().map { RecipeInput(role: $0.role, name: $0.name, path: $0.path) } }

    /// The preset to train with: the one the data set was prepared for, or another on the same grid.
    func preset(_ arguments: Arguments) throws -> Preset {
        var preset = try PresetOptions.preset(arguments, default: manifest.presetName)
        if arguments.text("--preset") == nil || arguments.text("--preset") == manifest.presetName {
            // Overrides given to prepare stay in force.
            (preset.spacing, preset.tau) = (manifest.spacing, manifest.tau)
        }
        guard preset.spacing == manifest.spacing, preset.tau == manifest.tau else {
            throw CommandError("\(path) was prepared for preset \(manifest.presetName) (\(manifest.spacing.text)), "
                + "not for \(preset.name) (\(preset.spacing.text)); prepare the CTs again with --preset \(preset.name)")
        }
        return preset
    }
}
