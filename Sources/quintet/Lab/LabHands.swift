import Coordinator
import Platform
import Recipes

/// What is done on one machine, a step at a time.
struct LabHands: Sendable {
    let lab: Lab
    let supply: LabSupply
    let view: LabView

    /// How long a worker has to leave; it promises 10 s.
    static let leaveSeconds = 30
    private static let checkSeconds = 30

    func decide(_ host: LabHost, mayReplace: Bool) throws -> LabDecision {
        let probe = try lab.probe(host, version: supply.settings.version, digest: supply.digest)
        let decision = LabDecision.make(
            probe, host: host, architecture: LabSupply.architecture, fingerprint: supply.fingerprint(host),
            mayReplace: mayReplace)
        if case .refuse(let reason) = decision { throw SecureShell.Failure(description: reason) }
        return decision
    }

    func copy(to host: LabHost) throws {
        lab.say(host, "copying the program, \(supply.size)")
        _ = try lab.shell.run(
            LabScripts.install(version: supply.settings.version, digest: supply.digest), name: "install", on: host,
            file: supply.program, silentSecondsMax: 180)
    }

    /// Starts its workers and sees that they stay.
    /// - Returns: what is true then.
    func launch(_ host: LabHost, isStoppable: Bool) throws -> String {
        let script = LabScripts.launch(
            host, supply.settings, fingerprint: supply.fingerprint(host), tokenBytes: supply.token.count)
        let answer = try lab.shell.run(
            script, name: "launch", on: host, input: supply.token, isStoppable: isStoppable)
        if let (number, text) = answer.ofWorkers("failed").first {
            throw SecureShell.Failure(description: "worker \(number) does not start: \(text)")
        }
        let end = MonotonicClock.nowMilliseconds() + UInt64(Self.checkSeconds) * 1000
        while true {
            let probe = try lab.probe(host, version: supply.settings.version, isStoppable: isStoppable)
            let seen = view.connectedNames()
            switch LabCheck.make(probe, host: host, version: supply.settings.version, seen: seen) {
            case .good:
                let count = LabWords.workers(host.workerCount)
                return "\(count) started" + (seen == nil ? "; the coordinator does not answer from here" : "")
            case .bad(let reason): throw SecureShell.Failure(description: reason)
            case .wait(let reason):
                if MonotonicClock.nowMilliseconds() > end { throw SecureShell.Failure(description: reason) }
            }
            if isStoppable, StopSignal.isRequested { throw Interrupted("interrupted; its workers were started") }
            MonotonicClock.sleep(milliseconds: 500)
        }
    }
}

extension Lab {
    /// Asks all workers there to leave, and waits for them.
    /// - Returns: their numbers.
    func stop(_ host: LabHost, isStoppable: Bool) throws -> [Int] {
        let answer = try shell.run(
            LabScripts.stop(seconds: LabHands.leaveSeconds), name: "stop", on: host, isStoppable: isStoppable)
        let staying = answer.ofWorkers("stays")
        guard staying.isEmpty else {
            let names = staying.map { "worker \($0.number) (process \($0.text))" }.joined(separator: ", ")
            throw SecureShell.Failure(description: "\(names) did not leave within \(LabHands.leaveSeconds) s")
        }
        return answer.ofWorkers("left").map(\.number)
    }
}

/// The coordinator, as it is seen from here.
struct LabView: Sendable {
    var addresses: (first: NetworkAddress, standbys: [NetworkAddress])
    var security: ConnectionSecurity

    /// - Throws: why it does not answer.
    func report() throws -> StatusReport {
        try CoordinatorClient(
            address: addresses.first, standbys: addresses.standbys, security: security, build: Version.build,
            waiting: CoordinatorClient.Waiting(
                patienceSeconds: 0, isPatientAtFirst: false, isStopped: { StopSignal.isRequested }, log: { _ in })
        ).status()
    }

    /// Without their random parts; nil where it does not answer.
    func connectedNames() -> Set<String>? { (try? report()).map(Self.connectedNames) }

    static func connectedNames(_ report: StatusReport) -> Set<String> {
        Set(report.workers.filter { $0.isConnected && !$0.isLeaving }.map(\.name.readablePart))
    }
}
