import Recipes

/// `quintet completion`
enum CompletionCommand: Command {
    static let syntax = CommandSyntax(
        "completion", "Print what a shell needs to complete commands and options.", positional: "bash|zsh|fish",
        options: [],
        details: """
            Made from what --help says. make install puts it where the shells look for it.

            example: source <(quintet completion bash)
            """)

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let commands = Program.commands.map { $0.syntax }
        switch arguments.positional.joined(separator: " ") {
        case "bash": Console.out(bash(commands))
        case "zsh": Console.out("autoload -U +X bashcompinit && bashcompinit\n" + bash(commands))
        case "fish": Console.out(fish(commands))
        default: throw UsageError("which shell? quintet completion bash, zsh or fish")
        }
        return .done
    }

    /// Options where a word begins with a dash; files otherwise, which most values are.
    private static func bash(_ commands: [CommandSyntax]) -> String {
        let cases = commands.map { command in
            "        \(command.name)) options=\"\(command.options.map(\.name).joined(separator: " ")) --help\" ;;"
        }
        return """
            _quintet() {
                local word=${COMP_WORDS[COMP_CWORD]} options=
                if [ "$COMP_CWORD" = 1 ]; then
                    COMPREPLY=($(compgen -W "\(commands.map(\.name).joined(separator: " ")) help" -- "$word"))
                    return
                fi
                case ${COMP_WORDS[1]} in
            \(cases.joined(separator: "\n"))
                esac
                case $word in
                    -*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
                    *) COMPREPLY=($(compgen -f -- "$word")) ;;
                esac
            }
            complete -o filenames -F _quintet quintet
            """
    }

    private static func fish(_ commands: [CommandSyntax]) -> String {
        func quoted(_ text: String) -> String {
            "'" + text.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
        }
        return commands.flatMap { command in
            ["complete -c quintet -n __fish_use_subcommand -a \(command.name) -d \(quoted(command.summary))"]
                + command.options.map { option in
                    "complete -c quintet -n '__fish_seen_subcommand_from \(command.name)' "
                        + "-l \(option.name.dropFirst(2))"
                        + (option.value == nil ? "" : " -r") + " -d \(quoted(option.help))"
                }
        }.joined(separator: "\n")
    }
}

/// `quintet man`
enum ManCommand: Command {
    static let syntax = CommandSyntax(
        "man", "Print a command's manual page.", positional: "[COMMAND]", options: [],
        details: """
            Made from what --help says; without COMMAND the page of quintet itself. make install puts all pages where
            man looks for them.

            example: quintet man train | man -l -
            """)

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let commands = Program.commands.map { $0.syntax }
        guard let name = arguments.positional.first else {
            Console.out(overview(commands))
            return .done
        }
        guard let command = commands.first(where: { $0.name == name }) else {
            throw UsageError("there is no command \"\(name)\""
                + Spelling.suggestion(for: name, among: commands.map(\.name)))
        }
        Console.out(page(command))
        return .done
    }

    /// A line that begins with a dot or a quote would be taken for an instruction.
    private static func roff(_ text: String) -> String {
        text.replacing("\\", with: "\\e").replacing("-", with: "\\-")
            .split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.hasPrefix(".") || $0.hasPrefix("'") ? "\\&" + $0 : String($0) }.joined(separator: "\n")
    }

    private static func head(_ name: String, _ summary: String, _ usage: String) -> String {
        """
        .TH \(name.uppercased()) 1 "" "quintet \(Version.text)" "Quintet"
        .SH NAME
        \(roff(name)) \\- \(roff(summary))
        .SH SYNOPSIS
        .nf
        \(roff(usage))
        .fi
        """
    }

    private static func page(_ command: CommandSyntax) -> String {
        var lines = [head("quintet-" + command.name, command.summary, Help.usage(command)), ".SH DESCRIPTION", ".nf"]
        lines += [roff(command.details), ".fi", ".SH OPTIONS"]
        for option in command.options { lines += [".TP", ".B \(roff(option.usage))", roff(Help.help(option))] }
        return lines.joined(separator: "\n")
    }

    private static func overview(_ commands: [CommandSyntax]) -> String {
        var lines = [head(
            "quintet", "trains ensembles of segmentation networks and takes their majority vote",
            "quintet COMMAND [options]"), ".SH COMMANDS"]
        for command in commands { lines += [".TP", ".B \(roff(command.name))", roff(command.summary)] }
        return lines.joined(separator: "\n")
    }
}
