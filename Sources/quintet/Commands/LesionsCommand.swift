import Imaging
import Numerics
import Platform
import Recipes

/// `quintet lesions`
enum LesionsCommand: Command {
    static let syntax = CommandSyntax(
        "lesions", "Write synthetic training pairs as NIfTI, to look at or to use elsewhere.",
        options: [
            Option("--data", "DATA", "a data set made by quintet prepare", isRequired: true),
            Option("--out", "DIR", "where to write", isRequired: true),
            Option("--count", "N", "how many pairs; default 4, of the calibration all"),
            Option("--seed", "N", "the run's seed; default 1"),
            Option("--replica", "N", "the samples of this replica; default 0"),
            Option("--calibration", nil, "the slabs that the threshold is calibrated on, with their lungs, instead"),
            Option("--preset", "NAME", "paper, lab or demo; default: the one the data set was prepared for"),
        ] + PresetOptions.training.filter { ["--slab", "--without", "--batch"].contains($0.name) } + [
            Option("--overwrite", nil, "replace files in DIR that quintet did not write"),
            Option("--quiet", nil, "say only what goes wrong"),
        ],
        details: """
            Writes NNNN.image.nii.gz (the slab with lesions, 0 to 1), NNNN.target.nii.gz (1 where bright and healthy:
            what the network learns) and NNNN.lesion.nii.gz. These are the very samples that training with this seed
            sees, in its order; with --calibration, and NNNN.lung.nii.gz, those that the calibration after it sees, all
            of them or the first N.

            example: quintet lesions --data data --out pairs --count 8
            """)

    static let interruption: String? =
        "interrupted; the pairs written so far are whole, and the same command makes all of them again"

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let out = try arguments.required("--out")
        let data = try DataFolder(arguments.required("--data"))
        let wanted = try arguments.integer("--count", 1...1_000_000)
        let preset = try PresetOptions.override(data.preset(arguments), arguments)
        let seed = UInt64(try arguments.integer("--seed", 0...Int.max) ?? 1)
        let replica = try arguments.integer("--replica", 0...255) ?? 0
        if arguments.has("--calibration"), arguments.has("--replica") {
            throw UsageError("--replica cannot be given with --calibration, whose lesions no replica was trained on")
        }
        let configuration = LungRunConfiguration(
            preset: preset, planeHeight: data.manifest.planeHeight, planeWidth: data.manifest.planeWidth,
            iterations: preset.iterations, healthyThreshold: preset.healthyThreshold)
        let pairs = arguments.has("--calibration")
            ? try Pairs(calibrating: configuration, data: data, seed: seed, count: wanted)
            : try Pairs(training: configuration, data: data, seed: seed, replica: replica, count: wanted ?? 4)
        let output = try OutputFolder(
            out, kind: "lesions", settings: "data \(data.digest.prefix(8)), seed \(seed), \(pairs.source), "
                + "\(JSONText.encode(preset))",
            mayOverwrite: arguments.has("--overwrite"))
        func stem(_ number: Int) -> String {
            String(repeating: "0", count: max(0, 4 - "\(number)".count)) + "\(number)"
        }
        try output.check(
            (0..<pairs.count).flatMap { number in pairs.kinds.map { "\(stem(number)).\($0).nii.gz" } },
            inputs: data.files().map(\.path))
        let claim = try output.claim()
        defer { withExtendedLifetime(claim) {} }
        let progress = ProgressLine(quiet: arguments.has("--quiet"))
        for number in 0..<pairs.count {
            try StopWatch.check()
            for (kind, bytes) in zip(pairs.kinds, try pairs.files(number)) {
                try output.write(bytes, to: "\(stem(number)).\(kind).nii.gz")
            }
            progress.show("lesions: \(number + 1) of \(pairs.count)")
        }
        try output.settle()
        progress.say("lesions: \(pairs.count) pairs in \(out)")
        return .done
    }
}

/// Where the pairs come from, and what is written of each.
private struct Pairs {
    let count: Int
    let kinds: [String]
    /// In the words of the folder's settings.
    let source: String
    /// One for each of `kinds`.
    let files: (Int) throws -> [[UInt8]]

    init(
        training configuration: LungRunConfiguration, data: DataFolder, seed: UInt64, replica: Int, count: Int
    ) throws {
        let samples = try LungSamples(
            inputs: data.checkedInputs(), configuration: configuration, seed: seed, replica: replica)
        let batch = configuration.preset.batch, geometry = Geometry(spacing: configuration.preset.spacing)
        func volume<Element>(_ voxels: [Element]) -> Volume<Element> {
            Volume(shape: samples.shape, geometry: geometry, voxels: voxels)
        }
        (self.count, kinds, source) = (count, ["image", "target", "lesion"], "replica \(replica)")
        files = { number in
            let sample = try samples.lesionSample(iteration: number / batch, sample: number % batch)
            return [
                NIfTIFile.encode(volume(sample.image)), NIfTIFile.encode(volume(sample.target)),
                NIfTIFile.encode(volume(sample.lesion)),
            ]
        }
    }

    /// - Parameter count: nil: all there are.
    init(calibrating configuration: LungRunConfiguration, data: DataFolder, seed: UInt64, count: Int?) throws {
        let slabs = try CalibrationSlabs(inputs: data.checkedInputs(), configuration: configuration, seed: seed)
        self.count = min(count ?? slabs.count, slabs.count)
        (kinds, source) = (["image", "target", "lesion", "lung"], "calibration")
        files = { number in
            let slab = try slabs.slab(number)
            return [NIfTIFile.encode(slab.image)] + [slab.target, slab.lesion, slab.lung].map { NIfTIFile.encode($0) }
        }
    }
}
