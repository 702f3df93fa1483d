import Foundation
import Platform
import Recipes

/// A data set's folder, as `quintet prepare` leaves it.
struct DataFolder {
    let path: String
    /// The one that it was prepared for.
    let recipe: any RecipePlugIn
    let dataSet: any RecipeDataSet
    /// Of dataset.json.
    let digest: String

    /// Of `dataset.json`: 100,000 volumes have less.
    private static let descriptionBytesMax = 256 << 20

    /// - Throws: `CommandError` when it is none.
    init(_ path: String, in registry: RecipeRegistry) throws {
        self.path = path
        let file = "\(path)/\(DataSetFile.descriptionName)"
        guard let bytes = try? FileSystem.read(file, byteCountMax: Self.descriptionBytesMax) else {
            throw CommandError("\(file) can't be read; is \(path) a data set? quintet prepare CT... --out \(path) "
                + "makes one")
        }
        try OutputFolder.check(file, remedy: "prepare the CTs again")
        digest = SHA256.hexadecimal(of: bytes)
        recipe = try RecipeChoice.recipeName(in: file).map { try registry.recipe(named: $0, in: file) }
            ?? registry.standard
        dataSet = try recipe.dataSet(json: String(decoding: bytes, as: UTF8.self), file: file)
    }

    /// For a command with this recipe.
    /// - Throws: `CommandError` when it was prepared for another one.
    init(_ path: String, _ choice: RecipeChoice) throws {
        try self.init(path, in: choice.registry)
        guard recipe.name != choice.recipe.name else { return }
        throw CommandError("\(path) was prepared for the recipe \(recipe.name), not for \(choice.recipe.name); leave "
            + "--recipe out, or prepare the CTs with --recipe \(choice.recipe.name) into another folder")
    }

    /// One file of the data set, as a run's input.
    struct File {
        var role: String
        /// As the run's workers know it.
        var label: String
        var path: String
        var digest: String
    }

    /// Every file with its role, in a fixed order, the description first.
    func files() -> [File] {
        let description = DataSetFile(role: "dataset", name: DataSetFile.descriptionName, digest: digest)
        return ([description] + dataSet.files).map {
            File(role: $0.role, label: $0.name, path: "\(path)/\($0.name)", digest: $0.digest)
        }
    }

    /// - Throws: `CommandError` naming the file when it is not the one that was prepared.
    func check(_ file: File, digest: String) throws {
        guard digest != file.digest else { return }
        throw CommandError("\(file.path) has changed since quintet prepare wrote it: "
            + "\(path)/\(DataSetFile.descriptionName) names another digest; put the file back, or prepare the CTs "
            + "again")
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
}
