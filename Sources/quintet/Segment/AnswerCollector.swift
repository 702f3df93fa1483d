import Numerics
import Platform
import Protocol
import Recipes

/// Brings one answer to its place, after a look at whether an honest worker can have made it.
struct AnswerCollector {
    let plan: SegmentationPlan
    let session: ClusterSession

    /// An answer that no honest worker gives. It costs the other volumes nothing.
    struct UnusableAnswer: Error {
        var problem: String
    }

    /// - Throws: `UnusableAnswer`, before anything of the volume is written.
    func collect(_ output: RunOutput, of item: ArchiveJournal.Sent) throws -> AnswerRow {
        let (figures, told, parts) = try figures(of: output)
        // What reading the DICOM series has shown, of which a worker sees only the volume.
        let warnings = (plan.inputs.archive.seriesByName[item.name]?.warnings ?? []) + (told ?? [])
        // What an answer is called has come from a worker: nothing but the names that there are becomes a path.
        let answers = Set(plan.answerNames)
        let masks = Dictionary(uniqueKeysWithValues: plan.masks.map { ($0.role, $0) })
        let voted = output.outputs.filter { masks[$0.role]?.isOfAnswer ?? false }
        if let stranger = voted.first(where: { !answers.contains($0.name) }) {
            throw UnusableAnswer(problem: "a worker answered as '\(stranger.name)', which is no voter")
        }
        guard voted.contains(where: { $0.role == plan.guide.masks[0].role && $0.name == "vote" }) else {
            throw UnusableAnswer(problem: "a worker answered without the vote's mask")
        }
        let ours = output.outputs.filter { masks[$0.role] != nil }
        if output.isShared { try ours.forEach(checkShared) }
        var files: [String: AnswerRow.WrittenFile] = [:]
        for blob in ours {
            let mask = masks[blob.role]!
            let name = SegmentationFolder.fileName(item.name, answer: mask.isOfAnswer ? blob.name : "vote", mask)
            try plan.output.willWrite(name, digest: "\(blob.digest)")
            try fetch(blob, isShared: output.isShared, to: plan.output.path(of: name))
            files[name] = AnswerRow.WrittenFile(
                digest: "\(blob.digest)", stamp: FileStamp(plan.output.path(of: name)))
        }
        return AnswerRow(
            name: item.name, source: item.source, figures: figures, mask: item.mask ?? "made here",
            addHU: plan.reading?.addHU,
            warnings: told == nil && warnings.isEmpty ? nil : warnings.prefix(20).map { $0.printable(most: 600) },
            byteCount: item.byteCount, content: item.content, seconds: output.seconds, worker: output.worker,
            files: files, parts: parts)
    }

    /// From the coordinator, or from where a worker has put it on the shared file system.
    private func fetch(_ blob: BlobReference, isShared: Bool, to path: String) throws {
        guard isShared else { return try session.download(blob, to: path) }
        try FileSystem.makeFolder(FileSystem.folder(of: path))
        try FileSystem.copy(sharedFile(blob), to: path)
    }

    private func sharedFile(_ blob: BlobReference) -> String {
        "\(plan.output.path)/\(StreamOptions.answerFolderName)/\(blob.digest)"
    }

    private func checkShared(_ blob: BlobReference) throws {
        let file = sharedFile(blob)
        guard FileSystem.exists(file) else {
            throw UnusableAnswer(problem: "a worker put the answer on its shared file system, and it is not at "
                + "\(file): do both see the same one?")
        }
        guard try SHA256.digest(ofFile: file) == blob.digest.bytes else {
            throw UnusableAnswer(problem: "what a worker put at \(file) is not what it said")
        }
    }

    /// The vote's.
    private func figures(
        of output: RunOutput
    ) throws -> (figures: [String: Double], warnings: [String]?, parts: [[String: Double]]?) {
        let report: [String: JSONValue]?
        do {
            report = try JSONText.decode(
                [String: [String: JSONValue]].self, output.report, what: "a worker's report")["vote"]
        } catch RecipeError.inputRefused(let problem) {
            throw UnusableAnswer(problem: problem)
        }
        guard let report else { throw UnusableAnswer(problem: "a worker's report lacks the vote's figures") }
        let figures: [(String, Double)] = try plan.guide.figures.compactMap { figure in
            if figure.isOptional, report[figure.name] == nil { return nil }
            guard let value = report[figure.name]?.double else {
                throw UnusableAnswer(problem: "a worker's report lacks the vote's figure \(figure.name)")
            }
            return (figure.name, value)
        }
        let warnings = try report["warnings"].map { warnings in
            guard let texts = warnings.texts else {
                throw UnusableAnswer(problem: "a worker's report has warnings that are no text")
            }
            return texts
        }
        let all = Dictionary(uniqueKeysWithValues: figures)
        if let problem = plan.run.recipe.problem(inFigures: all) {
            throw UnusableAnswer(problem: "a worker's figures are impossible (\(problem))")
        }
        return (all, warnings, try plan.parts.map { try parts($0, in: report) })
    }

    /// What a worker says about the parts of the vote's answer.
    private func parts(_ parts: AnswerParts, in report: [String: JSONValue]) throws -> [[String: Double]] {
        guard case .list(let values)? = report[parts.key] else {
            throw UnusableAnswer(problem: "a worker's report lacks the vote's \(parts.key)")
        }
        return try values.map { value in
            guard case .object(let part) = value else {
                throw UnusableAnswer(problem: "a worker's report has \(parts.key) that are no list of figures")
            }
            return try Dictionary(uniqueKeysWithValues: parts.figures.map { figure in
                guard let number = part[figure.name]?.double, number.isFinite else {
                    throw UnusableAnswer(problem: "a worker's \(parts.key) lack the figure \(figure.name)")
                }
                return (figure.name, number)
            })
        }
    }
}
