import CSQLite

// The one door to SQLite.

/// A value in a row, or to bind to a statement.
package enum SQLValue: Hashable, Sendable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)

    /// A number without a sign, kept bit by bit: `sqlite3` shows those above 2^63 as negative.
    package static func bits(_ value: UInt64) -> SQLValue { .integer(Int64(bitPattern: value)) }

    package static func optional(_ text: String?) -> SQLValue { text.map(SQLValue.text) ?? .null }
}

/// One row of an answer; columns from 0.
package struct SQLRow {
    fileprivate let statement: OpaquePointer

    package func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }
    package func bits(_ column: Int32) -> UInt64 { UInt64(bitPattern: integer(column)) }
    package func int(_ column: Int32) -> Int { Int(integer(column)) }
    package func uint32(_ column: Int32) -> UInt32 { UInt32(clamping: integer(column)) }

    /// SQLite keeps "not a number" as NULL.
    package func real(_ column: Int32) -> Double {
        sqlite3_column_type(statement, column) == SQLITE_NULL ? .nan : sqlite3_column_double(statement, column)
    }

    package func text(_ column: Int32) -> String { optionalText(column) ?? "" }

    package func optionalText(_ column: Int32) -> String? {
        sqlite3_column_text(statement, column).map { String(cString: $0) }
    }

    package func optionalInteger(_ column: Int32) -> Int64? {
        sqlite3_column_type(statement, column) == SQLITE_NULL ? nil : integer(column)
    }
}

/// A connection to a database file, in WAL mode with `synchronous=FULL`: what a transaction has committed is there
/// after a power cut. Used by one thread at a time.
package final class Database {
    package let path: String
    private var handle: OpaquePointer?
    private var statements: [String: OpaquePointer] = [:]
    /// What records changes, while somebody wants them.
    private var session: OpaquePointer?

    /// Opens or makes the file.
    /// - Throws: `StoreError`.
    package init(path: String) throws {
        self.path = path
        let code = sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nil)
        guard code == SQLITE_OK else {
            let error = failure(code, sql: "")
            sqlite3_close_v2(handle)
            handle = nil
            throw error
        }
        sqlite3_extended_result_codes(handle, 1)
        sqlite3_busy_timeout(handle, 5_000)
        // The second line: what a file that was tampered with could make SQLite itself do.
        try execute("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;")
        try execute("PRAGMA foreign_keys = ON; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
    }

    deinit { close() }

    /// Ends the connection; the last one folds the write-ahead log into the file.
    package func close() {
        endCapture()
        for statement in statements.values { sqlite3_finalize(statement) }
        statements = [:]
        sqlite3_close_v2(handle)
        handle = nil
    }

    /// Runs statements without values, once: the schema, pragmas.
    package func execute(_ sql: String) throws {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure(code, sql: sql) }
    }

    /// Runs one statement that answers nothing. Returns how many rows it changed.
    @discardableResult
    package func run(_ sql: String, _ values: SQLValue...) throws -> Int { try run(sql, values: values) }

    @discardableResult
    package func run(_ sql: String, values: [SQLValue]) throws -> Int {
        let statement = try prepare(sql, values)
        defer { sqlite3_reset(statement) }
        let code = sqlite3_step(statement)
        guard code == SQLITE_DONE || code == SQLITE_ROW else { throw failure(code, sql: sql) }
        return Int(sqlite3_changes(handle))
    }

    /// Gives each row of an answer to `body`.
    package func query(_ sql: String, _ values: SQLValue..., body: (SQLRow) throws -> Void) throws {
        let statement = try prepare(sql, values)
        defer { sqlite3_reset(statement) }
        while true {
            let code = sqlite3_step(statement)
            if code == SQLITE_DONE { return }
            guard code == SQLITE_ROW else { throw failure(code, sql: sql) }
            try body(SQLRow(statement: statement))
        }
    }

    /// Everything in `body` happens, or nothing.
    package func transaction<Result>(_ body: () throws -> Result) throws -> Result {
        try execute("BEGIN IMMEDIATE")
        do {
            let result = try body()
            try execute("COMMIT")
            return result
        } catch {
            // A full disk has rolled it back already; then there is nothing to roll back, and that is fine.
            _ = sqlite3_exec(handle, "ROLLBACK", nil, nil, nil)
            throw error
        }
    }

    // MARK: - Changes, for another database that is to be the same

    /// From now on changes are recorded, until `endCapture`.
    package func beginCapture() throws {
        endCapture()
        try check(sqlite3session_create(handle, "main", &session))
        try check(sqlite3session_attach(session, nil))
    }

    package var isCapturing: Bool { session != nil }

    package func endCapture() {
        if let session { sqlite3session_delete(session) }
        session = nil
    }

    /// What has been committed since `beginCapture`, or since the last call: rows as they were and as they are.
    package func takeChanges() throws -> [UInt8] {
        precondition(session != nil, "changes are taken of a database that records them")
        var count: Int32 = 0, start: UnsafeMutableRawPointer?
        try check(sqlite3session_changeset(session, &count, &start))
        defer { sqlite3_free(start) }
        let bytes = Array(UnsafeRawBufferPointer(start: start, count: Int(count)))
        try beginCapture()
        return bytes
    }

    /// Makes the changes of another database here: all of them, or none where a row is not as it was there.
    /// - Throws: `StoreError`.
    package func apply(changes: [UInt8]) throws {
        guard !changes.isEmpty else { return }
        var changes = changes
        let code = changes.withUnsafeMutableBytes { bytes in
            sqlite3changeset_apply(
                handle, Int32(bytes.count), bytes.baseAddress, nil, { _, _, _ in SQLITE_CHANGESET_ABORT }, nil)
        }
        try check(code)
    }

    /// A copy of everything that is committed, as a new file.
    package func copy(to path: String) throws { try run("VACUUM INTO ?", .text(path)) }

    private func check(_ code: Int32) throws {
        guard code == SQLITE_OK else { throw failure(code, sql: "") }
    }

    private func prepare(_ sql: String, _ values: [SQLValue]) throws -> OpaquePointer {
        let statement: OpaquePointer
        if let known = statements[sql] {
            statement = known
        } else {
            var made: OpaquePointer?
            let code = sqlite3_prepare_v2(handle, sql, -1, &made, nil)
            guard code == SQLITE_OK, let made else { throw failure(code, sql: sql) }
            statements[sql] = made
            statement = made
        }
        precondition(Int(sqlite3_bind_parameter_count(statement)) == values.count, "values do not fit: \(sql)")
        for (index, value) in values.enumerated() {
            let code = bind(value, to: statement, at: Int32(index + 1))
            guard code == SQLITE_OK else { throw failure(code, sql: sql) }
        }
        return statement
    }

    private func bind(_ value: SQLValue, to statement: OpaquePointer, at index: Int32) -> Int32 {
        switch value {
        case .null: return sqlite3_bind_null(statement, index)
        case .integer(let number): return sqlite3_bind_int64(statement, index, number)
        case .real(let number): return sqlite3_bind_double(statement, index, number)
        case .text(let text):
            // SQLITE_TRANSIENT, a cast that Swift does not import: SQLite makes its own copy.
            let copy = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
            return text.utf8.withContiguousStorageIfAvailable { bytes in
                bytes.withMemoryRebound(to: CChar.self) {
                    $0.isEmpty
                        ? sqlite3_bind_text(statement, index, "", 0, copy)
                        : sqlite3_bind_text(statement, index, $0.baseAddress, Int32($0.count), copy)
                }
            } ?? sqlite3_bind_text(statement, index, text, -1, copy)
        }
    }

    package func failure(_ code: Int32, sql: String) -> StoreError {
        let message = handle.flatMap { sqlite3_errmsg($0) }.map { String(cString: $0) } ?? "cannot be opened"
        let kind: StoreError.Kind
        switch code & 0xff {
        case SQLITE_FULL: kind = .diskFull
        case SQLITE_BUSY, SQLITE_LOCKED: kind = .locked
        case SQLITE_CORRUPT, SQLITE_NOTADB: kind = .corrupt
        case SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH: kind = .notAllowed
        default: kind = .other
        }
        return StoreError(kind: kind, code: code, message: message, sql: sql, path: path)
    }
}
