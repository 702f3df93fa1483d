import Imaging
import Platform

/// A folder that a command writes into. It remembers what was written there, by which command and with which settings,
/// in a list beside the files that `sha256sum -c .quintet-files` reads as well, and replaces that and nothing else: not
/// an input, not a file of another program or another command, not an answer that somebody has corrected by hand since.
final class OutputFolder {
    static let ledgerName = ".quintet-files"

    let path: String
    /// The command: "segment".
    let kind: String
    let mayOverwrite: Bool
    /// What all files of the folder must have in common, in words; "" where there is no such thing.
    private var settings: String
    private var earlierKind: String?
    private var earlierSettings: String?
    /// All digests that a file of ours has had: a crash may have left an older one.
    private var digests: [String: Set<String>] = [:]
    /// The latest.
    private var latest: [String: String] = [:]
    private var isLedgerWhole = false
    /// Files that are known to be as quintet wrote them, so that nobody has to read them.
    var isUntouched: (_ name: String) -> Bool = { _ in false }

    /// Of a list of 100,000 answers, several times rewritten.
    private static let ledgerBytesMax = 256 << 20
    private static let kindMark = "# quintet ", settingsMark = "# settings: "

    /// Reads what is known of the folder; makes nothing.
    /// - Parameter mayOverwrite: `--overwrite`: files that are not known to be ours, and what was made with other
    ///   settings, may be replaced; inputs never.
    init(_ path: String, kind: String, settings: String = "", mayOverwrite: Bool) throws {
        (self.path, self.kind, self.settings, self.mayOverwrite) = (path, kind, settings, mayOverwrite)
        guard FileSystem.exists(ledgerPath) else { return }
        let text = String(
            decoding: try FileSystem.read(ledgerPath, byteCountMax: Self.ledgerBytesMax), as: UTF8.self)
        for line in text.split(separator: "\n") {
            if line.hasPrefix(Self.kindMark) {
                earlierKind = String(line.dropFirst(Self.kindMark.count))
            } else if line.hasPrefix(Self.settingsMark) {
                earlierSettings = String(line.dropFirst(Self.settingsMark.count))
            } else if line.utf8.count > 66 {
                // A line that a crash has cut has no end.
                let digest = line.prefix(64), name = String(line.dropFirst(66))
                digests[name, default: []].insert(String(digest))
                latest[name] = String(digest)
            }
        }
    }

    private var ledgerPath: String { "\(path)/\(Self.ledgerName)" }

    func path(of name: String) -> String { "\(path)/\(name)" }

    // MARK: - Before anything is written

    /// - Parameters:
    ///   - names: all files that will be written.
    ///   - inputs: all files that are read.
    /// - Throws: `CommandError` naming the files that are in the way.
    func check(_ names: [String], inputs: [String]) throws {
        if FileSystem.exists(path), !FileSystem.isFolder(path) {
            throw CommandError("\(path) is a file; name a folder to write into")
        }
        if let earlierKind, earlierKind != kind {
            throw CommandError("\(path) is what quintet \(earlierKind) wrote; name another folder for quintet \(kind)")
        }
        // Of a hundred thousand names most are not there.
        let names = try existing(of: names)
        try OutputGuard.refuse(outputs: names.map(path(of:)), inputs: inputs)
        guard !mayOverwrite else { return }
        if let earlierSettings, earlierSettings != settings {
            throw CommandError("\(path) holds what was made otherwise (\(earlierSettings)) than it would be now "
                + "(\(settings)); name another folder, or say --overwrite to replace it")
        }
        let strangers = try names.filter { try isForeign($0) }
        guard !strangers.isEmpty else { return }
        let them = strangers.count == 1 ? "it" : "them"
        throw CommandError("\(Self.list(strangers.map(path(of:)))): there already, and not as quintet wrote \(them); "
            + "move \(them) away, choose another folder, or say --overwrite")
    }

    private func existing(of names: [String]) throws -> [String] {
        guard names.count > 100, FileSystem.isFolder(path) else { return FileSystem.exists(path) ? names : [] }
        // What a walk does not list (hidden files, links to nothing) is looked at by name.
        let walk = try FolderWalk(path)
        let there = Set(walk.files.map(\.relative)), odd = !walk.skipped.isEmpty
        return names.filter { name in
            there.contains(name) || name.hasPrefix(".") || (odd && FileSystem.isLink(path(of: name)))
        }
    }

    /// Whether a file of ours had these bytes.
    func hasWritten(_ name: String, digest: String) -> Bool { digests[name]?.contains(digest) ?? false }

    /// Of these files the ones that are there and not as quintet wrote them; none where that does not matter.
    func foreign(of names: [String]) throws -> [String] { mayOverwrite ? [] : try names.filter { try isForeign($0) } }

    /// What lies there, hidden files aside, and is not as quintet wrote it.
    func strangers() throws -> [String] {
        guard FileSystem.isFolder(path) else { return FileSystem.exists(path) ? [path] : [] }
        let walk = try FolderWalk(path)
        return try walk.files.map(\.relative).filter { try isForeign($0) } + walk.skipped.map(\.relative)
    }

    private func isForeign(_ name: String) throws -> Bool {
        let file = path(of: name)
        guard FileSystem.exists(file) || FileSystem.isLink(file) else { return false }
        guard !isUntouched(name) else { return false }
        guard let known = digests[name], !FileSystem.isFolder(file), FileSystem.exists(file) else { return true }
        guard !known.contains(Hexadecimal.text(try SHA256.digest(ofFile: file))) else { return false }
        return !isDamaged(name)
    }

    /// Ours, and cut by a disk or a crash: empty, or compressed as we do it and not to its end. What a person has put
    /// there is neither.
    private func isDamaged(_ name: String) -> Bool {
        guard ImageFile.isReadable(name), let start = try? FileSystem.read(path(of: name), offset: 0, count: 2),
            start.isEmpty || start == [0x1f, 0x8b]
        else { return false }
        do throws(ImageFileError) {
            _ = try ImageFile.read(path: path(of: name))
            return false
        } catch {
            return start.isEmpty || error.kind == .damaged
        }
    }

    static func list(_ paths: [String]) -> String {
        paths.prefix(3).joined(separator: ", ") + (paths.count > 3 ? " and \(paths.count - 3) more" : "")
    }

    // MARK: - Writing

    /// The folder, made where it is missing, is this process's alone as long as the claim lives. What was made there
    /// with other settings goes, where `--overwrite` says so.
    /// - Throws: `FolderClaim.Held` naming who has it.
    func claim() throws -> FolderClaim {
        try FileSystem.makeFolder(path)
        let claim = try FolderClaim(folder: path, fileName: ".quintet-in-use")
        if let earlierSettings, earlierSettings != settings { try removeOwnFiles() }
        return claim
    }

    /// Those that are as quintet wrote them.
    func removeOwnFiles() throws {
        try remove(latest.keys)
        try writeLedger()
    }

    /// Of these files those that are as quintet wrote them.
    func remove(_ names: some Sequence<String>) throws {
        for name in names where try hasOwn(name) { try FileSystem.remove(path(of: name)) }
    }

    /// Whether this file is there as quintet wrote it.
    func hasOwn(_ name: String) throws -> Bool { try FileSystem.exists(path(of: name)) && !isForeign(name) }

    /// Whole or not at all. The folders above it are made.
    func write(_ bytes: [UInt8], to name: String) throws {
        try willWrite(name, digest: SHA256.hexadecimal(of: bytes))
        try AtomicFile.write(bytes, to: path(of: name))
    }

    func write(_ text: String, to name: String) throws { try write(Array(text.utf8), to: name) }

    /// Notes a file that is about to come, before it does: what is noted and missing does no harm.
    func willWrite(_ name: String, digest: String) throws {
        try FileSystem.makeFolder(FileSystem.folder(of: path(of: name)))
        digests[name, default: []].insert(digest)
        latest[name] = digest
        let line = "\(digest)  \(name)\n"
        guard isLedgerWhole else { return try writeLedger() }
        try FileSystem.append(line, to: ledgerPath)
    }

    /// Written anew each time; `settle` drops what is not there any more.
    private func writeLedger() throws {
        try FileSystem.makeFolder(path)
        let head = [Self.kindMark + kind] + (settings.isEmpty ? [] : [Self.settingsMark + settings])
        let lines = digests.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.flatMap { name, all in
            // The latest last.
            (all.subtracting([latest[name] ?? ""]).sorted() + [latest[name] ?? ""]).map { "\($0)  \(name)\n" }
        }
        try AtomicFile.write(head.map { $0 + "\n" }.joined() + lines.joined(), to: ledgerPath)
        isLedgerWhole = true
    }

    /// At the end of a command: of every file that is there only the digest that it has.
    func settle() throws {
        guard isLedgerWhole else { return }
        digests = latest.filter { FileSystem.exists(path(of: $0.key)) }.mapValues { [$0] }
        latest = latest.filter { digests[$0.key] != nil }
        try writeLedger()
    }
}

extension OutputFolder {
    /// - Throws: `CommandError` when a file that quintet wrote, and reads again, is not as it was.
    static func check(_ file: String, remedy: String) throws {
        let folder = try OutputFolder(FileSystem.folder(of: file), kind: "", mayOverwrite: false)
        let name = Archive.fileName(file)
        guard folder.latest[name] != nil, try folder.isForeign(name) else { return }
        throw CommandError("\(file) has changed since quintet wrote it; put it back, or \(remedy)")
    }
}

/// An output never replaces an input, whatever either is called.
enum OutputGuard {
    /// - Throws: `CommandError` naming both, when an output is one of the inputs.
    static func refuse(outputs: [String], inputs: [String]) throws {
        var inputByIdentity: [FileIdentity: String] = [:]
        for input in inputs { if let identity = FileIdentity(input) { inputByIdentity[identity] = input } }
        for output in outputs {
            guard let identity = FileIdentity(output), let input = inputByIdentity[identity] else { continue }
            throw CommandError("\(output), which would be written, is the input \(input); nothing was written: choose "
                + "another folder for what is made")
        }
    }
}
