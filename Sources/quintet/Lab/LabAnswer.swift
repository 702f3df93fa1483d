/// What a script has answered from a lab's machine.
package struct LabAnswer: Sendable {
    private let lines: [(key: String, value: String)]

    /// - Parameter output: also what a login shell prints of its own accord.
    package init(_ output: String) {
        lines = output.split(whereSeparator: \.isNewline).compactMap { line in
            let words = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
            guard words.count >= 2, words[0] == "quintet-lab" else { return nil }
            return (String(words[1]), words.count > 2 ? String(words[2]) : "")
        }
    }

    package func all(_ key: String) -> [String] { lines.filter { $0.key == key }.map(\.value) }
    package func first(_ key: String) -> String? { lines.first { $0.key == key }?.value }

    /// Why the machine would not; nil where it did.
    package var refusal: String? { first("refused").map(LabWords.remedied) }
    /// The script has come to its end.
    package func hasEnd(_ script: String) -> Bool { all("end").contains(script) }

    /// "3 the rest": of lines about one worker.
    package func ofWorkers(_ key: String) -> [(number: Int, text: String)] {
        all(key).compactMap { value in
            let words = value.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
            return words.first.flatMap { Int($0) }.map { ($0, words.count > 1 ? String(words[1]) : "") }
        }
    }
}

/// What goes on on one machine.
package struct LabProbe: Sendable {
    package struct Worker: Sendable {
        package enum State: Hashable, Sendable {
            case running
            /// It has ended; its supervisor is about to start it again.
            case restarting
            /// It runs, and nobody would start it again.
            case unsupervised
            /// It ended for good with this code: 0 when the coordinator asked it to leave.
            case ended(Int)
            /// The machine was started again, or somebody has killed both.
            case gone
        }

        package var number: Int
        package var state: State
        package var process: Int
        package var startCount: Int
        /// The folder of the program that it runs.
        package var version: String
        /// Of its log.
        package var lastLine: String?
    }

    /// "Linux x86_64".
    package var machine: String
    /// "glibc 2.36"; empty where it is another C library.
    package var library: String
    package var load: Double?
    package var coreCount: Int?
    package var missingTools: [String]
    package var isProgramThere: Bool
    /// What was started last.
    package var linkedVersion: String
    /// The fingerprint of what its workers run with.
    package var settings: String
    package var workers: [Worker]

    /// nil where the script did not come to its end.
    package init?(_ answer: LabAnswer) {
        guard answer.hasEnd("probe"), let machine = answer.first("machine") else { return nil }
        self.machine = machine
        library = answer.first("libc") ?? ""
        let loads = (answer.first("load") ?? "").split(separator: " ")
        load = loads.first.flatMap { Double($0) }
        coreCount = loads.count > 1 ? Int(loads[1]) : nil
        missingTools = answer.all("missing")
        isProgramThere = answer.first("program") == "yes"
        linkedVersion = answer.first("linked") ?? ""
        settings = answer.first("settings") ?? ""
        let last = answer.ofWorkers("last")
        workers = answer.ofWorkers("worker").compactMap { number, text in
            let words = text.split(separator: " ").map(String.init)
            guard words.count == 4, let state = Worker.State(words[0]), let process = Int(words[1]) else { return nil }
            return Worker(
                number: number, state: state, process: process, startCount: Int(words[2]) ?? 0, version: words[3],
                lastLine: last.first { $0.number == number }?.text)
        }
    }

    /// Those that compute, or will by themselves.
    package var living: [Worker] {
        workers.filter { [.running, .restarting, .unsupervised].contains($0.state) }
    }
}

extension LabProbe.Worker.State {
    init?(_ word: String) {
        switch word {
        case "running": self = .running
        case "restarting": self = .restarting
        case "unsupervised": self = .unsupervised
        case "gone": self = .gone
        default:
            guard word.hasPrefix("ended-"), let code = Int(word.dropFirst(6)) else { return nil }
            self = .ended(code)
        }
    }

    package var text: String {
        switch self {
        case .running: "running"
        case .restarting: "to be started again"
        case .unsupervised: "without supervisor"
        case .ended(0): "was asked to leave"
        case .ended(let code): "ended with \(code)"
        case .gone: "gone"
        }
    }
}
