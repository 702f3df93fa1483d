import Foundation
import Imaging
import Numerics
import Platform
import Protocol
import Recipes

/// `quintet segment`
enum SegmentCommand: Command {
    static let syntax = CommandSyntax(
        "segment", "Find lesions in an archive of CTs with a trained ensemble.",
        options: [
            Option("--run", "RUN", "a finished run's folder"),
            Option("--in", "ARCHIVE", "CTs: a file or a folder"),
            Option("--out", "DIR", "where to write"),
            Option("--masks", "DIR", "lung masks named like the CTs; left out, they are made here"),
            Option("--members", nil, "each replica's own answer too, for evaluate"),
            Option("--threshold", "P", "healthy above this probability; default: the run's"),
            ReadingArguments.addHU, ReadingArguments.labels(of: "the lung masks"),
        ] + ClusterOptions.submitting + [
            Option("--json", nil, "the figures of every volume as JSON on stdout"),
            Option("--quiet", nil, "no progress"),
        ],
        details: """
            Masks lie on each CT's own grid: same shape, spacing, orientation and affine.
              DIR/NAME.nii.gz                   lesions by majority vote, grown
              DIR/without-growing/NAME.nii.gz   before growing
              DIR/lungs/NAME.nii.gz             the lung mask that was given or made
              DIR/results.csv                   lesion volume, involved share of the lung, refused inputs
            A CT that cannot be used is named with the reason; the others go on, and the exit code is then 3.
            Ctrl-C ends cleanly; the same command goes on where it stopped.

            example: quintet segment --run run --in archive --out masks
            """)

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let progress = ProgressLine(quiet: arguments.has("--quiet"))
        let run = try RunFolder(arguments.required("--run"))
        var configuration = run.configuration
        configuration.memberAnswers = arguments.has("--members")
        if let threshold = try arguments.number("--threshold", 0...1) { configuration.healthyThreshold = threshold }
        configuration.reading = try ReadingArguments.options(arguments)
        let plan = SegmentationPlan(
            run: run, configuration: configuration, archive: try Archive([arguments.required("--in")]),
            masks: try arguments.text("--masks").map { try MaskFolder($0) },
            output: SegmentationFolder(try arguments.required("--out")))
        try FileSystem.makeFolder(plan.output.path)
        let session = try ClusterSession(
            arguments, stateFolder: "\(plan.output.path)/.quintet", progress: progress)
        defer { session.close() }
        let rows = try segment(plan, session: session, progress: progress)
        if arguments.has("--json") { Console.out(JSONText.encode(rows, pretty: true)) }
        let refused = rows.filter { $0.refused != nil }.count
        if refused == rows.count { throw CommandError("none of the \(rows.count) CTs could be used; see above") }
        return refused == 0 ? .done : .doneWithRefusals
    }

    /// One volume's line in results.csv.
    struct ResultRow: Encodable {
        var name: String
        var source: String
        var lesionML: Double?
        var lesionPercent: Double?
        var lungML: Double?
        var lesionWithoutGrowingML: Double?
        /// Why the volume has no answer.
        var refused: String?
    }

    /// Also the demo's: submits, fetches answers as they come, writes results.csv.
    static func segment(
        _ plan: SegmentationPlan, session: ClusterSession, progress: ProgressLine
    ) throws -> [ResultRow] {
        var rows: [String: ResultRow] = [:]
        func refuse(_ item: Archive.Item, _ message: String) {
            rows[item.name] = ResultRow(name: item.name, source: item.path, refused: message)
            progress.say("refused: \(message)")
        }
        var volumes: [VolumeSubmission] = []
        let pace = Pace()
        for (number, item) in plan.archive.items.enumerated() {
            let left = pace.secondsLeft(fraction: Double(number) / Double(plan.archive.items.count))
            progress.show("reading \(item.name), \(number + 1) of \(plan.archive.items.count)"
                + (left.map { ", \(Console.duration(seconds: $0)) left" } ?? ""))
            do {
                volumes.append(try plan.volume(item, session: session))
            } catch {
                guard let message = PrepareCommand.refusal(error) else { throw error }
                refuse(item, message)
            }
        }
        if !volumes.isEmpty {
            let run = try session.client.submit(plan.submission(volumes, session: session))
            let items = Dictionary(uniqueKeysWithValues: plan.archive.items.map { ($0.name, $0) })
            var fetched: Set<String> = [], seenCount = 0
            func fetch(from first: Int) throws {
                let outputs = try session.client.outputs(of: run, first: first)
                seenCount = first + outputs.count
                for output in outputs where !fetched.contains(output.name) {
                    guard let item = items[output.name] else { continue }
                    switch (output.state, output.stage) {
                    case (.refused, _): refuse(item, output.report)
                    case (.done, .finish):
                        do {
                            rows[item.name] = try collect(output, item: item, plan, session)
                        } catch let error as UnusableAnswer {
                            refuse(item, "\(item.path): \(error.problem.printable(most: 600)); find out which worker "
                                + "answered so (quintet status --history), and segment it again without that one")
                        }
                    default: continue
                    }
                    fetched.insert(output.name)
                }
            }
            _ = try session.wait(for: run, progress: progress) { _ in try fetch(from: seenCount) }
            // All of them once more: what came again, for its blob was lost, may have changed the order.
            try fetch(from: 0)
        }
        let ordered = plan.archive.items.compactMap { rows[$0.name] }
        try AtomicFile.write(csv(ordered), to: plan.output.resultsPath)
        let done = ordered.filter { $0.refused == nil }.count
        progress.say("segmented \(done) of \(plan.archive.items.count) CTs into \(plan.output.path) "
            + "(\(Console.duration(seconds: pace.elapsedSeconds)))")
        return ordered
    }

    /// An answer that no honest worker gives. It costs the other volumes nothing.
    private struct UnusableAnswer: Error {
        var problem: String
    }

    /// - Throws: `UnusableAnswer`, before anything of the volume is written.
    private static func collect(
        _ output: RunOutput, item: Archive.Item, _ plan: SegmentationPlan, _ session: ClusterSession
    ) throws -> ResultRow {
        let figures = try figures(of: output)
        // What an answer is called has come from a worker: nothing but the names that there are becomes a path.
        let answers = Set(["vote"] + (0..<plan.run.description.replicaCount).map { "replica-\($0)" })
        let masks = output.outputs.filter { ["mask", "core"].contains($0.role) }
        if let stranger = masks.first(where: { !answers.contains($0.name) }) {
            throw UnusableAnswer(problem: "a worker answered as '\(stranger.name)', which is no voter")
        }
        guard masks.contains(where: { $0.role == "mask" && $0.name == "vote" }) else {
            throw UnusableAnswer(problem: "a worker answered without the vote's mask")
        }
        for blob in output.outputs {
            switch blob.role {
            case "mask", "core":
                try session.download(
                    blob, to: plan.output.mask(item.name, answer: blob.name, isGrown: blob.role == "mask"))
            case "lung": try session.download(blob, to: plan.output.lungPath(item.name))
            default: break
            }
        }
        return ResultRow(
            name: item.name, source: item.path, lesionML: figures.lesionML, lesionPercent: figures.lesionPercent,
            lungML: figures.lungML, lesionWithoutGrowingML: figures.lesionWithoutGrowingML)
    }

    private static func figures(of output: RunOutput) throws -> LungAnswer.Figures {
        let figures: LungAnswer.Figures?
        do {
            figures = try JSONText.decode(
                [String: LungAnswer.Figures].self, output.report, what: "a worker's report")["vote"]
        } catch RecipeError.inputRefused(let problem) {
            throw UnusableAnswer(problem: problem)
        }
        guard let figures else { throw UnusableAnswer(problem: "a worker's report lacks the vote's figures") }
        let all = [figures.lesionML, figures.lungML, figures.lesionPercent, figures.lesionWithoutGrowingML]
        // More than the largest volume holds.
        guard all.allSatisfy((0...1e16).contains) else {
            throw UnusableAnswer(problem: "a worker's figures are impossible (\(figures.lesionML) ml of lesions in "
                + "\(figures.lungML) ml of lung)")
        }
        return figures
    }

    private static func csv(_ rows: [ResultRow]) -> String {
        func number(_ value: Double?) -> String { value.map { String(format: "%.3f", $0) } ?? "" }
        return (["name,lesion_ml,lesion_percent,lung_ml,lesion_without_growing_ml,source,refused"]
            + rows.map { row in
                [
                    CSV.quoted(row.name), number(row.lesionML), number(row.lesionPercent), number(row.lungML),
                    number(row.lesionWithoutGrowingML), CSV.quoted(row.source),
                    row.refused.map(CSV.quoted) ?? "",
                ].joined(separator: ",")
            }).joined(separator: "\n") + "\n"
    }
}

/// What to segment, with what.
struct SegmentationPlan {
    var run: RunFolder
    var configuration: LungRunConfiguration
    var archive: Archive
    var masks: MaskFolder?
    var output: SegmentationFolder

    /// A CT and its mask as blobs. A CT in two files becomes one: its header alone would be no use to a worker.
    func volume(_ item: Archive.Item, session: ClusterSession) throws -> VolumeSubmission {
        func blob(_ role: String, _ path: String) throws -> BlobReference {
            let name = Archive.fileName(path)
            if let joined = try ImageFile.joined(path: path) {
                return try session.publish(bytes: joined, role: role, name: name)
            }
            return try session.publish(role: role, name: name, path: path)
        }
        try item.checkName()
        // The mask first: when it is missing, nothing of the CT has to travel.
        let lung = try masks.map { masks in
            let mask = try masks.mask(for: item, of: archive.items.count)
            try Archive.Item(name: item.name, path: mask).checkName()
            return try blob("lung", mask)
        }
        return VolumeSubmission(name: item.name, inputs: [try blob("ct", item.path)] + (lung.map { [$0] } ?? []))
    }

    func submission(_ volumes: [VolumeSubmission], session: ClusterSession) throws -> Submission {
        let replicas = try run.replicaPaths.enumerated().map { number, path in
            try session.publish(role: "replica", name: "replica-\(number)", path: path)
        }
        let manifest = try session.publish(
            bytes: VolumeManifest.encode(volumes), role: "volumes", name: "volumes")
        let parameters = configuration.json()
        let identity = "segment \(manifest.digest) \(replicas.map { "\($0.digest)" }) \(parameters)"
        return Submission(
            kind: .segment, recipe: LungNormNet.name, parameters: parameters, seed: run.description.seed,
            replicaCount: UInt16(replicas.count), iterationCount: 0, checkpointSeconds: 60, inputs: replicas,
            volumeManifest: manifest, idempotencyKey: SHA256.hexadecimal(of: Array(identity.utf8)))
    }
}
