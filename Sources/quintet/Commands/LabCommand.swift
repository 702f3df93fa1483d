import Recipes

/// `quintet lab`
enum LabCommand: Command {
    static let syntax = CommandSyntax(
        "lab", "Start, look at, update and stop workers on a lab's machines by ssh.", positional: "ACTION HOSTS",
        options: [
            Option(
                "--coordinator", "HOST:PORT", "start, update: whom the workers dial; status: who is asked about them",
                variable: ClusterOptions.coordinatorVariable),
            Option(
                "--token-file", "FILE", "the cluster's token, made by quintet token new",
                variable: ClusterOptions.tokenFileVariable),
            Option("--only", "HOST", "this machine of HOSTS only", isRepeatable: true),
            Option("--ssh", "COMMAND", "ssh with options: 'ssh -J gate -p 2222'; default ssh"),
            Option("--lines", "N", "logs: so many lines of each worker; default 10"),
            Option("--dry-run", nil, "look, and say what would be done"),
            Option("--json", nil, "the outcome as JSON"),
            Option("--quiet", nil, "say only what goes wrong, and the outcome"),
        ],
        details: """
            ACTION is one of:
              start    copies this program and the token, and starts workers that outlive the login and are started
                       again when they die; what runs already stays
              status   who answers, what runs there, what the coordinator sees of it
              update   the same as start, replacing what runs: copies to all, then one machine after the other hands
                       its work back and begins again; the first that fails ends it
              stop     workers hand their work back and leave
              logs     the last lines of each worker's log
            HOSTS is a text file, one machine a line, in words that ssh understands; behind # are comments:

              lab3  workers=2 threads=8 nice=10 hours=20-7 idle-only cache=/scratch/quintet
              ada@lab4

            ssh must need no password. A machine that does not answer, or cannot run this program, is named, and the
            others go on (exit code 3). More in docs/OPERATION.md, "By hand".

            example: quintet lab start hosts --coordinator lab1:7311 --token-file cluster.token
            """)

    /// It says itself which machines are done.
    static let interruption: String? = nil

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let actions = ["start", "status", "update", "stop", "logs"]
        guard let action = arguments.positional.first, actions.contains(action) else {
            let word = arguments.positional.first.map { Spelling.suggestion(for: $0, among: actions) } ?? ""
            throw UsageError("say what to do\(word): quintet lab start, status, update, stop or logs, and a hosts file")
        }
        let lab = try Lab(arguments)
        switch action {
        case "start": return try LabStart.run(lab, hands(lab, arguments), arguments)
        case "update": return try LabUpdate.run(lab, hands(lab, arguments), arguments)
        case "status": return try LabStatus.run(lab, arguments)
        case "stop": return try LabStop.run(lab, arguments)
        default: return try LabLogs.run(lab, arguments)
        }
    }

    private static func hands(_ lab: Lab, _ arguments: Arguments) throws -> LabHands {
        try lab.checkWorkerOptions()
        let supply = try LabSupply(arguments)
        return LabHands(lab: lab, supply: supply, view: LabView(
            addresses: try ClusterOptions.addresses(arguments.required("--coordinator")),
            security: try ClusterOptions.security(arguments)))
    }
}
