import Platform

/// A folder that a command writes into. It remembers what was written there, in a list beside the files that
/// `sha256sum -c .quintet-files` reads as well, and replaces that and nothing else: not an input, not a file of
/// another program, not an answer that somebody has corrected by hand since.
final class OutputFolder {
    static let ledgerName = ".quintet-files"

    let path: String
    let mayOverwrite: Bool
    /// All digests that a file of ours has had: a crash may have left an older one.
    private var digests: [String: Set<String>] = [:]
    /// The latest, in the order in which they came.
    private var latest: [String: String] = [:]
    private var isLedgerWhole = false

    /// Of a list of 100,000 answers, several times rewritten.
    private static let ledgerBytesMax = 256 << 20

    /// Reads what is known of the folder; makes nothing.
    /// - Parameter mayOverwrite: `--overwrite`: files that are not known to be ours may be replaced, inputs never.
    init(_ path: String, mayOverwrite: Bool) throws {
        self.path = path
        self.mayOverwrite = mayOverwrite
        guard FileSystem.exists(ledgerPath) else { return }
        let text = String(
            decoding: try FileSystem.read(ledgerPath, byteCountMax: Self.ledgerBytesMax), as: UTF8.self)
        // A line that a crash has cut has no end.
        for line in text.split(separator: "\n") where line.utf8.count > 66 {
            let digest = line.prefix(64), name = String(line.dropFirst(66))
            digests[name, default: []].insert(String(digest))
            latest[name] = String(digest)
        }
    }

    private var ledgerPath: String { "\(path)/\(Self.ledgerName)" }

    func path(of name: String) -> String { "\(path)/\(name)" }

    /// Whether quintet has written anything here.
    var isOurs: Bool { !latest.isEmpty || FileSystem.exists(ledgerPath) }

    /// The digest of what was written last under this name.
    func digest(of name: String) -> String? { latest[name] }

    // MARK: - Before anything is written

    /// - Parameters:
    ///   - names: all files that will be written.
    ///   - inputs: all files that are read.
    /// - Throws: `CommandError` naming the files that are in the way.
    func check(_ names: [String], inputs: [String]) throws {
        if FileSystem.exists(path), !FileSystem.isFolder(path) {
            throw CommandError("\(path) is a file; name a folder to write into")
        }
        try OutputGuard.refuse(outputs: names.map(path(of:)), inputs: inputs)
        guard !mayOverwrite else { return }
        let strangers = try names.filter { try isForeign($0) }
        guard !strangers.isEmpty else { return }
        let them = strangers.count == 1 ? "it" : "them"
        throw CommandError("\(Self.list(strangers.map(path(of:)))): there already, and not as quintet wrote \(them); "
            + "move \(them) away, choose another folder, or say --overwrite")
    }

    private func isForeign(_ name: String) throws -> Bool {
        let file = path(of: name)
        guard FileSystem.exists(file) || FileSystem.isLink(file) else { return false }
        guard let known = digests[name], !FileSystem.isFolder(file), FileSystem.exists(file) else { return true }
        return !known.contains(Hexadecimal.text(try SHA256.digest(ofFile: file)))
    }

    static func list(_ paths: [String]) -> String {
        paths.prefix(3).joined(separator: ", ") + (paths.count > 3 ? " and \(paths.count - 3) more" : "")
    }

    // MARK: - Writing

    /// The folder, made where it is missing, is this process's alone as long as the claim lives.
    /// - Throws: `FolderClaim.Held` naming who has it.
    func claim() throws -> FolderClaim {
        try FileSystem.makeFolder(path)
        return try FolderClaim(folder: path, fileName: ".quintet-in-use")
    }

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

    /// Anew, without what is not there any more.
    private func writeLedger() throws {
        try FileSystem.makeFolder(path)
        let lines = digests.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.flatMap { name, all in
            // The latest last.
            (all.subtracting([latest[name] ?? ""]).sorted() + [latest[name] ?? ""]).map { "\($0)  \(name)\n" }
        }
        try AtomicFile.write(lines.joined(), to: ledgerPath)
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
