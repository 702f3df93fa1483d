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
            Option("--votes", "FILE ...", "masks of what each voter calls healthy (not 0 = healthy), on the CT's grid",
                isRequired: true, isRepeatable: true),
            Option("--ct", "FILE", "the CT, in HU", isRequired: true),
            Option("--mask", "FILE", "its lung mask", isRequired: true),
            Option("--out", "DIR", "where to write", isRequired: true),
            Option("--tau", "VALUE", "H at and above this is bright; default 0.33 (HU -500)"),
            Option("--growth-limit", "MM", "grow no further than this from the core; default: until nothing changes"),
            Option("--threads", "N", "threads; default all"),
            Option("--json", nil, "figures as JSON on stdout"),
        ],
        details: """
            A voxel is healthy where more than half of the voters say so. Everything is computed on the CT's own grid.
            Writes DIR/vote.nii.gz (healthy by majority), DIR/lesions.nii.gz and DIR/lesions-without-growing.nii.gz.

            example: quintet vote --votes a.nii.gz b.nii.gz c.nii.gz --ct ct.nii.gz --mask lung.nii.gz --out answer
            """)

    private struct Figures: Encodable {
        var voterCount: Int
        var lesionML: Double
        var lungML: Double
        var lesionPercent: Double?
        var lesionWithoutGrowingML: Double
    }

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let votePaths = arguments.all("--votes")
        guard !votePaths.isEmpty else { throw UsageError("--votes is needed: the masks to count") }
        let out = try arguments.required("--out")
        let pool = ThreadPool(threadCount: try Threads.count(arguments))
        let ct = try ImageFile.read(path: arguments.required("--ct"))
        func mask(_ path: String) throws -> BitMask {
            let image = try ImageFile.read(path: path)
            guard image.volume.shape == ct.volume.shape else {
                throw RecipeError.inputRefused("\(path) has \(image.volume.shape) voxels and the CT "
                    + "\(ct.volume.shape); all files must lie on one grid")
            }
            return BitMask(try image.mask(), pool: pool)
        }
        let lung = try mask(arguments.required("--mask"))
        guard lung.voxelCount > 0 else {
            throw RecipeError.inputRefused("\(try arguments.required("--mask")): the lung mask is empty")
        }
        if let warning = MajorityVote.warning(voterCount: votePaths.count) { Console.error("quintet: \(warning)") }
        let healthy = try MajorityVote.vote(votePaths.map(mask), pool: pool)
        var settings = PostProcessingSettings(
            spacing: ct.volume.geometry.boxSpacing,
            growthLimitMM: try arguments.number("--growth-limit", 0...1000))
        if let tau = try arguments.number("--tau", 0.01...0.99) { settings.brightIntensity = Float(tau) }
        let answer = try PostProcessing.run(
            healthy: healthy, intensity: Preparation.intensity(ct.volume, lung: lung.mask(
                geometry: ct.volume.geometry, pool: pool)),
            lung: lung, settings: settings, pool: pool)
        try FileSystem.makeFolder(out)
        for (name, bits) in [
            ("vote", healthy), ("lesions", answer.grown), ("lesions-without-growing", answer.core),
        ] {
            try NIfTIFile.write(
                bits.mask(geometry: ct.volume.geometry, pool: pool), to: "\(out)/\(name).nii.gz", like: ct.source)
        }
        let geometry = ct.volume.geometry
        let burden = try LesionBurden(lesion: answer.grown, lung: lung, geometry: geometry)
        let core = try LesionBurden(lesion: answer.core, lung: lung, geometry: geometry)
        let figures = Figures(
            voterCount: votePaths.count, lesionML: burden.lesionML, lungML: burden.lungML,
            lesionPercent: burden.lungPercent, lesionWithoutGrowingML: core.lesionML)
        if arguments.has("--json") {
            Console.out(JSONText.encode(figures, pretty: true))
        } else {
            Console.out(Text.figures(lesionML: burden.lesionML, lesionPercent: burden.lungPercent ?? 0))
        }
        return .done
    }
}
