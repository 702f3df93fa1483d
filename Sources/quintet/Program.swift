import Coordinator
import Foundation
import Imaging
import ModelCore
import Platform
import Recipes

/// The program: finds the command, runs it, turns what it throws into a message and an exit code.
@main
package struct Program {
    static var commands: [any Command.Type] { [
        DemoCommand.self, PhantomCommand.self, PrepareCommand.self, SamplesCommand.self, TrainCommand.self,
        SegmentCommand.self, EvaluateCommand.self, VoteCommand.self, ApplyCommand.self, ExportCommand.self,
        PackCommand.self, UnpackCommand.self, CoordinatorCommand.self,
        WorkerCommand.self, StatusCommand.self, WatchCommand.self, CancelCommand.self, ForgetCommand.self,
        PauseCommand.self, ResumeCommand.self, PriorityCommand.self, DrainCommand.self, ReadmitCommand.self,
        LabCommand.self, DicomCommand.self, PromoteCommand.self, TokenCommand.self,
        BenchCommand.self, CompletionCommand.self,
        ManCommand.self,
    ] }

    package static func main() {
        StandardStream.occupy()
        StopSignal.install()
        exit(Console.exitCode(run(Array(CommandLine.arguments.dropFirst()))).rawValue)
    }

    static func run(_ words: [String]) -> ExitCode {
        var words = words
        // `help train` is `train --help`, of a recipe as well: `help train --recipe X`.
        if words.count > 1, words[0] == "help" { words = [words[1], "--help"] + words.dropFirst(2) }
        guard let name = words.first, name != "--help", name != "-h", name != "help" else {
            Console.out(Help.overview(syntaxes(.standard), version: Version.text))
            return words.isEmpty ? .usage : .done
        }
        if name == "--version" {
            Console.out("quintet \(Version.build), arithmetic \(ArithmeticVersion.text)")
            return .done
        }
        guard let command = command(named: name, in: .standard) else {
            let suggestion = Spelling.suggestion(for: name, among: syntaxes(.standard).map(\.name))
            Console.error("quintet: there is no command \"\(name)\"\(suggestion); quintet --help lists them")
            return .usage
        }
        let rest = Array(words.dropFirst())
        do {
            let choice = try choice(of: command, rest, in: .standard), syntax = syntax(of: command, choice)
            if rest.contains("--help") || rest.contains("-h") {
                Console.out(Help.command(syntax))
                return .done
            }
            if let kernels = Machine.environment("QUINTET_KERNELS") { try KernelChoice.prefer(kernels) }
            let arguments = try Arguments(rest, syntax: syntax, choice: choice)
            if let text = command.interruption { PromptEnd.arm("quintet \(name): \(text)") }
            return try command.run(arguments)
        } catch let error as UsageError {
            Console.error("quintet \(name): \(error)")
            return .usage
        } catch ModelError.unavailableKernels(let name, let available) {
            Console.error("quintet: QUINTET_KERNELS=\(name): this processor has no such kernels; leave it unset for "
                + "the fastest, or choose one of: \(available.joined(separator: ", "))")
            return .usage
        } catch {
            let isInterrupted = isInterruption(error)
            let text = isInterrupted ? command.interruption : nil
            Console.error("quintet \(name): \(text ?? message(error))")
            return isInterrupted ? .interrupted : .failed
        }
    }

    private static func isInterruption(_ error: Error) -> Bool {
        if case RecipeError.interrupted = error { return true }
        if case ClientError.interrupted = error { return true }
        return error is Interrupted
    }

    /// What people are told: our errors explain themselves.
    static func message(_ error: Error) -> String {
        switch error {
        case RecipeError.inputRefused(let message): return message
        case let error as FileError where error.isDiskFull: return "\(error), then give the same command again"
        case RecipeError.interrupted: return "interrupted; the same command goes on where it stopped"
        default: return "\(error)"
        }
    }
}

// What a command is called and takes, with a recipe.
extension Program {
    /// Under its own name, or the one that a recipe has for it.
    static func command(named name: String, in registry: RecipeRegistry) -> (any Command.Type)? {
        if let command = commands.first(where: { $0.syntax.name == name }) { return command }
        let isOfRecipe = registry.plugIns.contains { $0.sampleGuide?.commandName == name }
        return isOfRecipe || name == SamplesCommand.generalName ? SamplesCommand.self : nil
    }

    static func choice(
        of command: any Command.Type, _ words: [String], in registry: RecipeRegistry
    ) throws -> RecipeChoice {
        guard let command = command as? any RecipeCommand.Type else { return RecipeChoice(registry) }
        return try RecipeChoice(words, source: command.recipeSource, in: registry)
    }

    static func syntax(of command: any Command.Type, _ choice: RecipeChoice) -> CommandSyntax {
        (command as? any RecipeCommand.Type)?.syntax(choice) ?? command.syntax
    }

    /// Of all commands, with the recipe that is used where nobody names one.
    static func syntaxes(_ registry: RecipeRegistry) -> [CommandSyntax] {
        commands.map { syntax(of: $0, RecipeChoice(registry)) }
    }

    /// What `quintet COMMAND WORDS --help` prints.
    /// - Throws: `UsageError`.
    package static func help(_ name: String, _ words: [String], in registry: RecipeRegistry) throws -> String {
        guard let command = command(named: name, in: registry) else {
            throw UsageError("there is no command \"\(name)\"")
        }
        return Help.command(syntax(of: command, try choice(of: command, words, in: registry)))
    }

    /// Parses and does what `quintet COMMAND WORDS` does.
    /// - Throws: what the command throws.
    package static func run(_ name: String, _ words: [String], in registry: RecipeRegistry) throws -> Int32 {
        guard let command = command(named: name, in: registry) else {
            throw UsageError("there is no command \"\(name)\"")
        }
        let choice = try choice(of: command, words, in: registry)
        return try command.run(Arguments(words, syntax: syntax(of: command, choice), choice: choice)).rawValue
    }
}
