/// The recipes there are, by name.
///
///     let recipe = try RecipeRegistry.standard.recipe(named: "lung-normnet")
public struct RecipeRegistry: Sendable {
    /// The first one is what commands use that are told of none.
    public let plugIns: [any RecipePlugIn]

    /// All that this program knows: one line for each.
    public static let standard = RecipeRegistry([
        LungPlugIn(),
        LiverPlugIn(),
    ])

    /// - Parameter plugIns: at least one, each of a name of its own.
    package init(_ plugIns: [any RecipePlugIn]) {
        precondition(!plugIns.isEmpty, "a registry has at least one recipe")
        precondition(Set(plugIns.map(\.name)).count == plugIns.count, "two recipes have the same name")
        self.plugIns = plugIns
    }

    public var standard: any RecipePlugIn { plugIns[0] }

    public var names: [String] { plugIns.map(\.name) }

    /// What workers compute, by name; made anew.
    public var recipes: [String: any Recipe] {
        Dictionary(uniqueKeysWithValues: plugIns.map { ($0.name, $0.makeRecipe()) })
    }

    /// - Throws: `RecipeError.inputRefused` naming those that there are.
    public func recipe(named name: String) throws -> any RecipePlugIn {
        if let found = plugIns.first(where: { $0.name == name }) { return found }
        throw RecipeError.inputRefused("there is no recipe \"\(name)\"; "
            + (names.count == 1
                ? "\(names[0]) is the one there is" : "choose one of: \(names.joined(separator: ", "))"))
    }
}
