import Coordinator
import Foundation
import Imaging
import ModelCore
import Platform
import Recipes

/// The program: finds the command, runs it, turns what it throws into a message and an exit code.
@main
struct Program {
    static var commands: [any Command.Type] { [
        DemoCommand.self, PhantomCommand.self, PrepareCommand.self, LesionsCommand.self, TrainCommand.self,
        SegmentCommand.self, EvaluateCommand.self, VoteCommand.self, ApplyCommand.self, CoordinatorCommand.self,
        WorkerCommand.self, StatusCommand.self, WatchCommand.self, CancelCommand.self, ForgetCommand.self,
        PauseCommand.self, ResumeCommand.self, PriorityCommand.self, DrainCommand.self, ReadmitCommand.self,
        TokenCommand.self, BenchCommand.self, CompletionCommand.self, ManCommand.self,
    ] }

    static func main() {
        StandardStream.occupy()
        StopSignal.install()
        exit(Console.exitCode(run(Array(CommandLine.arguments.dropFirst()))).rawValue)
    }

    static func run(_ words: [String]) -> ExitCode {
        var words = words
        // `help train` is `train --help`.
        if words.count > 1, words[0] == "help" { words = [words[1], "--help"] }
        guard let name = words.first, name != "--help", name != "-h", name != "help" else {
            Console.out(Help.overview(commands.map { $0.syntax }, version: Version.text))
            return words.isEmpty ? .usage : .done
        }
        if name == "--version" {
            Console.out("quintet \(Version.text), arithmetic \(ArithmeticVersion.text)")
            return .done
        }
        guard let command = commands.first(where: { $0.syntax.name == name }) else {
            let suggestion = Spelling.suggestion(for: name, among: commands.map { $0.syntax.name })
            Console.error("quintet: there is no command \"\(name)\"\(suggestion); quintet --help lists them")
            return .usage
        }
        let rest = Array(words.dropFirst())
        if rest.contains("--help") || rest.contains("-h") {
            Console.out(Help.command(command.syntax))
            return .done
        }
        do {
            if let kernels = Machine.environment("QUINTET_KERNELS") { try KernelChoice.prefer(kernels) }
            let arguments = try Arguments(rest, syntax: command.syntax)
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
