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
        let events = "SELECT ifnull(run, 0), ifnull(work, 0), ifnull(epoch, 0), message FROM events ORDER BY id"
        try database.query(events) {
            let (run, work, epoch, message) = ($0.int(0), $0.int(1), $0.int(2), $0.text(3))
            if epoch > 0 {
                book.note(work, epoch, message)
            } else if message == "run \(run) cancelled" {
                for work in works[run] ?? [] { book.running[work] = [] }
            } else if message.hasPrefix("work \(work) refused ") {
                book.running[work] = []
            } else if message.hasPrefix("work \(work) votes damaged: ") {
                // The predict whose votes they are is done again.
                book.done.remove(work - 1)
            }
        }
        return book.problems
    }

    /// What workers were told is safe, and the audit does not know.
    /// - Parameter lines: the workers' logs.
    static func acknowledgedAndLost(_ lines: [String], in database: Database) throws -> [String] {
        var known: Set<String> = []
        try database.query("SELECT message FROM events") {
            // Of one of two that is not the furthest, the figures are kept.
            let pattern =
                #/^(work \d+ epoch \d+) of \S+ (?:(done): |checkpoint (\d+), |\d+ more metrics, to iteration (\d+))/#
            guard let match = $0.text(0).firstMatch(of: pattern) else { return }
            known.insert("\(match.1) \(match.2 ?? match.3 ?? match.4!)")
        }
        return lines.filter { line in
            let pattern = #/(work \d+ epoch \d+): (?:what was trained up to iteration (\d+) is safe|done)$/#
            return line.firstMatch(of: pattern).map { !known.contains("\($0.1) \($0.2 ?? "done")") } ?? false
        }.map { "acknowledged and lost: \($0)" }
    }

    mutating func note(_ work: Int, _ epoch: Int, _ message: String) {
        let pattern = #/^work \d+ epoch \d+ (leased to \S+( as a backup)?|of \S+ (.*))/#
        guard let match = message.firstMatch(of: pattern) else {
            return problems.append("what is '\(message)'?")
        }
        let others = running[work, default: []]
        guard let word = match.3 else {
            let wanted = match.2 == nil ? 0 : 1
            if others.count != wanted { problems.append("beside \(others): \(message)") }
            if epoch <= latest[work] ?? 0 { problems.append("not a newer epoch: \(message)") }
            latest[work] = epoch
            running[work, default: []].insert(epoch)
            return
        }
        if word.hasPrefix("turned down: ") { return }
        let isRunning = others.contains(epoch)
        if !isRunning, !(others.isEmpty && epoch == latest[work]) { problems.append("not running: \(message)") }
        if word == "revived" {
            running[work] = [epoch]
        } else if word.hasPrefix("done: ") {
            if !done.insert(work).inserted { problems.append("done twice: \(message)") }
            running[work] = []
        } else if word.firstMatch(of: #/^(lapsed|not held|drained|failed|revoked): /#) != nil {
            running[work, default: []].remove(epoch)
        }
    }
}

@Suite struct LeaseBookTests {
    private func problemCount(_ messages: [String]) -> Int {
        var book = LeaseBook()
        for message in messages { book.note(1, message.contains("epoch 1") ? 1 : 2, "work 1 \(message)") }
        return book.problems.count
    }

    @Test func theBookHasNothingAgainstABackup() {
        let start = ["epoch 1 leased to a:1, from iteration 0", "epoch 2 leased to b:2 as a backup: a:1 is slow"]
        #expect(problemCount(start + ["epoch 2 of b:2 revoked: it failed: done: no", "epoch 1 of a:1 done: x"]) == 0)
        #expect(problemCount(start + ["epoch 1 of a:1 revoked: beaten", "epoch 2 of b:2 done: x"]) == 0)
        #expect(problemCount([start[0], "epoch 1 of a:1 lapsed: silent", "epoch 1 of a:1 revived"]) == 0)
    }

    @Test(arguments: [
        // Two leases, and none of them is called a backup; or it is one of nothing.
        ["epoch 1 leased to a:1", "epoch 2 leased to b:2"], ["epoch 1 leased to a:1 as a backup: why"],
        // Both results.
        ["epoch 1 leased to a:1", "epoch 2 leased to b:2 as a backup: why", "epoch 2 of b:2 done: x",
            "epoch 2 of b:2 done: x"],
        // Under one that was replaced.
        ["epoch 1 leased to a:1", "epoch 1 of a:1 lapsed: silent", "epoch 2 leased to b:2",
            "epoch 1 of a:1 checkpoint 3, 1 metrics"],
        // An epoch goes back.
        ["epoch 2 leased to a:1", "epoch 2 of a:1 drained: leaves", "epoch 1 leased to b:2"],
    ]) func theBookSeesWhatItIsThereToSee(_ messages: [String]) { #expect(problemCount(messages) == 1) }
}
