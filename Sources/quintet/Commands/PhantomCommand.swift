import Foundation
import Imaging
import Numerics
import Platform
import SynthData

/// `quintet phantom`
enum PhantomCommand: Command {
    static let syntax = CommandSyntax(
        "phantom", "Make chest CTs to play with: healthy ones, and diseased ones with the truth.",
        options: [
            Option("--out", "DIR", "where to write", isRequired: true),
            Option("--count", "N", "healthy ones; default 4"),
            Option("--diseased", "N", "diseased ones; default 2"),
            Option("--seed", "N", "another seed, other patients; default 1"),
            Option("--spacing", "Z,Y,X", "voxel size in mm; default 2,1.6,1.6"),
            Option("--overwrite", nil, "replace files in DIR that quintet did not write"),
            Option("--threads", "N", "threads; default all"),
            Option("--quiet", nil, "say only what goes wrong"),
        ],
        details: """
            Writes DIR/healthy/*.nii.gz and DIR/diseased/*.nii.gz (CTs in HU), DIR/lungs (lung masks of both) and
            DIR/lesions (the truth about the diseased ones). The same seed gives the same voxels anywhere.

            example: quintet phantom --out play --count 6 --diseased 3
            """)

    static let interruption: String? =
        "interrupted; the CTs written so far are whole, and the same command makes all of them again"

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let out = try arguments.required("--out")
        let healthy = try arguments.integer("--count", 0...10_000) ?? 4
        let diseased = try arguments.integer("--diseased", 0...10_000) ?? 2
        let seed = UInt64(try arguments.integer("--seed", 0...Int.max) ?? 1)
        var spacing = Spacing(zMM: 2, yMM: 1.6, xMM: 1.6)
        if let values = try PresetOptions.numbers(arguments, "--spacing", count: 3, range: 0.4...12) {
            spacing = Spacing(zMM: values[0], yMM: values[1], xMM: values[2])
        }
        try make(
            output: OutputFolder(
                out, kind: "phantom", settings: "seed \(seed), \(spacing.text)",
                mayOverwrite: arguments.has("--overwrite")), healthy: healthy,
            diseased: diseased, seed: seed, spacing: spacing,
            pool: ThreadPool(threadCount: try Threads.count(arguments)),
            progress: ProgressLine(quiet: arguments.has("--quiet")))
        return .done
    }

    /// Also the demo's first step.
    static func make(
        output: OutputFolder, healthy: Int, diseased: Int, seed: UInt64, spacing: Spacing, pool: ThreadPool,
        progress: ProgressLine
    ) throws {
        let count = healthy + diseased
        func name(_ number: Int) -> String {
            (number < healthy ? "healthy-" : "diseased-")
                + String(format: "%02d", number < healthy ? number : number - healthy)
        }
        try output.check(
            (0..<count).flatMap { number in
                [number < healthy ? "healthy" : "diseased", "lungs"].map { "\($0)/\(name(number)).nii.gz" }
                    + (number < healthy ? [] : ["lesions/\(name(number)).nii.gz"])
            },
            inputs: [])
        let claim = try output.claim()
        defer { withExtendedLifetime(claim) {} }
        for folder in ["healthy", "diseased", "lungs", "lesions"] { try FileSystem.makeFolder(output.path(of: folder)) }
        let pace = Pace()
        for number in 0..<count {
            try StopWatch.check()
            let isDiseased = number >= healthy
            let index = isDiseased ? number - healthy : number
            let name = name(number)
            // Severities spread over the whole range, so that a table shows mild and grave ones.
            let severity = isDiseased && diseased > 1 ? 0.2 + 0.6 * Float(index) / Float(diseased - 1) : 0.5
            let phantom = ChestPhantom.make(
                .init(
                    seed: seed, index: isDiseased ? 100_000 + index : index, spacing: spacing, diseased: isDiseased,
                    severity: severity),
                pool: pool)
            let hu = phantom.ct.with(phantom.ct.voxels.map { Int16($0) })
            try output.write(NIfTIFile.encode(hu), to: "\(isDiseased ? "diseased" : "healthy")/\(name).nii.gz")
            try output.write(NIfTIFile.encode(phantom.lung), to: "lungs/\(name).nii.gz")
            if isDiseased { try output.write(NIfTIFile.encode(phantom.lesion), to: "lesions/\(name).nii.gz") }
            let left = pace.secondsLeft(fraction: Double(number + 1) / Double(count))
            progress.show("phantoms: \(number + 1) of \(count)"
                + (left.map { ", \(Console.duration(seconds: $0)) left" } ?? ""))
        }
        try output.settle()
        progress.say("phantoms: \(healthy) healthy and \(diseased) diseased chest CTs in \(output.path) "
            + "(\(Console.duration(seconds: pace.elapsedSeconds)))")
    }
}
