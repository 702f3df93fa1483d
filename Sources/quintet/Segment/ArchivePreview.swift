import Foundation
import Imaging
import Platform
import Recipes

/// `--dry-run`: what a command would do, by names, sizes and headers alone.
struct ArchivePreview {
    let plan: SegmentationPlan
    let journal: ArchiveJournal

    private struct Report: Codable {
        var count = 0
        var byteCount: UInt64 = 0
        var doneCount = 0
        var toDoCount = 0
        var toDoByteCount: UInt64 = 0
        /// What workers computed on a byte of those that are done.
        var computingSecondsLeft: Double?
        var refused: [Refused] = []

        struct Refused: Codable {
            var source: String
            var reason: String
        }
    }

    init(_ plan: SegmentationPlan, _ journal: ArchiveJournal) { (self.plan, self.journal) = (plan, journal) }

    func tell(_ isJSON: Bool) throws -> ExitCode {
        var report = Report()
        for one in plan.inputs.archive.refused { report.refused.append(.init(source: one.path, reason: one.message)) }
        for item in plan.inputs.archive.items {
            try StopWatch.check()
            look(at: item, &report)
        }
        report.count = plan.inputs.archive.items.count + plan.inputs.archive.refused.count
        report.computingSecondsLeft = secondsLeft(report.toDoByteCount)
        if isJSON {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
            Console.out(String(decoding: try encoder.encode(report), as: UTF8.self))
        } else {
            Console.out(text(report))
        }
        return report.refused.isEmpty ? .done : .doneWithRefusals
    }

    private func look(at item: Archive.Item, _ report: inout Report) {
        let byteCount = item.stamp?.byteCount ?? 0
        report.byteCount += byteCount
        do {
            _ = try plan.inputs.masks?.mask(for: item)
            if let row = journal.rows[item.name], row.refused == nil, row.source == item.path,
                let stamp = item.stamp, journal.seen(item, stamp)?.digest == row.content?.ct
            {
                report.doneCount += 1
                return
            }
            if item.series == nil { _ = try ImageFile.shape(path: item.path, name: item.path) }
            report.toDoCount += 1
            report.toDoByteCount += byteCount
        } catch {
            report.refused.append(.init(source: item.path, reason: PrepareCommand.refusal(error) ?? "\(error)"))
        }
    }

    /// From what was computed before in this folder.
    private func secondsLeft(_ byteCount: UInt64) -> Double? {
        let rows = journal.rows.values.filter { $0.refused == nil && $0.seconds ?? 0 > 0 && $0.byteCount ?? 0 > 0 }
        guard rows.count >= 3 else { return nil }
        let seconds = rows.reduce(0) { $0 + $1.seconds! }, bytes = rows.reduce(0) { $0 + Double($1.byteCount!) }
        return seconds / bytes * Double(byteCount)
    }

    private func text(_ report: Report) -> String {
        func size(_ bytes: UInt64) -> String { String(format: "%.2f GiB", Double(bytes) / Double(1 << 30)) }
        var lines = [
            "\(report.count) CTs, \(size(report.byteCount))",
            "\(report.doneCount) have their answers in \(plan.output.path)",
            "\(report.toDoCount) would be sent, \(size(report.toDoByteCount))",
        ]
        if let seconds = report.computingSecondsLeft {
            lines.append("about \(Console.duration(seconds: seconds)) on one worker like those that have computed "
                + "here, divided by their number")
        } else if report.toDoCount > 0 {
            lines.append("how long that takes is known after a few: say --limit 5 first, and --dry-run again")
        }
        lines.append("\(report.refused.count) would be refused by names and headers")
        lines += report.refused.map { "  \($0.reason)" }
        return lines.joined(separator: "\n")
    }
}
