import Foundation
import Imaging
import Numerics
import VotingAggregator

/// Votes from files, counted on the CT's own grid, in whatever orientation each is stored.
struct LungBallot {
    let ct: LoadedImage
    let lung: BitMask
    /// By majority.
    let healthy: BitMask
    private(set) var warnings: [String]

    /// - Throws: `RecipeError.inputRefused` or `ImageFileError` naming a file on another grid or of no use.
    init(votes paths: [String], ct ctPath: String, lung lungPath: String, reading: ReadingOptions?, pool: ThreadPool)
        throws
    {
        let stored = try ImageFile.read(path: ctPath, name: ctPath)
        ct = reading?.applied(to: stored) ?? stored
        let labels = reading?.labels
        let lungMask = try LungMask(
            of: ct, given: ImageFile.read(path: lungPath, name: lungPath), labels: labels, pool: pool)
        lung = BitMask(lungMask.mask, pool: pool)
        var said = ct.source.warnings + (try ScanExtent.warnings(ct.source)) + lungMask.warnings
        if let warning = MajorityVote.warning(voterCount: paths.count) { said.append(warning) }
        var votes: [BitMask] = []
        for path in paths {
            let file = try ImageFile.read(path: path, name: path)
            let vote = try file.maskReading(on: ct.source, labels: labels)
            for warning in file.source.warnings + vote.warnings where !said.contains("\(path): \(warning)") {
                said.append("\(path): \(warning)")
            }
            votes.append(BitMask(vote.mask, pool: pool))
            if let twin = votes.dropLast().firstIndex(of: votes[votes.count - 1]) {
                said.append("\(path) holds the same votes as \(paths[twin]), number \(twin + 1): one voter counts "
                    + "more than once")
            }
        }
        healthy = try MajorityVote.vote(votes, pool: pool)
        warnings = said
    }

    /// Voters that know lungs call most of what is bright in them healthy, vessels and the walls of airways, and hardly
    /// anything else. Masks of lesions, of lungs, and votes turned inside out, given by mistake, do not.
    /// - Parameter intensity: H, 0 outside of the lung.
    func contentWarnings(_ intensity: Volume<Float>, tau: Float) -> [String] {
        var bright = 0, healthyBright = 0
        for (value, isHealthy) in zip(intensity.voxels, healthy.voxels()) where value >= tau {
            bright += 1
            healthyBright += Int(isHealthy)
        }
        let inside = healthy.voxelCount(sharedWith: lung), all = healthy.voxelCount
        func percent(_ part: Int, _ whole: Int) -> String {
            String(format: "%.1f", 100 * Double(part) / Double(max(whole, 1)))
        }
        var warnings: [String] = []
        if bright > 0, 10 * healthyBright < bright {
            warnings.append("the votes call \(percent(healthyBright, bright))% of what is bright in the lung healthy, "
                + "and vessels alone are more: are they masks of lesions? --votes takes masks of what is healthy")
        }
        if 100 * inside > 98 * lung.voxelCount {
            warnings.append("the votes call \(percent(inside, lung.voxelCount))% of the lung healthy: are they lung "
                + "masks? No lesion can be found then")
        }
        if 2 * inside < all {
            warnings.append("\(percent(all - inside, all))% of what the votes call healthy lies outside of the lung: "
                + "are they turned inside out, or of another scan?")
        }
        return warnings
    }
}
