import Numerics
import Platform
import Recipes

/// The recipe that a command is used with, of those that there are. Known before the command line is parsed, since the
/// options that it may have are the recipe's.
package struct RecipeChoice {
    package let registry: RecipeRegistry
    package let recipe: any RecipePlugIn

    static let standard = RecipeChoice(.standard)

    /// The one that is used where nobody names another.
    package init(_ registry: RecipeRegistry) { (self.registry, recipe) = (registry, registry.standard) }

    /// A folder that remembers its recipe, as the value of an option.
    enum Source {
        case dataSet(String)
        case run(String)
        case runOrAnswers(run: String, answers: String)

        fileprivate func file(_ words: [String]) -> String? {
            func path(_ option: String, _ name: String) -> String? {
                RecipeChoice.value(of: option, in: words).map { "\($0)/\(name)" }
            }
            switch self {
            case .dataSet(let option): return path(option, DataSetFile.descriptionName)
            case .run(let option): return path(option, RunFolder.descriptionName)
            case .runOrAnswers(let run, let answers):
                return path(run, RunFolder.descriptionName) ?? path(answers, SegmentationFolder.settingsName)
            }
        }
    }

    static let optionName = "--recipe"

    /// `--recipe NAME`
    /// - Parameter otherwise: what is taken where it is not given.
    static func option(_ choice: RecipeChoice, otherwise: String? = nil) -> Option {
        let names = choice.registry.names
        return Option(
            optionName, "NAME", names.count == 1 ? "\(names[0]) is the one there is"
                : names.joined(separator: " or ") + "; default " + (otherwise ?? names[0]))
    }

    /// - Parameter words: the command line behind the command's name.
    /// - Throws: `UsageError` when `--recipe` names none that there is; `CommandError` when a folder does.
    init(_ words: [String], source: Source?, in registry: RecipeRegistry) throws {
        self.registry = registry
        if let name = Self.value(of: Self.optionName, in: words) {
            do {
                recipe = try registry.recipe(named: name)
            } catch RecipeError.inputRefused(let message) {
                throw UsageError(message)
            }
        } else if let file = source?.file(words), let name = Self.recipeName(in: file) {
            recipe = try registry.recipe(named: name, in: file)
        } else {
            recipe = registry.standard
        }
    }

    private static func value(of option: String, in words: [String]) -> String? {
        for (index, word) in words.enumerated() {
            if word.hasPrefix(option + "=") { return String(word.dropFirst(option.count + 1)) }
            if word == option, index + 1 < words.count { return words[index + 1] }
        }
        return nil
    }

    private struct Named: Decodable {
        var recipe: String?
    }

    /// What a description says; nil where it says nothing, or is none: the command that reads it says why.
    static func recipeName(in file: String) -> String? {
        guard let bytes = try? FileSystem.read(file, byteCountMax: 256 << 20) else { return nil }
        return (try? JSONText.decode(Named.self, String(decoding: bytes, as: UTF8.self), what: file))?.recipe
    }
}

extension RecipeRegistry {
    /// - Parameter file: where the name stands.
    /// - Throws: `CommandError` naming the file and those that there are.
    func recipe(named name: String, in file: String) throws -> any RecipePlugIn {
        do {
            return try recipe(named: name.printable(most: 80))
        } catch RecipeError.inputRefused(let message) {
            throw CommandError("\(file): \(message) in this version; take the version that made it")
        }
    }
}
