import Numerics
import Platform
import Recipes

/// `quintet lab start`
enum LabStart {
    static func run(_ lab: Lab, _ hands: LabHands, _ arguments: Arguments) throws -> ExitCode {
        try lab.finish(lab.each { try start($0, lab, hands) }, arguments)
    }

    private static func start(_ host: LabHost, _ lab: Lab, _ hands: LabHands) throws -> String {
        switch try hands.decide(host, mayReplace: false) {
        case .launch(let copies, let numbers):
            if lab.isDryRun {
                return (copies ? "would copy the program, \(hands.supply.size), and " : "would ")
                    + "start \(LabWords.workers(numbers))"
            }
            if copies { try hands.copy(to: host) }
            return try hands.launch(host, isStoppable: true)
        case .nothing, .replace, .refuse: return "runs already"
        }
    }
}

/// `quintet lab update`: the program goes to all at once, which disturbs nobody; then one machine after the other.
enum LabUpdate {
    static func run(_ lab: Lab, _ hands: LabHands, _ arguments: Arguments) throws -> ExitCode {
        let decisions = Guarded<[String: LabDecision]>([:])
        var outcomes = lab.each { host in
            let decision = try hands.decide(host, mayReplace: true)
            decisions.withLock { $0[host.name] = decision }
            return try prepare(host, decision, lab, hands)
        }
        guard !lab.isDryRun else { return try lab.finish(outcomes, arguments) }
        var hasFailed = false
        for (index, host) in lab.hosts.enumerated() where outcomes[index].outcome == .done {
            let decision = decisions.withLock { $0[host.name]! }
            guard decision != .nothing else { continue }
            guard !hasFailed, !StopSignal.isRequested else {
                let reason = hasFailed ? "an update before it failed" : "interrupted before its turn"
                outcomes[index] = LabOutcome(host: host.machine, outcome: .untouched, message: reason)
                continue
            }
            // Once its workers are asked to leave, others come: Ctrl-C is heard behind that.
            outcomes[index] = lab.outcome(host) {
                if case .replace = decision {
                    lab.say(host, "its workers hand back their work")
                    _ = try lab.stop(host, isStoppable: false)
                }
                return try hands.launch(host, isStoppable: false)
            }
            hasFailed = outcomes[index].outcome != .done
        }
        return try lab.finish(outcomes, arguments, code: hasFailed ? .failed : nil)
    }

    private static func prepare(
        _ host: LabHost, _ decision: LabDecision, _ lab: Lab, _ hands: LabHands
    ) throws -> String {
        let copies: Bool, what: String
        switch decision {
        case .nothing, .refuse: return "is up to date"
        case .launch(let isMissing, let numbers): (copies, what) = (isMissing, "start \(LabWords.workers(numbers))")
        case .replace(let isMissing): (copies, what) = (isMissing, "replace its workers")
        }
        if lab.isDryRun { return (copies ? "would copy the program, \(hands.supply.size), and " : "would ") + what }
        if copies { try hands.copy(to: host) }
        return "has the program"
    }
}

/// `quintet lab stop`
enum LabStop {
    static func run(_ lab: Lab, _ arguments: Arguments) throws -> ExitCode {
        try lab.finish(lab.each { host in
            if lab.isDryRun {
                let living = try lab.probe(host, version: "").living.map(\.number)
                return living.isEmpty ? "no worker runs" : "would ask \(LabWords.workers(living)) to leave"
            }
            let left = try lab.stop(host, isStoppable: true)
            return left.isEmpty ? "no worker ran" : "\(LabWords.workers(left)) left"
        }, arguments)
    }
}

/// `quintet lab logs`
enum LabLogs {
    static func run(_ lab: Lab, _ arguments: Arguments) throws -> ExitCode {
        let count = try arguments.integer("--lines", 1...10_000) ?? 10
        let lines = Guarded<[String: [String]]>([:])
        var quiet = lab
        quiet.isQuiet = true
        var outcomes = quiet.each { host in
            let answer = try lab.shell.run(LabScripts.logs(lineCount: count), name: "logs", on: host)
            let found = answer.ofWorkers("log").map { "worker \($0.number): \($0.text.printable(most: 2000))" }
            lines.withLock { $0[host.machine] = found }
            return found.isEmpty ? "no logs" : "\(found.count) lines"
        }
        for index in outcomes.indices {
            let host = outcomes[index].host
            outcomes[index].lines = lines.withLock { $0[host] }
            guard !arguments.has("--json"), let found = outcomes[index].lines else { continue }
            Console.out((found.isEmpty ? ["no logs"] : found).map { "\(host) \($0)" }.joined(separator: "\n"))
        }
        if arguments.has("--json") { return try lab.finish(outcomes, arguments) }
        if StopSignal.isRequested { throw Interrupted("interrupted") }
        return LabOutcome.exitCode(outcomes)
    }
}
