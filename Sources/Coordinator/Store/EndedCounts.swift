import Protocol

// How many works of a run stand where is counted once, when it ends: its rows are read no more.

extension Store {
    func keepCounts(of run: RunID) throws {
        try database.run(
            """
            UPDATE runs SET counts = (SELECT group_concat(line, ';') FROM (
                SELECT step || ' ' || state || ' ' || ifnull(cause, '-') || ' ' || count(*) AS line
                FROM works WHERE run = ?1 GROUP BY step, state, cause)) WHERE id = ?1
            """, id(run))
    }

    /// By step.
    func counts(of run: RunID, stepCount: Int) throws -> [WorkCounts] {
        var text: String?
        try database.query("SELECT counts FROM runs WHERE id = ?", id(run)) { text = $0.optionalText(0) }
        var counts = [WorkCounts](repeating: WorkCounts(), count: stepCount)
        // One that ended before this was kept.
        guard let text else { return try count(run, into: counts) }
        for line in text.split(separator: ";") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 4, let step = Int(words[0]), counts.indices.contains(step), let count = Int(words[3]),
                count >= 0
            else { throw corrupt("'\(text.prefix(80))' are no counts") }
            counts[step].add(Self.state(words[1], words[2]), count: count)
        }
        return counts
    }

    private func count(_ run: RunID, into counts: [WorkCounts]) throws -> [WorkCounts] {
        var counts = counts
        try database.query(
            "SELECT step, state, cause, count(*) FROM works WHERE run = ? GROUP BY step, state, cause", id(run)
        ) { row in
            guard counts.indices.contains(row.int(0)) else { throw corrupt("\(run) has works of no step") }
            counts[row.int(0)].add(Self.state(row.text(1), row.optionalText(2)), count: row.int(3))
        }
        return counts
    }
}
