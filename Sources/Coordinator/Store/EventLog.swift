import Foundation
import Platform

/// The audit as a file for collectors of logs: each entry that is committed becomes a line of JSON with the fields of
/// `StatusReport.Event`. Nothing is left out, not even while the file cannot be written: the audit is in the store, and
/// what was written last is remembered beside it. After a crash the last lines may come twice; their `id` tells.
package final class EventLog: @unchecked Sendable {
    private let path: String
    private let positionPath: String
    private let log: Log
    // Unchecked: the store's thread is the only one that appends.
    private var lastID: Int64
    private var keptID: Int64?
    private var keptMilliseconds: UInt64 = 0
    private var hasTold = false
    private let encoder = JSONEncoder()

    private static let countAtOnce = 1000

    /// - Parameter path: the file, which is made where it is missing; "-" is standard output. It may be moved away at
    ///   any time, as logrotate does: what comes later goes to a new one.
    /// - Throws: `FileError`, `StoreError`.
    package init(path: String, stateFolder: String, store: Store, log: Log) throws {
        (self.path, self.log) = (path, log)
        positionPath = stateFolder + "/event-log-position"
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let latest = try store.latestEventID()
        let known = FileSystem.exists(positionPath)
            ? Int64(try FileSystem.readText(positionPath, byteCountMax: 32).filter { $0 != "\n" }) : nil
        // Whoever begins to collect wants what comes; the past is with `status --history`. A store that is younger than
        // the position is another one.
        lastID = known.map { min($0, latest) } ?? latest
        if path != "-" { try FileSystem.append("", to: path) }
    }

    /// Everything that has come since.
    package func append(from store: Store) {
        do {
            while true {
                let events = try store.events(after: lastID, countMax: Self.countAtOnce)
                guard let last = events.last else { break }
                let lines = try events.map { event in
                    String(decoding: try encoder.encode(StatusReport.Event(event)), as: UTF8.self)
                }
                try write(lines.joined(separator: "\n") + "\n")
                lastID = last.id
            }
            // Not with each: it is synced.
            if MonotonicClock.nowMilliseconds() >= keptMilliseconds + 1_000 { try keepPosition() }
            if hasTold { log("events are written to \(path) again; none is missing") }
            hasTold = false
        } catch {
            if !hasTold { log.problem("events wait until they can be written: \(error)") }
            hasTold = true
        }
    }

    /// When nothing more comes.
    package func close() {
        do { try keepPosition() } catch { log.problem("the last events will be written once more: \(error)") }
    }

    private func keepPosition() throws {
        keptMilliseconds = MonotonicClock.nowMilliseconds()
        guard keptID != lastID else { return }
        try AtomicFile.write("\(lastID)\n", to: positionPath)
        keptID = lastID
    }

    private func write(_ text: String) throws {
        if path == "-" { try StandardStream.output.write(text) } else { try FileSystem.append(text, to: path) }
    }
}
