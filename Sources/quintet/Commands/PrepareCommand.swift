import Foundation
import Imaging
import Numerics
import Platform
import Recipes

/// `quintet prepare`
enum PrepareCommand: Command {
    static let syntax = CommandSyntax(
        "prepare", "Turn a folder of healthy CTs into a data set to train on.", positional: "CT...",
        options: [
            Option("--out", "DATA", "the data set's folder", isRequired: true),
        ] + Inputs.options + [
            Option("--leave-out", "[NAME=]CSV", "slices with findings: columns slice_z and, if wanted, name and "
                + "lesion", isRepeatable: true),
            ReadingArguments.addHU, ReadingArguments.labels(of: "the lung masks"),
            Option("--overwrite", nil, "replace files in DATA that quintet did not write"),
        ] + PresetOptions.grid + [
            Option("--threads", "N", "threads; default all"),
            Option("--quiet", nil, "say only what goes wrong"),
            Option("--json", nil, "the data set's description on stdout"),
        ],
        details: """
            CT: files or folders; .nii, .nii.gz, .hdr/.img, .mhd, .mha. A CT that cannot be used is named with the
            reason and left out; the others go on, and the exit code is then 3.
            A lung mask made here leaves out lung that is as dense as tissue over more than about 2 cm: give one with
            --masks then.
            Writes DATA/dataset.json and, for every CT, its intensities and lung mask on the preset's grid as NIfTI.

            example: quintet prepare healthy-cts --out data --preset lab
            """)

    static let interruption: String? =
        "interrupted; the files written so far are whole, and the same command prepares all of the CTs again"

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let out = try arguments.required("--out")
        let preset = try PresetOptions.preset(arguments, default: "lab")
        let inputs = try Inputs(arguments.positional, arguments)
        let table = try SliceTable(arguments.all("--leave-out"))
        try table.check(against: inputs.archive)
        let progress = ProgressLine(quiet: arguments.has("--quiet"))
        let outcome = try prepare(
            inputs: inputs, table: table, reading: try ReadingArguments.options(arguments), preset: preset,
            output: OutputFolder(
                out, kind: "prepare", settings: Self.settings(preset), mayOverwrite: arguments.has("--overwrite")),
            pool: ThreadPool(threadCount: try Threads.count(arguments)), progress: progress)
        if arguments.has("--json") { Console.out(JSONText.encode(outcome.manifest, pretty: true)) }
        return outcome.refused.isEmpty ? .done : .doneWithRefusals
    }

    /// What all volumes of a data set have in common.
    static func settings(_ preset: Preset) -> String {
        "preset \(preset.name), \(preset.spacing.text), planes from \(preset.planeHeight)x\(preset.planeWidth), "
            + "tau \(preset.tau)"
    }

    struct Outcome {
        var manifest: DataSetManifest
        /// One message for each CT that was left out.
        var refused: [String]
    }

    static func prepare(
        inputs: Inputs, table: SliceTable, reading: ReadingOptions? = nil, preset: Preset, output: OutputFolder,
        pool: ThreadPool, progress: ProgressLine
    ) throws -> Outcome {
        let out = output.path, items = inputs.archive.items
        try inputs.checkOutside(out)
        try refuseOtherCTs(in: output, now: items)
        try output.check(
            items.flatMap { [Self.entryName($0) + ".image.nii.gz", Self.entryName($0) + ".lung.nii.gz"] }
                + [DataSetManifest.fileName],
            inputs: inputs.paths)
        let claim = try output.claim()
        defer { withExtendedLifetime(claim) {} }
        inputs.tell(progress, as: "left out")
        var refused = inputs.archive.refused.map(\.message)
        var entries: [DataSetManifest.Entry] = []
        var planeHeight = preset.planeHeight, planeWidth = preset.planeWidth
        let pace = Pace()
        // A first CT with lungs larger than the preset's plane makes the plane larger for all: those before are redone.
        var queue = items[...]
        while let item = queue.popFirst() {
            let done = items.count - queue.count - 1
            let left = pace.secondsLeft(fraction: Double(done) / Double(items.count))
            progress.show("preparing \(item.name), \(done + 1) of \(items.count)"
                + (left.map { ", \(Console.duration(seconds: $0)) left" } ?? ""))
            try StopWatch.check()
            do {
                let volume = try Preparation.run(
                    ct: ImageFile.read(path: item.path, name: item.relative),
                    lung: inputs.masks?.mask(for: item).map { try ImageFile.read(path: $0, name: $0) },
                    reading: reading, preset: preset, planeHeight: planeHeight, planeWidth: planeWidth,
                    forTraining: true, pool: pool, isCancelled: { StopSignal.isRequested })
                let shape = volume.lung.shape
                if shape.height > planeHeight || shape.width > planeWidth {
                    (planeHeight, planeWidth) = (shape.height, shape.width)
                    if !entries.isEmpty {
                        progress.say("\(item.name) has larger lungs: all planes become \(planeHeight)x\(planeWidth)")
                        (entries, refused, queue) = ([], inputs.archive.refused.map(\.message), items[...])
                        continue
                    }
                }
                entries.append(try store(volume, item: item, table: table, preset: preset, output: output))
                for warning in volume.warnings { progress.warn("warning: \(item.path): \(warning)") }
            } catch {
                guard let message = refusal(error) else { throw error }
                refused.append(message)
                progress.warn("left out: \(message)")
            }
        }
        let manifest = try finish(
            entries, of: items.count, preset: preset, planeHeight: planeHeight, planeWidth: planeWidth, output: output)
        let bright = entries.map(\.brightShare).reduce(0, +) / Double(entries.count)
        progress.say("prepared \(entries.count) of \(items.count) CTs in \(out) "
            + "(\(Console.duration(seconds: pace.elapsedSeconds)); planes of \(planeHeight)x\(planeWidth), "
            + String(format: "%.1f%% of the lung is bright)", 100 * bright))
        return Outcome(manifest: manifest, refused: refused)
    }

    /// A data set of other CTs is not replaced; one that has been added to, is.
    private static func refuseOtherCTs(in output: OutputFolder, now items: [Archive.Item]) throws {
        guard !output.mayOverwrite, let earlier = try? DataFolder(output.path) else { return }
        let names = Set(items.map { entryName($0) })
        let others = earlier.manifest.volumes.map(\.name).filter { !names.contains($0) }
        guard !others.isEmpty else { return }
        throw CommandError("\(output.path) is a data set of other CTs (\(OutputFolder.list(others))); name another "
            + "folder, name all CTs at once to add some, or say --overwrite to replace it")
    }

    private static func finish(
        _ entries: [DataSetManifest.Entry], of count: Int, preset: Preset, planeHeight: Int, planeWidth: Int,
        output: OutputFolder
    ) throws -> DataSetManifest {
        guard !entries.isEmpty else {
            throw CommandError("none of the \(count) CTs could be used; the reasons are above")
        }
        let manifest = DataSetManifest(
            preset: preset, planeHeight: planeHeight, planeWidth: planeWidth, volumes: entries)
        try manifest.validate()
        try output.write(JSONText.encode(manifest, pretty: true), to: DataSetManifest.fileName)
        try output.settle()
        return manifest
    }

    /// The stem of a volume's files, folders included.
    private static func entryName(_ item: Archive.Item) -> String {
        WireName.fitting(item.name, byteCountMax: DataSetManifest.nameByteCountMax)
    }

    private static func store(
        _ volume: PreparedVolume, item: Archive.Item, table: SliceTable, preset: Preset, output: OutputFolder
    ) throws -> DataSetManifest.Entry {
        let (image, lung) = volume.encoded()
        let entry = DataSetManifest.Entry(
            name: entryName(item), sourceName: volume.source.name, imageDigest: SHA256.hexadecimal(of: image),
            lungDigest: SHA256.hexadecimal(of: lung), imageByteCount: image.count, lungByteCount: lung.count,
            depth: volume.lung.shape.depth, lungVoxelsBySlice: volume.lungVoxelsBySlice(),
            excludedSlices: try table.excludedSlices(of: item.name, in: volume).sorted(),
            edgeVoxelsRemoved: volume.edgeVoxelsRemoved, lungML: volume.lungML,
            brightShare: volume.brightShare(tau: preset.tau),
            warnings: volume.warnings.isEmpty ? nil : volume.warnings)
        try output.write(image, to: entry.imageName)
        try output.write(lung, to: entry.lungName)
        return entry
    }

    /// The message when the input is at fault; nil for everything else.
    static func refusal(_ error: Error) -> String? {
        switch error {
        case let error as ImageFileError: return error.description
        case RecipeError.inputRefused(let message): return message
        case let error as Archive.Refusal: return error.description
        default: return nil
        }
    }
}

/// An error of a command that is not the command line's.
struct CommandError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
