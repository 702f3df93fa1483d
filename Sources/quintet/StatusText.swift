import Coordinator
import Foundation

/// A coordinator's status as people read it.
enum StatusText {
    /// One line for a run that is waited for.
    static func line(_ run: StatusReport.Run) -> String {
        var parts = [String(format: "%@ %3.0f%%", run.kind, 100 * run.fraction)]
        if let left = run.secondsLeft { parts[0] += ", \(Console.duration(seconds: left)) left" }
        if let replicas = run.replicas {
            for replica in replicas where replica.state == "leased" {
                var text = "replica-\(replica.replica) \(replica.iteration)/\(run.iterationCount)"
                if let loss = replica.figures?["loss"] { text += String(format: " loss %.3f", loss) }
                parts.append(text)
            }
            let done = replicas.filter { $0.state == "done" }.count
            if done > 0 { parts.append("\(done) done") }
        } else {
            parts.append("\(run.works.done) of \(run.works.total) pieces")
        }
        if let checks = run.checks {
            parts += [(checks.open, "to be compared"), (checks.missed, "not compared")].filter { $0.0 > 0 }
                .map { "\($0) \($1)" }
        }
        if run.isPaused, run.state == "running" {
            parts.append("paused")
        } else if let problem = run.problem {
            parts.append(problem)
        } else if run.works.leased == 0, run.works.ready > 0 {
            parts.append("waiting for a worker")
        }
        return parts.joined(separator: " | ")
    }

    /// All runs and workers.
    static func page(_ status: StatusReport) -> String {
        var lines = ["coordinator \(status.build), \(status.time)"]
        if let problem = status.problem { lines.append("problem: \(problem)") }
        for (machine, why) in (status.setAside ?? [:]).sorted(by: { $0.key < $1.key }) {
            lines.append("set aside: \(machine): \(why); quintet readmit \(machine) gives it work again")
        }
        lines.append("")
        if status.runs.isEmpty { lines.append("no runs") }
        for run in status.runs {
            lines.append("run \(run.id)  \(run.state)  \(run.recipe)  \(line(run))"
                + (run.refusedCount > 0 ? "  \(run.refusedCount) refused" : ""))
            lines.append("    " + origin(run))
            lines += (run.refusals ?? []).prefix(refusalsMax).map { "    refused: \($0.name): \($0.reason)" }
            if let replicas = run.replicas { lines.append(indented(replicaTable(replicas, run))) }
        }
        lines += [""] + workerLines(status.workers)
        if let events = status.events {
            lines += [""] + events.map { event in
                let about = [event.run.map { "run \($0)" }, event.piece].compactMap { $0 }.joined(separator: " ")
                return "\(event.time)  \(about.isEmpty ? "" : about + "  ")\(event.message)"
            }
        }
        return lines.joined(separator: "\n")
    }

    private static let refusalsMax = 3

    /// Which run it is: what it is called, of whom, since when, and its settings.
    private static func origin(_ run: StatusReport.Run) -> String {
        var parts = [run.label.map { "'\($0)'" } ?? "no label"]
        if let submitter = run.submitter { parts[0] += " of \(submitter)" }
        parts[0] += ", \(run.submittedAt)"
        if let ended = run.endedAt { parts[0] += " to \(ended)" }
        parts.append("seed \(run.seed), \(run.replicaCount) replicas, "
            + (run.kind == "train" ? "\(run.iterationCount) iterations" : "\(run.volumeCount) volumes"))
        if let preset = preset(run) { parts[1] += ", preset \(preset)" }
        if run.priority != 0 { parts.append("priority \(run.priority)") }
        if let rate = run.iterationsPerSecond { parts.append(String(format: "%.2f it/s", rate)) }
        if let rate = run.volumesPerSecond { parts.append(String(format: "%.1f volumes/h", 3600 * rate)) }
        return parts.joined(separator: " | ")
    }

    /// The settings are the recipe's own; a name of a preset is looked for in them, and nothing else.
    private static func preset(_ run: StatusReport.Run) -> String? {
        struct Named: Decodable { var name: String }
        struct Settings: Decodable { var preset: Named }
        return (try? JSONDecoder().decode(Settings.self, from: Data(run.parameters.utf8)))?.preset.name
    }

    /// The status without what changes while nothing happens.
    static func unchanging(_ status: StatusReport) -> String {
        var still = status
        still.time = ""
        for index in still.workers.indices {
            still.workers[index].silentSeconds = 0
            still.workers[index].work?.seconds = 0
        }
        for index in still.runs.indices {
            still.runs[index].secondsLeft = nil
            still.runs[index].volumesPerSecond = nil
        }
        return page(still)
    }

    /// Those that have gone are only counted.
    private static func workerLines(_ workers: [StatusReport.Worker]) -> [String] {
        let shown = workers.filter { $0.isConnected || $0.work != nil }
        let goneCount = workers.count - shown.count
        return (shown.isEmpty ? ["no workers"] : [workerTable(shown).text()])
            + (goneCount > 0 ? [goneCount == 1 ? "1 worker has left" : "\(goneCount) workers have left"] : [])
    }

    private static func replicaTable(_ replicas: [StatusReport.Replica], _ run: StatusReport.Run) -> TextTable {
        var table = TextTable(header: ["replica", "state", "iteration", "safe", "loss", "it/s", "left", "worker"])
        table.rows = replicas.map { replica in
            [
                "replica-\(replica.replica)", replica.state, "\(replica.iteration)/\(run.iterationCount)",
                "\(replica.checkpointIteration)", replica.figures?["loss"].map { String(format: "%.4f", $0) } ?? "",
                replica.iterationsPerSecond.map { String(format: "%.2f", $0) } ?? "",
                replica.secondsLeft.map { Console.duration(seconds: $0) } ?? "", replica.worker ?? "",
            ]
        }
        return table
    }

    private static func workerTable(_ workers: [StatusReport.Worker]) -> TextTable {
        var table = TextTable(header: ["worker", "device", "threads", "connected", "works on"])
        table.rows = workers.map { worker in
            [
                worker.name, worker.device, "\(worker.threadCount)", worker.isConnected ? "yes" : "no",
                worker.work.map {
                    "run \($0.run) \($0.step) \($0.name) " + String(format: "%.0f%%", 100 * $0.fraction)
                } ?? (worker.isLeaving ? "leaves" : worker.isConnected ? "idle" : ""),
            ]
        }
        return table
    }

    private static func indented(_ table: TextTable) -> String {
        table.text().split(separator: "\n").map { "    " + $0 }.joined(separator: "\n")
    }
}
