import Platform

/// Where the coordinator is and how to prove oneself to it.
enum ClusterOptions {
    /// For commands that talk to a running coordinator.
    static let client: [Option] = [
        Option("--coordinator", "HOST:PORT", "the coordinator's address"),
        Option("--token-file", "FILE", "the cluster's token, made by quintet token new", isRepeatable: true),
    ]

    /// For train and segment: with a coordinator they submit to it, without one they bring their own.
    static let submitting: [Option] = client + [
        Option("--threads", "N", "threads of the worker in this process; default all"),
    ]

    static func address(_ text: String) throws -> NetworkAddress {
        do {
            return try NetworkAddress(parsing: text)
        } catch {
            throw UsageError("\(error)")
        }
    }

    static func security(_ arguments: Arguments) throws -> ConnectionSecurity {
        try ConnectionSecurity(tokenFiles: arguments.all("--token-file"))
    }
}
