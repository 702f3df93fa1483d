/// One line of a lab's hosts file: a machine, and how its workers run.
package struct LabHost: Hashable, Sendable {
    /// As ssh takes it: "lab3", "ada@lab3.example.org", an alias of ~/.ssh/config.
    package var name: String
    package var workerCount = 1
    /// Of each worker; nil for the machine's processors, divided among its workers.
    package var threadCount: Int?
    package var niceness = 10
    /// Passed on to `worker`.
    package var hours: String?
    package var isIdleOnly = false
    /// A folder there; "~/" is the user's home.
    package var cache: String?

    package init(name: String) { self.name = name }

    /// Without the user.
    package var machine: String { String(name.split(separator: "@").last ?? "") }

    /// What the coordinator calls it, without the random part: `quintet drain lab3` means all of the machine.
    package func workerName(_ number: Int) -> String { "\(machine):\(number)" }

    /// When it is not always there for the coordinator to see.
    package var hasHours: Bool { hours != nil || isIdleOnly }

    /// What `quintet worker` gets behind the options that every worker has; the number of threads is the script's to
    /// say where it depends on the machine.
    package func workerOptions(_ number: Int) -> [String] {
        var words = ["--name", workerName(number)]
        if let threadCount { words += ["--threads", "\(threadCount)"] }
        if let hours { words += ["--hours", hours] }
        if isIdleOnly { words.append("--idle-only") }
        return words
    }
}
