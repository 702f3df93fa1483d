import Foundation
import Platform
import Recipes
import Worker

/// `quintet worker`
enum WorkerCommand: Command {
    static let syntax = CommandSyntax(
        "worker", "Compute what a coordinator hands out.",
        options: ClusterOptions.client + [
            Option("--name", "NAME", "where it is, for people; default host:process; a random part is added"),
            Option("--threads", "N", "threads that compute; default all that the process may keep busy"),
            Option("--device", "NAME", "auto or cpu; default auto, which is the CPU in this version"),
            Option("--cache", "DIR", "what came over the wire is kept there; default ~/.cache/quintet"),
            Option("--cache-gib", "N", "the cache's size; default 64"),
            Option(
                "--shared", "ROOT", "read CTs and write answers on a file system that segment --shared names, too"),
            Option("--progress-seconds", "N", "give work back that shows no progress for so long; default 3600"),
            Option("--hours", "H-H", "compute in these hours of the day only, by this machine's clock: 20-7"),
            Option("--idle-only", nil, "compute only while nobody is logged in at this machine"),
            Option("--quiet", nil, "say only what goes wrong"),
        ],
        details: """
            Needs nothing but the coordinator's address (and token): data and weights come over the wire. Workers come
            and go at any time. SIGTERM and Ctrl-C hand the work back and leave within 10 s. A lost coordinator costs
            no training time: the worker goes on computing and delivers when it is back.

            example: quintet worker --coordinator lab3:7311 --token-file cluster.token
            """)

    static let interruption: String? = nil

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let configuration = try configuration(arguments)
        let hours = try arguments.text("--hours").map { text in
            guard let hours = WorkingHours(text) else {
                throw UsageError("--hours \(text): say from and until, as 20-7 or 22:30-6")
            }
            return hours
        }
        let rules = WorkerRules(hours: hours, isIdleOnly: arguments.has("--idle-only"))
        let registry = arguments.choice.registry
        var stints = WorkerStints(rules: rules, log: configuration.log, notice: configuration.serviceNotice)
        try stints.run {
            WorkerDaemon(configuration: configuration, recipes: registry.recipes)
        }
        return .done
    }

    private static func configuration(_ arguments: Arguments) throws -> WorkerConfiguration {
        let addresses = try ClusterOptions.addresses(arguments.required("--coordinator"))
        let device = arguments.text("--device") ?? "auto"
        guard ["auto", "cpu"].contains(device) else {
            throw UsageError("--device \(device): this version computes on the CPU only; leave --device out")
        }
        var configuration = WorkerConfiguration(
            host: addresses.first.host, port: addresses.first.port, security: try ClusterOptions.security(arguments),
            threadCount: try Threads.count(arguments), memoryByteCount: Machine.usableMemoryByteCount,
            cacheDirectory: try arguments.text("--cache") ?? defaultCache(),
            cacheBytesMax: UInt64(try arguments.integer("--cache-gib", 1...1_000_000) ?? 64) << 30,
            name: try ProcessName.make(arguments.text("--name")),
            build: Version.build,
            progressSeconds: try arguments.number("--progress-seconds", 1...864_000) ?? 3_600,
            log: CoordinatorCommand.logger(arguments))
        configuration.standbys = addresses.standbys
        configuration.serviceNotice = ServiceNotice()
        configuration.sharedRoot = try arguments.text("--shared").map(SharedRoot.folder)
        return configuration
    }

    /// Never in a folder that all users share: patients' images lie there.
    private static func defaultCache() throws -> String {
        guard let home = Machine.environment("HOME"), !home.isEmpty else {
            throw UsageError("there is no HOME to keep what comes over the wire in: say --cache DIR, a folder of yours")
        }
        return "\(home)/.cache/quintet"
    }
}
