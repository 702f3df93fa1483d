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
            Option("--count", "N", "how many pairs; default 4"),
            Option("--seed", "N", "the run's seed; default 1"),
            Option("--replica", "N", "the samples of this replica; default 0"),
            Option("--preset", "NAME", "paper, lab or demo; default: the one the data set was prepared for"),
        ] + PresetOptions.training.filter { ["--slab", "--without", "--batch"].contains($0.name) } + [
            Option("--overwrite", nil, "replace files in DIR that quintet did not write"),
            Option("--quiet", nil, "say only what goes wrong"),
        ],
        details: """
            Writes NNNN.image.nii.gz (the slab with lesions, 0 to 1), NNNN.target.nii.gz (1 where bright and healthy:
            what the network learns) and NNNN.lesion.nii.gz. These are the very samples that training with this seed
            sees, in its order.

            example: quintet lesions --data data --out pairs --count 8
            """)

    static let interruption: String? =
        "interrupted; the pairs written so far are whole, and the same command makes all of them again"

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let out = try arguments.required("--out")
        let data = try DataFolder(arguments.required("--data"))
        let count = try arguments.integer("--count", 1...1_000_000) ?? 4
        let preset = try PresetOptions.override(data.preset(arguments), arguments)
        let seed = UInt64(try arguments.integer("--seed", 0...Int.max) ?? 1)
        let replica = try arguments.integer("--replica", 0...255) ?? 0
        let samples = try LungSamples(
            inputs: data.checkedInputs(),
            configuration: LungRunConfiguration(
                preset: preset, planeHeight: data.manifest.planeHeight, planeWidth: data.manifest.planeWidth,
                iterations: preset.iterations, healthyThreshold: preset.healthyThreshold),
            seed: seed, replica: replica)
        let output = try OutputFolder(
            out, kind: "lesions", settings: "data \(data.digest.prefix(8)), seed \(seed), replica \(replica), "
                + "\(JSONText.encode(preset))",
            mayOverwrite: arguments.has("--overwrite"))
        let kinds = ["image", "target", "lesion"]
        func stem(_ number: Int) -> String {
            String(repeating: "0", count: max(0, 4 - "\(number)".count)) + "\(number)"
        }
        try output.check(
            (0..<count).flatMap { number in kinds.map { "\(stem(number)).\($0).nii.gz" } },
            inputs: data.files().map(\.path))
        let claim = try output.claim()
        defer { withExtendedLifetime(claim) {} }
        let progress = ProgressLine(quiet: arguments.has("--quiet"))
        let geometry = Geometry(spacing: preset.spacing)
        for number in 0..<count {
            try StopWatch.check()
            let sample = try samples.lesionSample(iteration: number / preset.batch, sample: number % preset.batch)
            func volume<Element>(_ voxels: [Element]) -> Volume<Element> {
                Volume(shape: samples.shape, geometry: geometry, voxels: voxels)
            }
            let files = [
                NIfTIFile.encode(volume(sample.image)), NIfTIFile.encode(volume(sample.target)),
                NIfTIFile.encode(volume(sample.lesion)),
            ]
            for (kind, bytes) in zip(kinds, files) { try output.write(bytes, to: "\(stem(number)).\(kind).nii.gz") }
            progress.show("lesions: \(number + 1) of \(count)")
        }
        try output.settle()
        progress.say("lesions: \(count) pairs in \(out)")
        return .done
    }
}
