import Recipes

/// One subcommand: how it is called and what it does.
protocol Command {
    static var syntax: CommandSyntax { get }
    /// - Returns: the exit code; errors are thrown and become 1, or 2 for `UsageError`.
    static func run(_ arguments: Arguments) throws -> ExitCode
    /// What is true when the command was stopped on request; nil for those that take their leave and say it themselves.
    static var interruption: String? { get }
}

extension Command {
    static var interruption: String? { "interrupted" }
}

/// A subcommand whose options, words and work are a recipe's.
protocol RecipeCommand: Command {
    /// Which folder says the recipe where `--recipe` does not.
    static var recipeSource: RecipeChoice.Source? { get }
    static func syntax(_ choice: RecipeChoice) -> CommandSyntax
}

extension RecipeCommand {
    static var recipeSource: RecipeChoice.Source? { nil }
    /// With the recipe that is used where nobody names one.
    static var syntax: CommandSyntax { syntax(.standard) }
}

/// What scripts can trust.
enum ExitCode: Int32 {
    case done = 0
    case failed = 1
    case usage = 2
    /// Done, but some inputs were refused; each was named.
    case doneWithRefusals = 3
    /// Stopped on request before the end, by Ctrl-C, SIGTERM or SIGHUP. Coordinator and worker, which run until they
    /// are stopped, end with 0.
    case interrupted = 130
}

/// A command that was stopped on request; the description says what is true now.
struct Interrupted: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
