import Coordinator
import Testing

/// Reads the audit from the beginning and keeps its own account of which leases run. What it says must hold at every
/// moment: at most one lease on a work runs, or two where the second one is a backup; a newer lease has a higher
/// epoch; what was accepted came under a lease that ran, or was the latest and nobody else had the work; no work was
/// done twice.
struct LeaseBook {
    private var running: [Int: Set<Int>] = [:]
    private var latest: [Int: Int] = [:]
    private var done: Set<Int> = []
    private(set) var problems: [String] = []

    static func problems(in database: Database) throws -> [String] {
        var book = LeaseBook()
        var works: [Int: [Int]] = [:]
        try database.query("SELECT run, id FROM works") { works[$0.int(0), default: []].append($0.int(1)) }
        let events = "SELECT ifnull(run, 0), ifnull(work, 0), ifnull(epoch, 0), kind FROM events ORDER BY id"
        try database.query(events) {
            let (run, work, epoch, kind) = ($0.int(0), $0.int(1), $0.int(2), $0.text(3))
            switch kind {
            case "cancel": for work in works[run] ?? [] { book.running[work] = [] }
            case "refuse": book.running[work] = []
            // The predict whose votes they are is done again.
            case "recount": book.done.remove(work - 1)
            default: if epoch > 0 { book.note(work, epoch, kind) }
            }
        }
        return book.problems
    }

    /// What workers were told is safe, and the audit does not know.
    /// - Parameter lines: the workers' logs.
    static func acknowledgedAndLost(_ lines: [String], in database: Database) throws -> [String] {
        var known: Set<String> = []
        try database.query(
            "SELECT work, epoch, kind, iteration FROM events WHERE kind IN ('result', 'checkpoint', 'metrics')"
        ) {
            // Of one of two that is not the furthest, the figures are kept.
            let what = $0.text(2) == "result" ? "done" : "\($0.int(3))"
            known.insert("work \($0.int(0)) epoch \($0.int(1)) \(what)")
        }
        return lines.filter { line in
            let pattern = #/(work \d+ epoch \d+): (?:what was trained up to iteration (\d+) is safe|done)$/#
            return line.firstMatch(of: pattern).map { !known.contains("\($0.1) \($0.2 ?? "done")") } ?? false
        }.map { "acknowledged and lost: \($0)" }
    }

    mutating func note(_ work: Int, _ epoch: Int, _ kind: String) {
        let others = running[work, default: []], text = "work \(work) epoch \(epoch) \(kind)"
        if kind == "lease" || kind == "backup" {
            if others.count != (kind == "lease" ? 0 : 1) { problems.append("beside \(others): \(text)") }
            if epoch <= latest[work] ?? 0 { problems.append("not a newer epoch: \(text)") }
            latest[work] = epoch
            running[work, default: []].insert(epoch)
            return
        }
        if kind == "stale" { return }
        let isRunning = others.contains(epoch)
        if !isRunning, !(others.isEmpty && epoch == latest[work]) { problems.append("not running: \(text)") }
        switch kind {
        case "revive": running[work] = [epoch]
        case "result":
            if !done.insert(work).inserted { problems.append("done twice: \(text)") }
            running[work] = []
        case "release": running[work, default: []].remove(epoch)
        case "checkpoint", "metrics": break
        default: problems.append("what is '\(text)'?")
        }
    }
}

/// Events as "epoch kind", of one work.
@Suite struct LeaseBookTests {
    private func problemCount(_ events: [String]) -> Int {
        var book = LeaseBook()
        for event in events {
            let words = event.split(separator: " ")
            book.note(1, Int(words[0])!, String(words[1]))
        }
        return book.problems.count
    }

    @Test func theBookHasNothingAgainstABackup() {
        let start = ["1 lease", "2 backup"]
        #expect(problemCount(start + ["2 release", "1 result"]) == 0)
        #expect(problemCount(start + ["1 release", "2 checkpoint", "2 result"]) == 0)
        #expect(problemCount(["1 lease", "1 release", "1 revive", "1 result"]) == 0)
    }

    @Test(arguments: [
        // Two leases, and none of them is called a backup; or it is one of nothing.
        ["1 lease", "2 lease"], ["1 backup"],
        // Both results.
        ["1 lease", "2 backup", "2 result", "2 result"],
        // Under one that was replaced.
        ["1 lease", "1 release", "2 lease", "1 checkpoint"],
        // An epoch goes back.
        ["2 lease", "2 release", "1 lease"],
        // Something under a lease that nobody has told of.
        ["1 lease", "1 miracle"],
    ]) func theBookSeesWhatItIsThereToSee(_ events: [String]) { #expect(problemCount(events) == 1) }
}
