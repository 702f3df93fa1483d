/// What people are told when a machine does not do its part.
package enum LabWords {
    /// What ssh itself could not do.
    package static func sshFailure(_ errors: String, host: String) -> String {
        let lines = errors.split(whereSeparator: \.isNewline).map(String.init)
        let said = lines.last { !$0.hasPrefix("Warning: ") } ?? "ssh says no more"
        if errors.contains("Host key verification failed") {
            return "its host key is not known, or another than before; look at it once with ssh \(host)"
        }
        if errors.contains("Permission denied") {
            return "\(said); it must let you in without a password: ssh-copy-id \(host)"
        }
        return said
    }

    /// What a machine has said, with what helps.
    static func remedied(_ refusal: String) -> String {
        if refusal.contains("error while loading shared libraries") {
            return refusal + "; on Debian: apt install libniftiio2 libsqlite3-0 libssl3"
        }
        if refusal.contains("GLIBC_") || refusal.contains("GLIBCXX_") {
            return refusal + "; its system is older than the one the program was built on: build it there"
        }
        return refusal
    }

    /// "1 worker", "2 workers".
    static func workers(_ count: Int) -> String { count == 1 ? "1 worker" : "\(count) workers" }

    /// "workers 1, 3".
    static func workers(_ numbers: [Int]) -> String {
        (numbers.count == 1 ? "worker " : "workers ") + numbers.map(String.init).joined(separator: ", ")
    }
}
