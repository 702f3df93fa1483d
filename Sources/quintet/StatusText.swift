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
                if let loss = replica.loss { text += String(format: " loss %.3f", loss) }
                parts.append(text)
            }
            let done = replicas.filter { $0.state == "done" }.count
            if done > 0 { parts.append("\(done) done") }
        } else {
            parts.append("\(run.works.done) of \(run.works.total) pieces")
        }
        if run.works.leased == 0, run.works.ready > 0 { parts.append("waiting for a worker") }
        return parts.joined(separator: " | ")
    }

    /// All runs and workers.
    static func page(_ status: StatusReport) -> String {
        var lines = ["coordinator \(status.build), \(status.time)", ""]
        if status.runs.isEmpty { lines.append("no runs") }
        for run in status.runs {
            lines.append("run \(run.id)  \(run.state)  \(run.recipe)  \(line(run))"
                + (run.refusedCount > 0 ? "  \(run.refusedCount) refused" : ""))
            if let replicas = run.replicas { lines.append(indented(replicaTable(replicas, run))) }
        }
        lines += ["", status.workers.isEmpty ? "no workers" : workerTable(status.workers).text()]
        if let events = status.events {
            lines += [""] + events.map { event in
                let about = [event.run.map { "run \($0)" }, event.piece].compactMap { $0 }.joined(separator: " ")
                return "\(event.time)  \(about.isEmpty ? "" : about + "  ")\(event.message)"
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func replicaTable(_ replicas: [StatusReport.Replica], _ run: StatusReport.Run) -> TextTable {
        var table = TextTable(header: ["replica", "state", "iteration", "safe", "loss", "it/s", "left", "worker"])
        table.rows = replicas.map { replica in
            [
                "replica-\(replica.replica)", replica.state, "\(replica.iteration)/\(run.iterationCount)",
                "\(replica.checkpointIteration)", replica.loss.map { String(format: "%.4f", $0) } ?? "",
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
                    "run \($0.run) \($0.stage) \($0.name) " + String(format: "%.0f%%", 100 * $0.fraction)
                } ?? (worker.isConnected ? "idle" : ""),
            ]
        }
        return table
    }

    private static func indented(_ table: TextTable) -> String {
        table.text().split(separator: "\n").map { "    " + $0 }.joined(separator: "\n")
    }
}
