import Foundation
import Numerics
import Platform

/// What a folder of answers remembers of its archive, so that nothing is read, sent or computed again that need not be:
/// one JSON object a line, added as things happen. A line that a crash has cut is left out.
struct ArchiveJournal {
    static let name = ".quintet-archive"

    /// A file of the archive that was read.
    struct SeenFile: Codable {
        /// Absolute.
        var path: String
        var stamp: FileStamp
        var digest: String
        /// What a worker needs for it.
        var memoryByteCount: UInt64
    }

    /// A run at a coordinator, which the items go to.
    struct OpenRun: Codable {
        /// Counts the folder's runs, so that each has a key of its own.
        var number: Int
        var key: String
        /// No more items come.
        var isEnded: Bool
        /// Digest of what it computes with: an item of other settings belongs into another run.
        var settings: String
    }

    /// Whose answer a name has, or is to have: what another CT of that name must not take.
    struct Owner: Codable {
        var content: AnsweredContent
        var source: String
    }

    /// An item that was sent to the open run, or is about to be.
    struct Sent: Codable {
        var name: String
        var source: String
        var mask: String?
        var content: AnsweredContent
        var byteCount: UInt64
        /// What a worker needs for it.
        var memoryByteCount: UInt64
    }

    private struct Named: Codable {
        var name: String
        var owner: Owner
    }

    private struct Line: Codable {
        /// In the first line, of this file; earlier programs wrote none.
        var format: Int?
        var folder: String?
        var seen: SeenFile?
        var run: OpenRun?
        var sent: Sent?
        var owner: Named?
        /// The open run has only so many of the items that were sent.
        var sentCount: Int?
        var row: AnswerRow?
        /// A row that counts no more.
        var dropped: String?
        /// What archive.csv had when the command began: rows were added behind it.
        var tableByteCount: Int?
    }

    /// Random, made once: runs of other folders have other keys.
    private(set) var folderID = ""
    private(set) var seen: [String: SeenFile] = [:]
    private(set) var run: OpenRun?
    /// By their positions in the open run.
    private(set) var sent: [Sent] = []
    private(set) var rows: [String: AnswerRow] = [:]
    private(set) var owners: [String: Owner] = [:]
    private(set) var tableByteCount: Int?
    private var nameByContent: [AnsweredContent: String] = [:]
    private var path: String
    private var lineCount = 0
    private let decoder = JSONDecoder(), encoder = JSONEncoder()

    private static let byteCountMax = 2 << 30
    private static let format = 1

    /// - Throws: `FileError` where it is there and cannot be read, `CommandError` where a later program wrote it.
    init(folder: String) throws {
        path = "\(folder)/\(Self.name)"
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard FileSystem.exists(path) else { return }
        for line in try FileSystem.read(path, byteCountMax: Self.byteCountMax).split(separator: UInt8(ascii: "\n")) {
            guard let line = try? decoder.decode(Line.self, from: Data(line)) else { continue }
            if let format = line.format, format != Self.format {
                throw CommandError("\(path) has the format \(format), of a later quintet; use that one, or another "
                    + "folder")
            }
            take(line)
            lineCount += 1
        }
    }

    /// Begins to be written: what is out of date is left out, and a file that was cut ends in a whole line.
    mutating func open() throws {
        if folderID.isEmpty { folderID = SHA256.hexadecimal(of: Array(UUID().uuidString.utf8)).prefix(32).description }
        try write(all)
    }

    /// Answers of other settings count no more; what is known of the files stays.
    mutating func forgetAnswers() {
        (rows, owners, nameByContent, sent) = ([:], [:], [:], [])
        run?.isEnded = true
    }

    /// Whose the CTs are, which an earlier command was asked to keep.
    mutating func forgetIdentities() { for name in rows.keys { rows[name]!.identity = nil } }

    private var all: [Line] {
        var lines = [Line(format: Self.format, folder: folderID)]
        lines += seen.values.map { Line(seen: $0) } + rows.values.map { Line(row: $0) }
        if let run { lines.append(Line(run: run)) }
        lines += sent.map { Line(sent: $0) }
        // Behind rows and items, which have owners of their own.
        lines += owners.map { Line(owner: Named(name: $0, owner: $1)) }
        if let tableByteCount { lines.append(Line(tableByteCount: tableByteCount)) }
        return lines
    }

    private mutating func write(_ lines: [Line]) throws {
        var bytes: [UInt8] = []
        for line in lines { bytes += try encoder.encode(line) + [UInt8(ascii: "\n")] }
        try AtomicFile.write(bytes, to: path)
        lineCount = lines.count
    }

    private mutating func add(_ line: Line) throws {
        take(line)
        try FileSystem.append(String(decoding: try encoder.encode(line), as: UTF8.self) + "\n", to: path)
        lineCount += 1
        // A folder that is watched for years.
        if lineCount > 10_000, lineCount > 4 * (seen.count + rows.count + sent.count + owners.count) { try write(all) }
    }

    private mutating func take(_ line: Line) {
        if let folder = line.folder { folderID = folder }
        if let file = line.seen { seen[file.path] = file }
        if let run = line.run {
            if run.number != self.run?.number { sent = [] }
            self.run = run
        }
        if let item = line.sent {
            sent.append(item)
            owners[item.name] = Owner(content: item.content, source: item.source)
        }
        if let count = line.sentCount, count <= sent.count { sent.removeLast(sent.count - count) }
        if let row = line.row {
            rows[row.name] = row
            if row.refused == nil, let content = row.content {
                nameByContent[content] = row.name
                owners[row.name] = Owner(content: content, source: row.source)
            }
        }
        if let named = line.owner { owners[named.name] = named.owner }
        if let name = line.dropped { rows[name] = nil }
        if let count = line.tableByteCount { tableByteCount = count }
    }

    // MARK: - What happens

    /// What is known of a file that has not changed since it was read.
    func seen(_ path: String, _ stamp: FileStamp) -> SeenFile? {
        guard let absolute = try? FileSystem.absolutePath(path), let file = seen[absolute], file.stamp == stamp else {
            return nil
        }
        return file
    }

    /// The same of a CT, which may be a DICOM series.
    func seen(_ item: Archive.Item, _ stamp: FileStamp) -> SeenFile? {
        guard item.series != nil else { return seen(item.path, stamp) }
        guard let file = seen[Self.key(of: item)], file.stamp == stamp else { return nil }
        return file
    }

    /// What a CT is noted under: of a series its folder and which of those there it is.
    static func key(of item: Archive.Item) -> String {
        let path = (try? FileSystem.absolutePath(item.path)) ?? item.path
        return item.series.map { "\(path)#\($0.shortID)" } ?? path
    }

    mutating func note(_ file: SeenFile) throws { try add(Line(seen: file)) }
    mutating func note(_ run: OpenRun) throws { try add(Line(run: run)) }
    mutating func note(_ item: Sent) throws { try add(Line(sent: item)) }
    mutating func noteSentCount(_ count: Int) throws { try add(Line(sentCount: count)) }
    mutating func note(_ row: AnswerRow) throws { try add(Line(row: row)) }
    mutating func noteTable(byteCount: Int) throws { try add(Line(tableByteCount: byteCount)) }
    mutating func drop(_ name: String) throws { try add(Line(dropped: name)) }

    /// What was noted is there after a power cut.
    func sync() throws { try FileSystem.sync(path) }

    /// The row's name of a CT that is refused: a name whose answer is another CT's keeps that one's row.
    func rowName(_ name: String, of source: String) -> String {
        guard let owner = owners[name], !Self.isSame(owner.source, source) else { return name }
        return source
    }

    /// Whether two paths are one; of what is not there any more, by their words.
    static func isSame(_ path: String, _ other: String) -> Bool {
        func absolute(_ path: String) -> String { (try? FileSystem.absolutePath(path)) ?? path }
        return path == other || absolute(path) == absolute(other)
    }

    /// An answer to the same bytes, whatever its CT is called.
    func answer(to content: AnsweredContent) -> AnswerRow? {
        guard let row = nameByContent[content].flatMap({ rows[$0] }), row.content == content, row.refused == nil
        else { return nil }
        return row
    }
}
