import Coordinator
import Platform
import Recipes

/// What `quintet coordinator` has beside a single coordinator: one that follows it, and who leads.
enum StandbyOptions {
    static let all: [Option] = [
        Option("--follow", "HOST:PORT", "keep what the coordinator there keeps, and serve nobody before a promotion"),
        Option("--sync-standby", nil, "acknowledge nothing that a standby, which follows, does not have as well"),
        Option(
            "--leader-folder", "DIR",
            "on a file system that both share: the standby takes over when the leader's sign there stands still"),
        Option("--takeover-seconds", "N", "how long it has to stand still; default 30"),
    ]

    /// - Parameter listen: where this one listens, for people.
    static func leader(_ arguments: Arguments, listen: NetworkAddress) throws -> LeaderFolder? {
        guard let folder = arguments.text("--leader-folder") else {
            guard !arguments.has("--takeover-seconds") else {
                throw UsageError("--takeover-seconds says how to read a folder: give --leader-folder DIR")
            }
            return nil
        }
        let state = try arguments.required("--state")
        try FileSystem.makeFolder(state, isPrivate: true)
        let place = "\(Machine.hostName) \(try FileSystem.absolutePath(state))"
        let key = Hexadecimal.text(Array(SHA256.digest(of: Array(place.utf8))[..<8]))
        let host = listen.host == "*" ? Machine.hostName : listen.host
        return LeaderFolder(
            path: folder, takeOverSeconds: try arguments.number("--takeover-seconds", 1...86_400) ?? 30,
            name: "\(NetworkAddress(host: host, port: listen.port)) \(key)")
    }

    /// Follows until it is promoted.
    /// - Returns: nil where it was stopped before; else the lead that it has taken, where there is a folder for that.
    static func follow(
        _ address: NetworkAddress, _ arguments: Arguments, leader: LeaderFolder?
    ) throws -> (leader: LeaderFolder?, Void)? {
        var configuration = StandbyConfiguration(
            stateDirectory: try arguments.required("--state"), address: address,
            security: try ClusterOptions.security(arguments), build: Version.build,
            log: CoordinatorCommand.logger(arguments))
        let lead = Guarded(leader)
        configuration.hasLed = { isConnected in
            // Whoever is still heard leads, whatever the folder says of it.
            guard !isConnected else { return false }
            return try lead.withLock { try $0?.takeOver(at: MonotonicClock.nowMilliseconds()) ?? false }
        }
        configuration.serviceNotice = ServiceNotice()
        let standby = try Standby(configuration: configuration)
        StopWatch.whenRequested { standby.requestStop() }
        switch try standby.run() {
        case .stopped: return nil
        case .promoted:
            var taken = lead.withLock { $0 }
            taken?.isPromoted = true
            return (taken, ())
        }
    }
}

/// `quintet promote`
enum PromoteCommand: Command {
    static let syntax = CommandSyntax(
        "promote", "Make a standby the coordinator, when the one that it follows is gone for good.",
        positional: "DIR", options: [],
        details: """
            DIR is the standby's state folder, on its machine. The process that follows there becomes the coordinator in
            a moment; where there is none, start `quintet coordinator --state DIR`. Make sure first that the other
            coordinator is down and stays down: two would hand out the same work, and each would know half of it.
            """)

    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard arguments.positional.count == 1 else { throw UsageError("quintet promote DIR") }
        let folder = arguments.positional[0]
        switch try StandbyFolder.requestPromotion(folder) {
        case .done: Console.out("\(folder) is a coordinator's now: quintet coordinator --state \(folder) ...")
        case .wished: Console.out("the standby in \(folder) takes over")
        }
        return .done
    }
}
