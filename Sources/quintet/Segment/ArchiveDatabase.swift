import Coordinator
import Platform
import Recipes

/// archive.sqlite: the table for those who would rather ask in SQL. Written whole, at a command's end.
enum ArchiveDatabase {
    static let name = "archive.sqlite"
    /// Its `user_version`.
    private static let format = 1

    static func write(_ table: AnswerTable, _ plan: SegmentationPlan) throws {
        let path = plan.output.path(of: name), new = path + ".new"
        try FileSystem.remove(new)
        let figures = plan.guide.figures, identity = plan.options.keepsIdentity ? DicomIdentity.columns : []
        let database = try Database(path: new)
        try database.execute("PRAGMA journal_mode = DELETE; PRAGMA user_version = \(format)")
        try database.execute("""
            CREATE TABLE archive(name TEXT PRIMARY KEY, state TEXT NOT NULL, path TEXT NOT NULL, bytes INTEGER,
                sha256 TEXT, \(figures.map { "\($0.column) REAL" }.joined(separator: ", ")),
                \(plan.guide.maskColumn) TEXT, add_hu REAL, seconds REAL, worker TEXT, warnings TEXT, refused TEXT
                \(identity.map { ", \($0) TEXT" }.joined()))
            STRICT
            """)
        let marks = Array(repeating: "?", count: figures.count + identity.count + 11).joined(separator: ", ")
        try database.transaction {
            for row in table.allRows {
                let own: [SQLValue] = [
                    .text(row.name),
                    .text(row.refused == nil ? AnswerTable.state.done : AnswerTable.state.refused), .text(row.source),
                    row.byteCount.map { .integer(Int64(clamping: $0)) } ?? .null, .optional(row.content?.ct),
                ]
                let values = figures.map { figure -> SQLValue in row.figures[figure.name].map { .real($0) } ?? .null }
                try database.run("INSERT INTO archive VALUES(\(marks))", values: own + values + [
                    .optional(row.mask), row.addHU.map { .real($0) } ?? .null,
                    row.seconds.map { .real($0) } ?? .null, .optional(row.worker),
                    .optional(row.warnings?.joined(separator: " | ")), .optional(row.refused),
                ] + identity.indices.map { .optional(row.identity?.cells[$0]) })
            }
        }
        database.close()
        try plan.output.willWrite(name, digest: Hexadecimal.text(try SHA256.digest(ofFile: new)))
        try FileSystem.openToOthers(new)
        try FileSystem.rename(new, to: path)
    }
}
