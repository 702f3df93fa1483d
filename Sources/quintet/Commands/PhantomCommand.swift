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
            Option("--out", "DIR", "where to write"),
            Option("--count", "N", "healthy ones; default 4"),
            Option("--diseased", "N", "diseased ones; default 2"),
            Option("--seed", "N", "another seed, other patients; default 1"),
            Option("--spacing", "Z,Y,X", "voxel size in mm; default 2,1.6,1.6"),
            Option("--threads", "N", "threads; default all"),
            Option("--quiet", nil, "no progress"),
        ],
        details: """
            Writes DIR/healthy/*.nii.gz and DIR/diseased/*.nii.gz (CTs in HU), DIR/lungs (lung masks of both) and
            DIR/lesions (the truth about the diseased ones). The same seed gives the same voxels anywhere.

            example: quintet phantom --out play --count 6 --diseased 3
            """)

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
            out: out, healthy: healthy, diseased: diseased, seed: seed, spacing: spacing,
            pool: ThreadPool(threadCount: try Threads.count(arguments)),
            progress: ProgressLine(quiet: arguments.has("--quiet")))
        return .done
    }

    /// Also the demo's first step.
    static func make(
        out: String, healthy: Int, diseased: Int, seed: UInt64, spacing: Spacing, pool: ThreadPool,
        progress: ProgressLine
    ) throws {
        for folder in ["healthy", "diseased", "lungs", "lesions"] {
            try FileSystem.makeFolder("\(out)/\(folder)")
        }
        let count = healthy + diseased
        let pace = Pace()
        for number in 0..<count {
            let isDiseased = number >= healthy
            let index = isDiseased ? number - healthy : number
            let name = (isDiseased ? "diseased-" : "healthy-") + String(format: "%02d", index)
            // Severities spread over the whole range, so that a table shows mild and grave ones.
            let severity = isDiseased && diseased > 1 ? 0.2 + 0.6 * Float(index) / Float(diseased - 1) : 0.5
            let phantom = ChestPhantom.make(
                .init(
                    seed: seed, index: isDiseased ? 100_000 + index : index, spacing: spacing, diseased: isDiseased,
                    severity: severity),
                pool: pool)
            let hu = phantom.ct.with(phantom.ct.voxels.map { Int16($0) })
            try NIfTIFile.write(hu, to: "\(out)/\(isDiseased ? "diseased" : "healthy")/\(name).nii.gz")
            try NIfTIFile.write(phantom.lung, to: "\(out)/lungs/\(name).nii.gz")
            if isDiseased { try NIfTIFile.write(phantom.lesion, to: "\(out)/lesions/\(name).nii.gz") }
            let left = pace.secondsLeft(fraction: Double(number + 1) / Double(count))
            progress.show("phantoms: \(number + 1) of \(count)"
                + (left.map { ", \(Console.duration(seconds: $0)) left" } ?? ""))
        }
        progress.say("phantoms: \(healthy) healthy and \(diseased) diseased chest CTs in \(out) "
            + "(\(Console.duration(seconds: pace.elapsedSeconds)))")
    }
}
