import Platform
import Recipes

/// A run in one file. Opened, everything in it is what its manifest and its run.json say; nothing was written for that.
package struct RunPack {
    package let path: String
    let manifest: PackManifest
    let run: RunFolder
    private let entries: [String: TarFile.Entry]

    static let cardName = "MODEL_CARD.md"
    static let metricsName = "metrics.csv"

    // MARK: Packing

    /// - Parameter card: the model card's text.
    /// - Throws: `CommandError` naming a file that is not the run's any more.
    static func bytes(of run: RunFolder, card: String) throws -> [UInt8] {
        var files = [
            PackedFile(name: cardName, bytes: Array(card.utf8)),
            PackedFile(
                name: RunFolder.descriptionName,
                bytes: try FileSystem.read(RunFolder.descriptionPath(run.path), byteCountMax: 4 << 20)),
        ]
        let metrics = "\(run.path)/\(metricsName)"
        if FileSystem.exists(metrics) {
            files.append(PackedFile(name: metricsName, bytes: try FileSystem.read(metrics, byteCountMax: 1 << 30)))
        }
        for replica in run.replicas {
            guard FileSystem.exists(replica.path) else {
                try run.check(replica, digest: "nothing")
                continue
            }
            let file = PackedFile(
                name: Archive.fileName(replica.path),
                bytes: try FileSystem.read(replica.path, byteCountMax: Int(TarFile.byteCountMax)))
            try run.check(replica, digest: file.entry.sha256)
            files.append(file)
        }
        let manifest = PackManifest(recipe: run.description.recipe, files: files.map(\.entry))
        let first = PackedFile(name: PackManifest.name, bytes: Array(JSONText.encode(manifest, pretty: true).utf8))
        let second = PackedFile(
            name: PackManifest.digestName, bytes: Array(PackManifest.digestText(first.entry.sha256).utf8))
        return ([first, second] + files).reduce(into: []) { $0 += $1.tar } + TarFile.end
    }

    // MARK: Opening

    /// Reads everything, and writes nothing.
    /// - Throws: `CommandError` naming the file and what is wrong with it.
    package init(_ path: String, in registry: RecipeRegistry) throws {
        self.path = path
        do {
            let byteCount = try FileSystem.byteCount(of: path)
            let all = try TarFile.entries(byteCount: byteCount) { try FileSystem.read(path, offset: $0, count: $1) }
            manifest = try Self.manifest(all, of: path)
            entries = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
            try Self.check(manifest, Array(all.dropFirst(2)), of: path)
            run = try Self.run(entries, of: path, in: registry)
            try Self.check(run, manifest)
        } catch let problem as TarFile.Problem {
            throw Self.refusal(path, "\(problem)")
        } catch let problem as CommandError {
            throw Self.refusal(path, "is refused: \(problem)")
        } catch RecipeError.inputRefused(let problem) {
            throw Self.refusal(path, "is refused: \(problem)")
        }
    }

    private static func refusal(_ path: String, _ problem: String) -> CommandError {
        CommandError("\(path) \(problem); nothing was written: get it again from whoever packed it")
    }

    private static func manifest(_ entries: [TarFile.Entry], of path: String) throws -> PackManifest {
        guard entries.count > 2, entries[0].name == PackManifest.name, entries[1].name == PackManifest.digestName,
            entries[0].byteCount <= PackManifest.byteCountMax, entries[1].byteCount <= PackManifest.byteCountMax
        else { throw TarFile.Problem("does not begin with \(PackManifest.name)") }
        let wanted = String(decoding: try read(entries[1], of: path), as: UTF8.self)
        guard wanted == PackManifest.digestText(try digest(entries[0], of: path)) else {
            throw TarFile.Problem("is damaged: \(PackManifest.name) has another digest than when it was packed")
        }
        let text = String(decoding: try read(entries[0], of: path), as: UTF8.self)
        return try JSONText.decode(PackManifest.self, text, what: PackManifest.name)
    }

    private static func read(_ entry: TarFile.Entry, of path: String) throws -> [UInt8] {
        try FileSystem.read(path, offset: entry.offset, count: Int(entry.byteCount))
    }

    /// The files that there are, with the digests that they have.
    private static func check(_ manifest: PackManifest, _ entries: [TarFile.Entry], of path: String) throws {
        guard manifest.format == 1 else {
            throw TarFile.Problem("has the format \(manifest.format), of a later quintet")
        }
        guard manifest.files.map(\.name) == entries.map(\.name) else {
            throw TarFile.Problem("holds other files than its \(PackManifest.name) names")
        }
        for (file, entry) in zip(manifest.files, entries) {
            guard file.byteCount == entry.byteCount, try digest(entry, of: path) == file.sha256 else {
                throw TarFile.Problem("is damaged: \(entry.name) has another digest than when it was packed")
            }
        }
    }

    /// In pieces: whatever a file claims to be, no more is held in memory.
    private static func digest(_ entry: TarFile.Entry, of path: String) throws -> String {
        var hash = SHA256(), done: UInt64 = 0
        while done < entry.byteCount {
            let count = Int(min(entry.byteCount - done, 1 << 20))
            let piece = try FileSystem.read(path, offset: entry.offset + done, count: count)
            guard piece.count == count else { throw TarFile.Problem("is cut short") }
            hash.update(piece)
            done += UInt64(count)
        }
        return Hexadecimal.text(hash.digest())
    }

    private static func run(
        _ entries: [String: TarFile.Entry], of path: String, in registry: RecipeRegistry
    ) throws -> RunFolder {
        guard let entry = entries[RunFolder.descriptionName], entry.byteCount <= RunFolder.descriptionBytesMax else {
            throw TarFile.Problem("holds no \(RunFolder.descriptionName)")
        }
        return try RunFolder("", description: read(entry, of: path), named: RunFolder.descriptionName, in: registry)
    }

    /// The run's own files, and no others.
    private static func check(_ run: RunFolder, _ manifest: PackManifest) throws {
        guard manifest.recipe == run.description.recipe else {
            throw TarFile.Problem("is of another recipe than its \(RunFolder.descriptionName)")
        }
        let digests = Dictionary(uniqueKeysWithValues: manifest.files.map { ($0.name, $0.sha256) })
        var others = Set(digests.keys).subtracting([RunFolder.descriptionName, cardName, metricsName])
        for replica in run.replicas {
            let name = Archive.fileName(replica.path)
            guard let digest = digests[name], digest == replica.digest else {
                throw TarFile.Problem("lacks the weights \(name) that its \(RunFolder.descriptionName) names")
            }
            others.remove(name)
        }
        guard others.isEmpty else {
            throw TarFile.Problem("holds files that belong to no run: \(OutputFolder.list(others.sorted()))")
        }
    }

    // MARK: Unpacking

    /// What is written into the folder, run.json last: then it is a run.
    package var names: [String] {
        manifest.files.map(\.name).filter { $0 != RunFolder.descriptionName } + [RunFolder.descriptionName]
    }

    /// - Throws: `CommandError` where the pack was changed since it was opened.
    func write(to output: OutputFolder) throws {
        let digests = Dictionary(uniqueKeysWithValues: manifest.files.map { ($0.name, $0.sha256) })
        for name in names {
            guard let entry = entries[name] else { continue }
            let bytes = try Self.read(entry, of: path)
            guard SHA256.hexadecimal(of: bytes) == digests[name] else {
                throw CommandError("\(path) was changed while it was unpacked; \(output.path) is no run: remove it")
            }
            try output.write(bytes, to: name)
        }
        try output.settle()
    }
}
