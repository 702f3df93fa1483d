import Platform
import Recipes

/// Where the coordinator is and how to prove oneself to it.
enum ClusterOptions {
    static let coordinatorVariable = "QUINTET_COORDINATOR"
    static let tokenFileVariable = "QUINTET_TOKEN_FILE"

    static let tokenFile = Option(
        "--token-file", "FILE", "the cluster's token, made by quintet token new", isRepeatable: true,
        variable: tokenFileVariable)

    /// For commands that talk to a running coordinator.
    static let client: [Option] = [
        Option(
            "--coordinator", "HOST:PORT", "the coordinator's address; its standbys' behind it, with commas",
            variable: coordinatorVariable),
        tokenFile,
    ]

    /// For train and segment: with a coordinator they submit to it, without one they bring their own.
    static let submitting: [Option] = client + [
        ClientAccess.patience,
        Option("--label", "TEXT", "what status calls the run; default: the folder's name"),
        Option(
            "--verify", "SHARE",
            "do this share of the work again on another machine and compare, 0 to 1; default 0"),
        Option("--threads", "N", "threads of the worker in this process; default all"),
        Option("--state", "DIR", "without a coordinator: where the run's state is kept, on a disk with file locks"),
    ]

    /// The coordinator's, and those of its standbys: "lab3:7311,lab4:7311".
    static func addresses(_ text: String) throws -> (first: NetworkAddress, standbys: [NetworkAddress]) {
        let all = try text.split(separator: ",", omittingEmptySubsequences: false).map { try address(String($0)) }
        return (all[0], Array(all.dropFirst()))
    }

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

    /// Where the work goes; said first, since a variable that was set long ago would send it there as well.
    static func destination(_ arguments: Arguments) -> String? {
        arguments.text("--coordinator").map { address in
            let variable = arguments.isFromVariable("--coordinator")
                ? ", as \(coordinatorVariable) says (empty, it stays on this machine)" : ""
            return "the work goes to the coordinator at \(address)\(variable)"
        }
    }
}
