import Coordinator
import Platform
import Protocol
import Recipes

/// Connects a command to the coordinator it names.
enum ClientAccess {
    /// For commands that wait for a coordinator.
    static let patience = Option(
        "--patience", "SECONDS", "how long to wait for a coordinator that does not answer; default for ever, "
            + "but not for the first answer")

    /// Ctrl-C ends every wait of the client with `ClientError.interrupted`.
    static func client(
        _ arguments: Arguments, log: @escaping @Sendable (String) -> Void = { Console.error($0) }
    ) throws -> CoordinatorClient {
        let patience = try arguments.number("--patience", 0...1e9)
        let addresses = try ClusterOptions.addresses(arguments.text("--coordinator") ?? "127.0.0.1:7311")
        return try CoordinatorClient(
            address: addresses.first, standbys: addresses.standbys,
            security: ClusterOptions.security(arguments), build: Version.build,
            waiting: CoordinatorClient.Waiting(
                patienceSeconds: patience ?? .infinity, isPatientAtFirst: patience != nil,
                isStopped: { StopSignal.isRequested }, log: log))
    }
}
