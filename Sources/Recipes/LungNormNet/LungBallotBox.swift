import Foundation
import Imaging
import Numerics
import VotingAggregator

/// `quintet vote`: the majority of masks of what is healthy, post-processed on the CT's own grid (method A4, A5).
struct LungBallotBox: BallotBox {
    var votesHelp: String { "masks of what each voter calls healthy (not 0 = healthy), on the CT's grid" }
    var maskHelp: String { "its lung mask" }
    var maskNoun: String { "the lung mask and the votes" }
    var options: [Option] {
        [
            Option("--tau", "VALUE", "H at and above this is bright; default 0.33 (HU -500)"),
            Option("--growth-limit", "MM", "grow no further than this from the core; default: until nothing changes"),
        ]
    }
    var details: String {
        """
        A voxel is healthy where more than half of the voters say so. Everything is computed on the CT's own grid;
        masks that are stored in another orientation are turned to it, masks on another grid refused.
        Writes DIR/vote.nii.gz (healthy by majority), DIR/lesions.nii.gz and DIR/lesions-without-growing.nii.gz.
        """
    }
    var fileNames: [String] { ["vote", "lesions", "lesions-without-growing"] }
    var answerNoun: String { "a mask of lesions, or of lungs" }
    var voteNoun: String { "masks of what each voter calls healthy" }

    private struct Figures: Encodable {
        var voterCount: Int
        var lesionML: Double
        var lungML: Double
        var lesionPercent: Double?
        var lesionWithoutGrowingML: Double
        /// Absent when there is nothing to say.
        var warnings: [String]?
    }

    func count(
        _ files: BallotFiles, _ values: OptionValues, pool: ThreadPool, warn: (String) -> Void
    ) throws -> BallotResult {
        let ballot = try LungBallot(
            votes: files.votes, ct: files.ct, lung: files.mask, reading: files.reading, pool: pool)
        let ct = ballot.ct, lung = ballot.lung, geometry = ct.volume.geometry
        var settings = PostProcessingSettings(
            spacing: geometry.boxSpacing, growthLimitMM: try values.number("--growth-limit", 0...1000))
        if let tau = try values.number("--tau", 0.01...0.99) { settings.brightIntensity = Float(tau) }
        let intensity = Preparation.intensity(ct.volume, lung: lung.mask(geometry: geometry, pool: pool))
        let warnings = ballot.warnings + ballot.contentWarnings(intensity, tau: settings.brightIntensity)
        warnings.forEach(warn)
        let answer = try PostProcessing.run(
            healthy: ballot.healthy, intensity: intensity, lung: lung, settings: settings, pool: pool)
        let burden = try LesionBurden(lesion: answer.grown, lung: lung, geometry: geometry)
        let core = try LesionBurden(lesion: answer.core, lung: lung, geometry: geometry)
        /// No digits that nobody has measured.
        func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
        return BallotResult(
            files: [ballot.healthy, answer.grown, answer.core].map { bits in
                NIfTIFile.encode(bits.mask(geometry: geometry, pool: pool), like: ct.source, isMask: true)
            },
            text: String(
                format: "%.1f ml of lesions, %.1f%% of the lung", burden.lesionML, burden.lungPercent ?? 0),
            figures: JSONValue(Figures(
                voterCount: files.votes.count, lesionML: rounded(burden.lesionML), lungML: rounded(burden.lungML),
                lesionPercent: burden.lungPercent.map(rounded), lesionWithoutGrowingML: rounded(core.lesionML),
                warnings: warnings.isEmpty ? nil : warnings)))
    }
}
