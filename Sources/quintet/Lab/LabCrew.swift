import Foundation
import Platform

/// What became of one machine.
package struct LabOutcome: Codable, Sendable {
    package enum Kind: String, Codable, Sendable {
        case done
        /// It could not be, or would not.
        case refused
        /// The command ended before its turn.
        case untouched
    }

    package var host: String
    package var outcome: Kind
    /// For people: what was done, or why not.
    package var message: String
    /// Of its logs, where they were asked for.
    package var lines: [String]?

    package init(host: String, outcome: Kind, message: String) {
        self.host = host
        self.outcome = outcome
        self.message = message
    }

    /// 0 where all is done, 3 where something is, 1 where nothing is.
    static func exitCode(_ outcomes: [LabOutcome]) -> ExitCode {
        let doneCount = outcomes.count { $0.outcome == .done }
        if doneCount == outcomes.count { return .done }
        return doneCount > 0 ? .doneWithRefusals : .failed
    }
}

/// Several machines at a time.
enum LabCrew {
    /// Copies of the program share this machine's cable, and one that does not answer has only its own turn.
    static let atOnceMax = 16

    /// - Returns: in the hosts' order; once a stop is asked for, nobody's turn begins, and theirs is nil.
    static func map<Result: Sendable>(
        _ hosts: [LabHost], _ body: @escaping @Sendable (LabHost) -> Result
    ) -> [Result?] {
        let next = Guarded(0), results = Guarded([Result?](repeating: nil, count: hosts.count))
        let group = DispatchGroup()
        for _ in 0..<min(atOnceMax, hosts.count) {
            group.enter()
            Thread {
                while !StopSignal.isRequested {
                    let index = next.withLock { next in
                        defer { next += 1 }
                        return next
                    }
                    guard index < hosts.count else { break }
                    let result = body(hosts[index])
                    results.withLock { $0[index] = result }
                }
                group.leave()
            }.start()
        }
        group.wait()
        return results.withLock { $0 }
    }
}
