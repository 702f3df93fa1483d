import Coordinator
import Foundation
import Platform
import Protocol
import Recipes

/// `quintet coordinator`
enum CoordinatorCommand: Command {
    static let syntax = CommandSyntax(
        "coordinator", "Hand out work to workers, keep checkpoints, count votes.",
        options: [
            Option("--state", "DIR", "where everything that must survive is kept", isRequired: true),
            Option("--listen", "HOST:PORT", "default 127.0.0.1:7311; *:7311 for every address, with a token only"),
            Option(
                "--token-file", "FILE", "the cluster's token; two while one is replaced by the other",
                isRepeatable: true, variable: ClusterOptions.tokenFileVariable),
            Option("--keep-days", "N", "forget runs that have ended so long ago; default: never"),
            Option("--lease-seconds", "N", "a worker silent for so long loses its work to others; default 30"),
            Option(
                "--metrics", "HOST:PORT",
                "pages for Prometheus and health checks: /metrics, /health, /ready; plain HTTP, for anybody"),
            Option(
                "--http", "HOST:PORT",
                "a live page for browsers: runs, curves, workers, answers, buttons; login by the token. On loopback, "
                    + "as in 127.0.0.1:8080 (from elsewhere by ssh -L), or with a certificate"),
            Option("--http-certificate", "FILE", "for --http at other addresses: certificates, PEM"),
            Option("--http-key", "FILE", "their private key, PEM, that only its owner can read"),
            Option("--event-log", "FILE", "append every event as a line of JSON; - is standard output"),
        ] + StandbyOptions.all + [
            Option("--port-file", "FILE", "write the port there once it listens, for scripts that ask for port 0"),
            Option("--quiet", nil, "say only what goes wrong"),
        ],
        details: """
            Kill it whenever you like: started again on the same DIR it goes on, nothing acknowledged is lost and
            nothing counts twice. SIGTERM and Ctrl-C end it cleanly.

            example: quintet token new cluster.token
                     quintet coordinator --state state --listen '*:7311' --token-file cluster.token
            a standby on another machine, with the same token:
                     quintet coordinator --state standby --listen '*:7311' --token-file cluster.token --follow lab3:7311
            """)

    static let interruption: String? = nil

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let listen = try ClusterOptions.address(arguments.text("--listen") ?? "127.0.0.1:7311")
        var configuration = try configuration(arguments, listen)
        configuration.leader = try StandbyOptions.leader(arguments, listen: listen)
        if let address = try arguments.text("--follow").map(ClusterOptions.address) {
            let outcome = try StandbyOptions.follow(address, arguments, leader: configuration.leader)
            guard let (leader, _) = outcome else { return .done }
            configuration.leader = leader
        }
        let server = try CoordinatorServer(configuration: configuration)
        if let file = arguments.text("--port-file") { try write(port: server.port, to: file) }
        try announce(server, listen, configuration, arguments)
        StopWatch.whenRequested { server.requestStop() }
        try server.run()
        return .done
    }

    private static func configuration(
        _ arguments: Arguments, _ listen: NetworkAddress
    ) throws -> CoordinatorConfiguration {
        let lease = try arguments.number("--lease-seconds", 1...86_400) ?? 30
        let keepDays = try arguments.number("--keep-days", 0...36_500)
        var configuration = CoordinatorConfiguration(
            stateDirectory: try arguments.required("--state"), host: listen.host, port: listen.port,
            security: try ClusterOptions.security(arguments), leaseSeconds: lease, heartbeatSeconds: min(5, lease / 6),
            endedRunSeconds: keepDays.map { $0 * 86_400 }, build: Version.build, log: logger(arguments))
        configuration.needsStandby = arguments.has("--sync-standby")
        configuration.metricsAddress = try arguments.text("--metrics").map(ClusterOptions.address)
        configuration.liveAddress = try arguments.text("--http").map(ClusterOptions.address)
        configuration.liveCertificate = try LiveCertificate.load(arguments)
        configuration.eventLog = arguments.text("--event-log")
        configuration.serviceNotice = ServiceNotice()
        return configuration
    }

    private static func announce(
        _ server: CoordinatorServer, _ listen: NetworkAddress, _ configuration: CoordinatorConfiguration,
        _ arguments: Arguments
    ) throws {
        let notice = ListenNotice(
            address: NetworkAddress(host: listen.host, port: server.port), standsFor: try listen.hostAddresses(),
            machine: HostAddress.ofThisMachine(), hasToken: arguments.has("--token-file"))
        if !arguments.has("--quiet") { Console.error(notice.text) }
        if let warning = notice.warning { Console.error(warning) }
        if let port = server.metricsPort, let address = configuration.metricsAddress, !arguments.has("--quiet") {
            Console.error("metrics at http://\(NetworkAddress(host: address.host, port: port))/metrics")
        }
        if let port = server.livePort, let address = configuration.liveAddress, !arguments.has("--quiet") {
            let scheme = configuration.liveCertificate == nil ? "http" : "https"
            let login = arguments.has("--token-file") ? "; the login is the text in the token's file" : ""
            Console.error("live page at \(scheme)://\(NetworkAddress(host: address.host, port: port))/\(login)")
        }
    }

    /// For scripts; over another port, never over somebody's file.
    private static func write(port: UInt16, to file: String) throws {
        if FileSystem.exists(file), (try? FileSystem.byteCount(of: file)) != 0 {
            let text = try? FileSystem.readText(file, byteCountMax: 16)
            guard text.flatMap({ UInt16($0.dropLast()) }) != nil else {
                throw UsageError("--port-file \(file) is there already and holds no port; name another file")
            }
        }
        try AtomicFile.write("\(port)\n", to: file)
    }

    static func logger(_ arguments: Arguments) -> Log {
        Log(from: arguments.has("--quiet") ? .problem : .notice) { _, text in
            Console.error("\(WallClock.nowText())  \(text)")
        }
    }
}

/// `quintet status`
enum StatusCommand: Command {
    static let syntax = CommandSyntax(
        "status", "Show a coordinator's runs and workers.",
        options: ClusterOptions.client + [
            Option("--run", "N", "this run only"),
            Option("--history", nil, "who did what, under which lease, and why it moved"),
            Option("--json", nil, "as JSON"),
        ],
        details: """
            With --json every event of the history has a kind and fields; docs/OPERATION.md lists them.

            example: quintet status --coordinator lab3:7311 --history
            """)

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let client = try ClientAccess.client(arguments)
        let run = try arguments.integer("--run", 0...Int.max).map { RunID(UInt64($0)) }
        if arguments.has("--json") {
            Console.out(try client.statusJSON(of: run, history: arguments.has("--history")))
        } else {
            Console.out(StatusText.page(try client.status(of: run, history: arguments.has("--history"))))
        }
        return .done
    }
}

/// `quintet watch`
enum WatchCommand: Command {
    static let syntax = CommandSyntax(
        "watch", "Follow a coordinator's runs until they end.",
        options: ClusterOptions.client + [
            Option("--run", "N", "this run only"),
            Option("--seconds", "N", "how often; default 2"),
            ClientAccess.patience,
            Option("--json", nil, "one JSON object a line"),
        ],
        details: """
            Waits until a run goes on, and ends when none does any more: with 1 where one of them was cancelled. With
            --run it ends when that run has ended. Ctrl-C ends the watching, never the runs. Where the output is no
            terminal, what has not changed is not said again.
            """)

    static let interruption: String? = "interrupted; the runs go on"

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let client = try ClientAccess.client(arguments)
        let run = try arguments.integer("--run", 0...Int.max).map { RunID(UInt64($0)) }
        let seconds = try arguments.number("--seconds", 0.1...3600) ?? 2
        var watched: Set<UInt64> = [], last = ""
        while true {
            let status = try client.status(of: run)
            let running = status.runs.filter { $0.state == "running" }.map(\.id)
            watched.formUnion(run.map { [$0.value] } ?? running)
            let text = StatusText.unchanging(status)
            if Terminal.isTerminal() || text != last {
                arguments.has("--json")
                    ? Console.out(try client.statusJSON(of: run, history: false))
                    : Console.show(page: StatusText.page(status))
            }
            last = text
            if running.isEmpty, !watched.isEmpty {
                let wasCancelled = status.runs.contains { watched.contains($0.id) && $0.state == "cancelled" }
                return wasCancelled ? .failed : .done
            }
            StopWatch.sleep(milliseconds: Int(seconds * 1000))
        }
    }
}

/// `quintet token`
enum TokenCommand: Command {
    static let syntax = CommandSyntax(
        "token", "Make the key that coordinator, workers and clients of a cluster share.", positional: "new FILE",
        options: [],
        details: """
            256 random bits in a file that only its owner can read. Copy it to every machine by a safe way (scp); with
            it all traffic is TLS 1.3, without it a coordinator listens on this machine only.
            """)

    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard arguments.positional.count == 2, arguments.positional[0] == "new" else {
            throw UsageError("quintet token new FILE")
        }
        _ = try ClusterToken.generate(to: arguments.positional[1])
        Console.out("a new token is in \(arguments.positional[1])")
        return .done
    }
}
