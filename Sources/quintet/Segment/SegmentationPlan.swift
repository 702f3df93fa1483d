import Imaging
import Numerics
import Platform
import Protocol
import Recipes

/// What to segment, with what, and where the answers go.
struct SegmentationPlan {
    var run: RunFolder
    var settings: any RunSettings
    /// `--members`
    var hasMemberAnswers: Bool
    /// How CTs and masks are read, where somebody said so.
    var reading: ReadingOptions?
    var inputs: Inputs
    var output: OutputFolder
    var options = StreamOptions()

    var guide: AnswerGuide { run.recipe.answerGuide }

    private var identity: SegmentationSettings {
        SegmentationSettings(run.description, settings.answerIdentity.value)
    }

    /// By what the answer to these files is known.
    func content(ct: String, mask: String?) -> AnsweredContent {
        AnsweredContent(ct: ct, mask: mask, reading: reading.map { JSONText.encode($0) })
    }

    /// Of everything that a run computes with.
    var settingsDigest: String {
        SHA256.hexadecimal(of: Array((JSONText.encode(identity) + settings.json()).utf8))
    }

    /// "vote", and each replica's where they are asked for.
    var answerNames: [String] {
        ["vote"] + (hasMemberAnswers ? replicaNames : [])
    }

    private var replicaNames: [String] { (0..<run.description.replicaCount).map { "replica-\($0)" } }

    /// The files of one CT's answer.
    func fileNames(_ name: String) -> [String] { SegmentationFolder.names(name, answers: answerNames, masks) }

    /// All that one CT's answer of this ensemble can have, whatever is asked for now.
    func allFileNames(_ name: String) -> [String] {
        SegmentationFolder.names(name, answers: ["vote"] + replicaNames, guide.masks)
            + [SegmentationFolder.objectName(name)]
    }

    /// Those that are written with these settings.
    var masks: [AnswerMask] {
        let extras = settings.answerExtras
        return guide.masks.filter { $0.option.map(extras.contains) ?? true }
    }

    /// nil where nobody asked for them.
    var parts: AnswerParts? { guide.parts.flatMap { settings.answerExtras.contains($0.option) ? $0 : nil } }

    /// What is made of them for picture archives, where it is asked for and can be.
    func objectNames(_ item: Archive.Item) -> [String] {
        options.writesObjects && item.series != nil ? [SegmentationFolder.objectName(item.name)] : []
    }

    /// Before anything is written.
    /// - Throws: `CommandError` when something in the folder or the archive is in the way.
    func check(_ journal: ArchiveJournal) throws {
        try inputs.checkOutside(output.path)
        try checkObjects()
        let folder = SegmentationFolder(output.path, guide)
        if let reserved = inputs.archive.items.first(where: { folder.isReserved($0.name) }) {
            throw CommandError("\(reserved.path): a folder of that name in \(output.path) holds other files of the "
                + "answers; rename the folder in the archive, or name it alone by --in")
        }
        if let earlier = earlierSettings(), earlier != identity, !output.mayOverwrite {
            throw CommandError("\(output.path) holds answers with other settings ("
                + SettingsComparison.differences(from: earlier, to: identity).joined(separator: ", ")
                + "); choose another folder, or say --overwrite to replace them")
        }
        let written = journal.rows.values.reduce(into: [:]) { all, row in all.merge(row.files ?? [:]) { $1 } }
        output.isUntouched = { [self, output] name in
            if name == SegmentationFolder.resultsName { return isOwnTable(journal) }
            guard let stamp = written[name]?.stamp else { return false }
            return stamp == FileStamp(output.path(of: name))
        }
        let own = [
            SegmentationFolder.resultsName, SegmentationFolder.settingsName, ArchivePage.name, ArchiveDatabase.name,
        ] + (parts.map { [$0.fileName] } ?? [])
        let names = inputs.archive.items.flatMap { fileNames($0.name) + objectNames($0) }
        try output.check(
            names + own,
            inputs: inputs.paths + run.replicaPaths + [RunFolder.descriptionPath(run.path)])
    }

    /// Whether archive.csv is as the last command wrote it, with rows that it has added since and nothing else.
    private func isOwnTable(_ journal: ArchiveJournal) -> Bool {
        let name = SegmentationFolder.resultsName
        guard let begun = journal.tableByteCount,
            let bytes = try? FileSystem.read(output.path(of: name), byteCountMax: AnswerTable.byteCountMax),
            bytes.count >= begun, output.hasWritten(name, digest: SHA256.hexadecimal(of: Array(bytes.prefix(begun))))
        else { return false }
        let added = String(decoding: bytes.dropFirst(begun), as: UTF8.self)
        return [true, false].contains {
            AnswerTable(guide, rows: journal.rows, hasIdentity: $0).hasWritten(added)
        }
    }

    /// An object refers to slices: of a file there are none.
    private func checkObjects() throws {
        let items = inputs.archive.items
        guard options.writesObjects, !options.isWatching, let file = items.first, !items.contains(where: {
            $0.series != nil
        }) else { return }
        throw UsageError("--dicom-seg: a DICOM SEG refers to the slices of a DICOM series, and \(file.path) is none"
            + (items.count > 1 ? ", nor is any other of the \(items.count) CTs" : "")
            + "; leave it out, or name the folder of the series")
    }

    private func earlierSettings() -> SegmentationSettings? {
        let path = output.path(of: SegmentationFolder.settingsName)
        guard let bytes = try? FileSystem.read(path, byteCountMax: 1 << 20) else { return nil }
        return try? JSONText.decode(SegmentationSettings.self, String(decoding: bytes, as: UTF8.self), what: path)
    }

    /// Once the folder is ours: earlier answers and their rows stay, unless they are of other settings.
    func begin(_ journal: inout ArchiveJournal) throws {
        if let earlier = earlierSettings(), earlier != identity {
            try output.removeOwnFiles()
            journal.forgetAnswers()
        }
        if !options.keepsIdentity { journal.forgetIdentities() }
        try output.write(JSONText.encode(identity, pretty: true), to: SegmentationFolder.settingsName)
        try journal.open()
    }

    /// An open run, which items are sent to.
    /// - Parameters:
    ///   - number: of the folder's runs.
    func submission(folderID: String, number: Int, session: ClusterSession) throws -> Submission {
        let replicas = try run.replicas.map { replica in
            let blob = try session.publish(
                role: replica.weights.role, name: "\(replica.weights.stem)-\(replica.number)", path: replica.path)
            try run.check(replica, digest: "\(blob.digest)")
            return blob
        }
        let parameters = settings.json()
        let identity = "segment \(folderID) \(number) \(replicas.map { "\($0.digest)" }) \(parameters)"
        return Submission(
            plan: Plan(settings.answerPlan), recipe: run.recipe.name, parameters: parameters,
            seed: run.description.seed, replicaCount: UInt16(run.description.replicaCount),
            checkpointSeconds: 60, inputs: replicas, itemManifest: nil,
            idempotencyKey: SHA256.hexadecimal(of: Array(identity.utf8)), isOpen: true,
            answerFolder: try options.makeAnswerFolder(in: output.path) ?? "")
    }
}

/// How an archive is gone through.
struct StreamOptions {
    /// Bytes of CTs that may lie at the coordinator.
    var windowByteCount: UInt64 = 8 << 30
    /// `--watch`: looks for more when all is done, until a stop is asked for.
    var isWatching = false
    /// `--retry-failed`
    var retriesRefused = false
    /// `--limit`: at most so many CTs are sent.
    var limit: Int?
    /// `--shared`
    var shared: SharedRoot?
    /// `--sqlite`
    var writesDatabase = false
    /// `--dicom-seg`
    var writesObjects = false
    /// `--keep-identity`
    var keepsIdentity = false
    /// Looks through the archive again.
    var lookAgain: (() throws -> Inputs)?

    /// Makes the folder where workers that share a file system put answers.
    /// - Returns: its path below the root; nil without such a file system, or where the answers lie elsewhere.
    func makeAnswerFolder(in output: String) throws -> String? {
        guard let shared else { return nil }
        let folder = "\(output)/\(Self.answerFolderName)"
        try FileSystem.makeFolder(folder)
        if let relative = shared.relative(folder) { return relative }
        try FileSystem.removeIfEmpty(folder)
        return nil
    }

    /// As workers know it.
    static let answerFolderName = ".quintet-answers"
}
