/// What a machine needs, decided from what was found there.
package enum LabDecision: Hashable, Sendable {
    /// It cannot work here, or not by this command.
    case refuse(String)
    /// All is as it should be.
    case nothing
    /// Its workers are to be started, these at least; before that the program is copied where it is not there.
    case launch(copies: Bool, numbers: [Int])
    /// Its workers are to leave before others are started.
    case replace(copies: Bool)

    /// - Parameters:
    ///   - architecture: of the program: "x86_64".
    ///   - fingerprint: of what its workers should run with.
    ///   - mayReplace: `update`, which asks workers to leave that run with something else.
    package static func make(
        _ probe: LabProbe, host: LabHost, architecture: String, fingerprint: String, mayReplace: Bool
    ) -> LabDecision {
        let wanted = "Linux \(architecture)"
        guard probe.machine == wanted else {
            return .refuse("it is \(probe.machine), and the program runs on \(wanted) only")
        }
        guard probe.library.hasPrefix("glibc") else {
            return .refuse("its C library is not glibc, which the program needs")
        }
        guard probe.missingTools.isEmpty else {
            return .refuse("it lacks \(probe.missingTools.joined(separator: ", ")) (packages util-linux and coreutils)")
        }
        let living = probe.living, supervised = living.filter { $0.state != .unsupervised }.map(\.number)
        let missing = (1...host.workerCount).filter { !supervised.contains($0) }
        if living.isEmpty || probe.settings == fingerprint {
            return missing.isEmpty ? .nothing : .launch(copies: !probe.isProgramThere, numbers: missing)
        }
        guard mayReplace else {
            return .refuse("\(LabWords.workers(living.map(\.number))) there run another program or with other settings "
                + "(\(probe.linkedVersion)); quintet lab update replaces them")
        }
        return .replace(copies: !probe.isProgramThere)
    }
}

/// Whether a machine's workers have begun as they should.
package enum LabCheck: Hashable, Sendable {
    case good
    /// Look again.
    case wait(String)
    /// It will not become better.
    case bad(String)

    /// - Parameters:
    ///   - probe: of a new connection: a worker that ended with the one that started it is of no use.
    ///   - seen: readable names of workers that the coordinator is connected with; nil where it does not answer.
    package static func make(_ probe: LabProbe, host: LabHost, version: String, seen: Set<String>?) -> LabCheck {
        for number in 1...host.workerCount {
            guard let worker = probe.workers.first(where: { $0.number == number }) else {
                return .bad("worker \(number) was not started")
            }
            let last = worker.lastLine.flatMap { $0.isEmpty ? nil : ": \($0)" } ?? ""
            switch worker.state {
            case .running: break
            case .restarting: return .wait("worker \(number) does not stay up\(last)")
            case .ended, .unsupervised: return .bad("worker \(number) \(worker.state.text)\(last)")
            case .gone:
                return .bad("worker \(number) is gone: does the machine end what outlives a login "
                    + "(KillUserProcesses in logind.conf)?")
            }
            if worker.version != version { return .bad("worker \(number) runs \(worker.version)") }
        }
        guard let seen, !host.hasHours else { return .good }
        let unseen = (1...host.workerCount).filter { !seen.contains(host.workerName($0)) }
        guard let first = unseen.first else { return .good }
        let last = probe.workers.first { $0.number == first }?.lastLine ?? ""
        return .wait("the coordinator does not see \(LabWords.workers(unseen))" + (last.isEmpty ? "" : ": \(last)"))
    }
}
