import Foundation
import Platform
import Recipes

/// A data set's folder, as `quintet prepare` leaves it.
struct DataFolder {
    let path: String
    let manifest: DataSetManifest
    /// Of dataset.json.
    let digest: String

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
        try OutputFolder.check(file, remedy: "prepare the CTs again")
        digest = SHA256.hexadecimal(of: bytes)
        manifest = try JSONText.decode(DataSetManifest.self, String(decoding: bytes, as: UTF8.self), what: file)
        try manifest.validate()
    }

    /// One file of the data set, as a run's input.
    struct File {
        var role: String
        /// As the run's workers know it.
        var label: String
        var path: String
        /// What dataset.json says of it; nil for itself.
        var digest: String?
    }

    /// Every file with its role, in a fixed order.
    func files() -> [File] {
        let name = DataSetManifest.fileName
        return [File(role: "dataset", label: name, path: "\(path)/\(name)", digest: digest)]
            + manifest.volumes.flatMap { entry in
                [
                    File(
                        role: "image", label: entry.imageName, path: "\(path)/\(entry.imageName)",
                        digest: entry.imageDigest),
                    File(
                        role: "lung", label: entry.lungName, path: "\(path)/\(entry.lungName)",
                        digest: entry.lungDigest),
                ]
            }
    }

    /// - Throws: `CommandError` naming the file when it is not the one that was prepared.
    func check(_ file: File, digest: String) throws {
        guard digest != file.digest else { return }
        throw CommandError("\(file.path) has changed since quintet prepare wrote it: "
            + "\(path)/\(DataSetManifest.fileName) names another digest; put the file back, or prepare the CTs again")
    }

    /// The files, each read and found to be what was prepared.
    func checkedInputs() throws -> [RecipeInput] {
        try files().map { file in
            guard FileSystem.exists(file.path) else {
                throw CommandError("\(file.path) is missing; prepare the CTs again")
            }
            try check(file, digest: Hexadecimal.text(try SHA256.digest(ofFile: file.path)))
            return RecipeInput(role: file.role, name: file.label, path: file.path)
        }
    }

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
