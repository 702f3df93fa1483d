import Coordinator
import Protocol
import Recipes

/// A run's number on the command line.
enum RunArgument {
    static func run(_ arguments: Arguments, _ command: String) throws -> RunID {
        guard arguments.positional.count == 1, let number = UInt64(arguments.positional[0]) else {
            throw UsageError("which run? quintet \(command) RUN --coordinator HOST:PORT")
        }
        return RunID(number)
    }
}

/// `quintet cancel`
enum CancelCommand: Command {
    static let syntax = CommandSyntax(
        "cancel", "End a run; what it has made is kept.", positional: "RUN",
        options: ClusterOptions.client,
        details: "RUN is the number that quintet status shows. Submitting the same run again goes on with it.")

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let run = try RunArgument.run(arguments, syntax.name)
        let client = try ClientAccess.client(arguments)
        if let state = try client.status(of: run).runs.first?.state, state != "running" {
            Console.out("\(run) had already \(state == "cancelled" ? "been cancelled" : "ended")")
            return .done
        }
        try client.cancel(run)
        Console.out("\(run) is cancelled")
        return .done
    }
}

/// `quintet forget`
enum ForgetCommand: Command {
    static let syntax = CommandSyntax(
        "forget", "Remove a run that has ended, and all that was kept for it.", positional: "RUN",
        options: ClusterOptions.client,
        details: """
            What other runs use stays, what was fetched into folders stays, and the history still tells of it. A run
            that goes on is cancelled first: quintet cancel RUN. `quintet coordinator --keep-days N` does it by itself.
            """)

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let run = try RunArgument.run(arguments, syntax.name)
        try ClientAccess.client(arguments).forget(run)
        Console.out("\(run) is forgotten")
        return .done
    }
}

/// `quintet pause`
enum PauseCommand: Command {
    static let syntax = CommandSyntax(
        "pause", "Hold a run back until it is resumed.", positional: "RUN",
        options: ClusterOptions.client,
        details: """
            It gets no new work. What is under way ends: a training hands back at its next checkpoint, where it goes on
            later; a volume is finished. A paused run stays paused when the coordinator starts again.
            """)

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let run = try RunArgument.run(arguments, syntax.name)
        try ClientAccess.client(arguments).pause(run)
        Console.out("\(run) is paused; it goes on with quintet resume \(run.value)")
        return .done
    }
}

/// `quintet resume`
enum ResumeCommand: Command {
    static let syntax = CommandSyntax(
        "resume", "Let a paused run go on.", positional: "RUN", options: ClusterOptions.client,
        details: "Trainings go on from their last checkpoints.")

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let run = try RunArgument.run(arguments, syntax.name)
        try ClientAccess.client(arguments).resume(run)
        Console.out("\(run) goes on")
        return .done
    }
}

/// `quintet priority`
enum PriorityCommand: Command {
    static let syntax = CommandSyntax(
        "priority", "Let a run go before others, or after them.", positional: "RUN N",
        options: ClusterOptions.client,
        details: """
            Runs of a higher N go first, of the same N the older ones. A run begins with 0; negative numbers are
            possible. What is under way is not interrupted: see quintet pause.

            example: quintet priority 7 10 --coordinator lab3:7311
            """)

    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard arguments.positional.count == 2, let number = UInt64(arguments.positional[0]),
            let priority = Int32(arguments.positional[1])
        else { throw UsageError("quintet priority RUN N --coordinator HOST:PORT; N is a whole number") }
        try ClientAccess.client(arguments).prioritise(RunID(number), priority: priority)
        Console.out("run \(number) has priority \(priority)")
        return .done
    }
}

/// `quintet readmit`
enum ReadmitCommand: Command {
    static let syntax = CommandSyntax(
        "readmit", "Give a machine work again that was set aside for wrong results.", positional: "MACHINE",
        options: ClusterOptions.client,
        details: """
            A machine is set aside when it gets other bytes than two others for the same work (train and segment
            --verify). quintet status names it and says why. Test its memory first.

            example: quintet readmit lab3 --coordinator lab1:7311
            """)

    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard arguments.positional.count == 1 else {
            throw UsageError("which machine? quintet readmit MACHINE --coordinator HOST:PORT")
        }
        try ClientAccess.client(arguments).readmit(machine: arguments.positional[0])
        Console.out("\(arguments.positional[0]) gets work again")
        return .done
    }
}

/// `quintet drain`
enum DrainCommand: Command {
    static let syntax = CommandSyntax(
        "drain", "Tell workers to hand their work back and to leave.", positional: "WORKER",
        options: ClusterOptions.client,
        details: """
            WORKER is a name that quintet status shows, with or without the random part behind the dash; or a machine's,
            for all workers there. They leave within 10 s, as after SIGTERM, and nothing is lost.

            example: quintet drain lab3 --coordinator lab1:7311
            """)

    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard arguments.positional.count == 1 else {
            throw UsageError("which worker? quintet drain WORKER --coordinator HOST:PORT")
        }
        try ClientAccess.client(arguments).drain(worker: arguments.positional[0])
        Console.out("\(arguments.positional[0]) is asked to leave")
        return .done
    }
}
