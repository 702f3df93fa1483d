import Imaging
import Numerics
import Platform
import Recipes
import VotingAggregator

/// `quintet vote`
enum VoteCommand: Command {
    static let syntax = CommandSyntax(
        "vote", "Take the majority of masks made anywhere and post-process it.",
        options: [
            Option(
                "--votes", "FILE ...", "masks of what each voter calls healthy (not 0 = healthy), on the CT's grid",
                isRequired: true, isRepeatable: true),
            Option("--ct", "FILE", "the CT, in HU", isRequired: true),
            Option("--mask", "FILE", "its lung mask", isRequired: true),
            Option("--out", "DIR", "where to write", isRequired: true),
            ReadingArguments.addHU, ReadingArguments.labels(of: "the lung mask and the votes"),
            Option("--tau", "VALUE", "H at and above this is bright; default 0.33 (HU -500)"),
            Option("--growth-limit", "MM", "grow no further than this from the core; default: until nothing changes"),
            Option("--overwrite", nil, "replace files in DIR that quintet did not write"),
            Option("--threads", "N", "threads; default all"),
            Option("--json", nil, "figures as JSON on stdout"),
        ],
        details: """
            A voxel is healthy where more than half of the voters say so. Everything is computed on the CT's own grid;
            masks that are stored in another orientation are turned to it, masks on another grid refused.
            Writes DIR/vote.nii.gz (healthy by majority), DIR/lesions.nii.gz and DIR/lesions-without-growing.nii.gz.

            example: quintet vote --votes a.nii.gz b.nii.gz c.nii.gz --ct ct.nii.gz --mask lung.nii.gz --out answer
            """)

    private struct Figures: Encodable {
        var voterCount: Int
        var lesionML: Double
        var lungML: Double
        var lesionPercent: Double?
        var lesionWithoutGrowingML: Double
        /// Absent when there is nothing to say.
        var warnings: [String]?
    }

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let votePaths = arguments.all("--votes")
        guard !votePaths.isEmpty else { throw UsageError("--votes is needed: the masks to count") }
        let out = try arguments.required("--out")
        let pool = ThreadPool(threadCount: try Threads.count(arguments))
        let reading = try ReadingArguments.options(arguments)
        let inputs = votePaths + [try arguments.required("--ct"), try arguments.required("--mask")]
        let output = try OutputFolder(
            out, kind: "vote", settings: "of " + inputs.map { path in
                (try? SHA256.digest(ofFile: path)).map { Hexadecimal.text($0).prefix(8) } ?? "nothing"
            }.joined(separator: " "),
            mayOverwrite: arguments.has("--overwrite"))
        let names = ["vote", "lesions", "lesions-without-growing"]
        try output.check(
            names.map { $0 + ".nii.gz" },
            inputs: inputs)
        for path in votePaths where OwnOutput.segmentation(holding: path) != nil {
            throw CommandError("\(path) is an answer of quintet segment: a mask of lesions, or of lungs, and no vote; "
                + "--votes takes masks of what each voter calls healthy")
        }
        let claim = try output.claim()
        defer { withExtendedLifetime(claim) {} }
        let ballot = try Ballot(
            votes: votePaths, ct: arguments.required("--ct"), lung: arguments.required("--mask"), reading: reading,
            pool: pool)
        let ct = ballot.ct, lung = ballot.lung, geometry = ct.volume.geometry
        var settings = PostProcessingSettings(
            spacing: geometry.boxSpacing, growthLimitMM: try arguments.number("--growth-limit", 0...1000))
        if let tau = try arguments.number("--tau", 0.01...0.99) { settings.brightIntensity = Float(tau) }
        let intensity = Preparation.intensity(ct.volume, lung: lung.mask(geometry: geometry, pool: pool))
        let warnings = ballot.warnings + ballot.contentWarnings(intensity, tau: settings.brightIntensity)
        warnings.forEach { Console.error("quintet: warning: \($0)") }
        let answer = try PostProcessing.run(
            healthy: ballot.healthy, intensity: intensity, lung: lung, settings: settings, pool: pool)
        let files = [ballot.healthy, answer.grown, answer.core].map { bits in
            NIfTIFile.encode(bits.mask(geometry: geometry, pool: pool), like: ct.source)
        }
        // The three belong together.
        try PromptEnd.holdingOff {
            for (name, bytes) in zip(names, files) { try output.write(bytes, to: name + ".nii.gz") }
            try output.settle()
        }
        let burden = try LesionBurden(lesion: answer.grown, lung: lung, geometry: geometry)
        let core = try LesionBurden(lesion: answer.core, lung: lung, geometry: geometry)
        if arguments.has("--json") {
            Console.out(JSONText.encode(
                Figures(
                    voterCount: votePaths.count, lesionML: Text.rounded(burden.lesionML),
                    lungML: Text.rounded(burden.lungML), lesionPercent: burden.lungPercent.map { Text.rounded($0) },
                    lesionWithoutGrowingML: Text.rounded(core.lesionML), warnings: warnings.isEmpty ? nil : warnings),
                pretty: true))
        } else {
            Console.out(Text.figures(lesionML: burden.lesionML, lesionPercent: burden.lungPercent ?? 0))
        }
        return .done
    }
}
