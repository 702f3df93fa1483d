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
            Option("--out", "DATA", "the data set's folder"),
            Option("--masks", "DIR", "lung masks named like the CTs; left out, they are made here"),
            Option("--leave-out", "[NAME=]CSV", "slices with findings: columns slice_z and, if wanted, name and "
                + "lesion; may be repeated"),
            ReadingArguments.addHU, ReadingArguments.labels(of: "the lung masks"),
        ] + PresetOptions.grid + [
            Option("--threads", "N", "threads; default all"),
            Option("--quiet", nil, "no progress"),
            Option("--json", nil, "the data set's description on stdout"),
        ],
        details: """
            CT: files or folders; .nii, .nii.gz, .hdr/.img, .mhd, .mha. A CT that cannot be used is named with the
            reason and left out; the others go on, and the exit code is then 3.
            Writes DATA/dataset.json and, for every CT, its intensities and lung mask on the preset's grid as NIfTI.

            example: quintet prepare healthy-cts --out data --preset lab
            """)

    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard !arguments.positional.isEmpty else { throw UsageError("which CTs? quintet prepare CT... --out DATA") }
        let out = try arguments.required("--out")
        let preset = try PresetOptions.preset(arguments, default: "lab")
        let archive = try Archive(arguments.positional)
        let table = try SliceTable(arguments.all("--leave-out"))
        try table.check(against: archive)
        let masks = try arguments.text("--masks").map { try MaskFolder($0) }
        let outcome = try prepare(
            archive: archive, masks: masks, table: table, reading: try ReadingArguments.options(arguments),
            preset: preset, out: out, pool: ThreadPool(threadCount: try Threads.count(arguments)),
            progress: ProgressLine(quiet: arguments.has("--quiet")))
        if arguments.has("--json") { Console.out(JSONText.encode(outcome.manifest, pretty: true)) }
        return outcome.refused.isEmpty ? .done : .doneWithRefusals
    }

    struct Outcome {
        var manifest: DataSetManifest
        /// One message for each CT that was left out.
        var refused: [String]
    }

    static func prepare(
        archive: Archive, masks: MaskFolder?, table: SliceTable, reading: ReadingOptions? = nil, preset: Preset,
        out: String, pool: ThreadPool, progress: ProgressLine
    ) throws -> Outcome {
        try FileSystem.makeFolder(out)
        var refused: [String] = []
        var entries: [DataSetManifest.Entry] = []
        var planeHeight = preset.planeHeight, planeWidth = preset.planeWidth
        let pace = Pace()
        // A first CT with lungs larger than the preset's plane makes the plane larger for all: those before are redone.
        var queue = archive.items[...]
        while let item = queue.popFirst() {
            let done = archive.items.count - queue.count - 1
            let left = pace.secondsLeft(fraction: Double(done) / Double(archive.items.count))
            progress.show("preparing \(item.name), \(done + 1) of \(archive.items.count)"
                + (left.map { ", \(Console.duration(seconds: $0)) left" } ?? ""))
            do {
                try item.checkName()
                let volume = try Preparation.run(
                    ct: ImageFile.read(path: item.path),
                    lung: masks.map { try ImageFile.read(path: $0.mask(for: item, of: archive.items.count)) },
                    reading: reading, preset: preset, planeHeight: planeHeight, planeWidth: planeWidth,
                    forTraining: true, pool: pool)
                let shape = volume.lung.shape
                if shape.height > planeHeight || shape.width > planeWidth {
                    (planeHeight, planeWidth) = (shape.height, shape.width)
                    if !entries.isEmpty {
                        progress.say("\(item.name) has larger lungs: all planes become \(planeHeight)x\(planeWidth)")
                        (entries, refused, queue) = ([], [], archive.items[...])
                        continue
                    }
                }
                entries.append(try store(volume, item: item, table: table, preset: preset, out: out))
                for warning in volume.warnings { progress.say("warning: \(item.path): \(warning)") }
            } catch {
                guard let message = refusal(error) else { throw error }
                refused.append(message)
                progress.say("left out: \(message)")
            }
        }
        guard !entries.isEmpty else {
            throw CommandError("none of the \(archive.items.count) CTs could be used; the reasons are above")
        }
        let manifest = DataSetManifest(
            preset: preset, planeHeight: planeHeight, planeWidth: planeWidth, volumes: entries)
        try manifest.validate()
        try AtomicFile.write(
            Array(JSONText.encode(manifest, pretty: true).utf8), to: "\(out)/\(DataSetManifest.fileName)")
        let bright = entries.map(\.brightShare).reduce(0, +) / Double(entries.count)
        progress.say("prepared \(entries.count) of \(archive.items.count) CTs in \(out) "
            + "(\(Console.duration(seconds: pace.elapsedSeconds)); planes of \(planeHeight)x\(planeWidth), "
            + String(format: "%.1f%% of the lung is bright)", 100 * bright))
        return Outcome(manifest: manifest, refused: refused)
    }

    private static func store(
        _ volume: PreparedVolume, item: Archive.Item, table: SliceTable, preset: Preset, out: String
    ) throws -> DataSetManifest.Entry {
        let (image, lung) = volume.encoded()
        let entry = DataSetManifest.Entry(
            name: item.name, sourceName: volume.source.name, imageDigest: SHA256.hexadecimal(of: image),
            lungDigest: SHA256.hexadecimal(of: lung), imageByteCount: image.count, lungByteCount: lung.count,
            depth: volume.lung.shape.depth, lungVoxelsBySlice: volume.lungVoxelsBySlice(),
            excludedSlices: try table.excludedSlices(of: item.name, in: volume).sorted(),
            edgeVoxelsRemoved: volume.edgeVoxelsRemoved, lungML: volume.lungML,
            brightShare: volume.brightShare(tau: preset.tau),
            warnings: volume.warnings.isEmpty ? nil : volume.warnings)
        try AtomicFile.write(image, to: "\(out)/\(entry.imageName)")
        try AtomicFile.write(lung, to: "\(out)/\(entry.lungName)")
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
