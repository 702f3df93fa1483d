import Coordinator
import Foundation
import Platform
import Recipes

/// What `quintet lab status --json` prints: keys as the names here, absent where there is nothing to say.
package struct LabStatusReport: Codable, Sendable {
    package struct Worker: Codable, Sendable {
        package var number: Int
        /// "running", "restarting", "unsupervised", "ended" or "gone".
        package var state: String
        package var exitCode: Int?
        package var process: Int?
        /// How often it was started; more than once where it ended by itself.
        package var startCount: Int
        package var version: String?
        /// The coordinator is connected with it; absent where the coordinator does not answer.
        package var isConnected: Bool?
    }

    package struct Host: Codable, Sendable {
        package var host: String
        package var isReachable: Bool
        /// Why it is not.
        package var problem: String?
        /// "Linux x86_64".
        package var machine: String?
        package var library: String?
        package var load: Double?
        package var coreCount: Int?
        /// The program that was started last.
        package var version: String?
        package var workersWanted: Int
        package var workers: [Worker]
    }

    package var coordinator: String?
    /// Why it does not answer.
    package var coordinatorProblem: String?
    package var hosts: [Host]

    package init(coordinator: String?, coordinatorProblem: String? = nil, hosts: [Host]) {
        self.coordinator = coordinator
        self.coordinatorProblem = coordinatorProblem
        self.hosts = hosts
    }

    /// - Parameter seen: nil where the coordinator was not asked, or does not answer.
    package static func host(_ host: LabHost, _ probe: LabProbe, seen: Set<String>?) -> Host {
        Host(
            host: host.machine, isReachable: true, machine: probe.machine, library: probe.library, load: probe.load,
            coreCount: probe.coreCount, version: probe.linkedVersion.isEmpty ? nil : probe.linkedVersion,
            workersWanted: host.workerCount,
            workers: probe.workers.map { worker in
                var line = Worker(
                    number: worker.number, state: "", process: worker.process > 0 ? worker.process : nil,
                    startCount: worker.startCount, version: worker.version == "-" ? nil : worker.version,
                    isConnected: seen.map { $0.contains(host.workerName(worker.number)) })
                switch worker.state {
                case .running: line.state = "running"
                case .restarting: line.state = "restarting"
                case .unsupervised: line.state = "unsupervised"
                case .ended(let code): (line.state, line.exitCode) = ("ended", Int(code))
                case .gone: line.state = "gone"
                }
                if worker.state != .running, worker.state != .unsupervised { line.process = nil }
                return line
            })
    }

    package var table: TextTable {
        TextTable(
            header: ["host", "workers", "connected", "starts", "load", "program"],
            rows: hosts.map { host in
                guard host.isReachable else { return [host.host, "-", "-", "-", "-", "does not answer"] }
                let running = host.workers.count { $0.state == "running" }
                let connected = host.workers.compactMap(\.isConnected)
                return [
                    host.host, "\(running) of \(host.workersWanted)",
                    connected.isEmpty ? "-" : "\(connected.count { $0 })",
                    host.workers.isEmpty ? "-" : host.workers.map { "\($0.startCount)" }.joined(separator: "+"),
                    host.load.map { String(format: "%.1f", $0) + (host.coreCount.map { " of \($0)" } ?? "") } ?? "-",
                    host.version ?? "-",
                ]
            })
    }

    /// What somebody may want to do something about.
    package var remarks: [String] {
        hosts.flatMap { host -> [String] in
            if let problem = host.problem { return ["\(host.host): \(problem)"] }
            return host.workers.compactMap { worker -> String? in
                switch worker.state {
                case "running":
                    return worker.version == host.version
                        ? nil : "\(host.host): worker \(worker.number) runs \(worker.version ?? "another program")"
                case "restarting":
                    return "\(host.host): worker \(worker.number) ended and will be started again"
                case "unsupervised":
                    return "\(host.host): worker \(worker.number) has no supervisor any more; "
                        + "quintet lab start mends that"
                case "ended":
                    return "\(host.host): worker \(worker.number) "
                        + (worker.exitCode == 0 ? "was asked to leave" : "ended with \(worker.exitCode ?? 1)")
                default:
                    return "\(host.host): worker \(worker.number) is gone; quintet lab start starts it again"
                }
            }
        }
    }
}

/// `quintet lab status`
enum LabStatus {
    static func run(_ lab: Lab, _ arguments: Arguments) throws -> ExitCode {
        var report = LabStatusReport(coordinator: arguments.text("--coordinator"), hosts: []), seen: Set<String>?
        if report.coordinator != nil {
            do {
                seen = LabView.connectedNames(try ClientAccess.client(arguments).status())
            } catch let error where !(error is UsageError) {
                report.coordinatorProblem = "\(error)"
            }
        }
        let names = seen
        let lines = LabCrew.map(lab.hosts) { host in
            do {
                return LabStatusReport.host(host, try lab.probe(host, version: ""), seen: names)
            } catch {
                return LabStatusReport.Host(
                    host: host.machine, isReachable: false, problem: "\(error)", workersWanted: host.workerCount,
                    workers: [])
            }
        }
        if StopSignal.isRequested { throw Interrupted("interrupted") }
        report.hosts = lines.compactMap { $0 }
        if arguments.has("--json") {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            Console.out(String(decoding: try encoder.encode(report), as: UTF8.self))
        } else {
            Console.out(([report.table.text()] + report.remarks).joined(separator: "\n"))
            if let problem = report.coordinatorProblem { Console.out("the coordinator: \(problem)") }
        }
        let reachableCount = report.hosts.count(where: \.isReachable)
        if reachableCount == 0 { return .failed }
        return reachableCount < report.hosts.count || report.coordinatorProblem != nil ? .doneWithRefusals : .done
    }
}
