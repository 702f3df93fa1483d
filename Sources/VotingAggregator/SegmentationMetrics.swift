import Imaging

/// Voxels of a volume by what was answered and what is true.
public struct ConfusionCounts: Hashable, Sendable, Codable {
    public var truePositives: Int
    public var falsePositives: Int
    public var falseNegatives: Int
    public var trueNegatives: Int

    public init(truePositives: Int, falsePositives: Int, falseNegatives: Int, trueNegatives: Int) {
        self.truePositives = truePositives
        self.falsePositives = falsePositives
        self.falseNegatives = falseNegatives
        self.trueNegatives = trueNegatives
    }

    /// Counts over the whole volume, or over `region` alone (bright voxels of the lung in the paper's Table II).
    ///
    /// - Throws: `VotingError.gridMismatch` where the masks are not on one grid.
    public init(answer: BitMask, truth: BitMask, within region: BitMask? = nil) throws {
        for (what, mask) in [("the truth", truth), ("the region", region)] {
            guard let mask, mask.shape != answer.shape else { continue }
            throw VotingError.gridMismatch(what: what, shape: mask.shape, expected: answer.shape)
        }
        let (answer, truth) = region.map { (answer.intersection($0), truth.intersection($0)) } ?? (answer, truth)
        let total = region?.voxelCount ?? answer.shape.voxelCount
        let (positives, actual, shared) = (answer.voxelCount, truth.voxelCount, answer.voxelCount(sharedWith: truth))
        self.init(
            truePositives: shared, falsePositives: positives - shared, falseNegatives: actual - shared,
            trueNegatives: total - positives - actual + shared)
    }

    public static func + (a: ConfusionCounts, b: ConfusionCounts) -> ConfusionCounts {
        ConfusionCounts(
            truePositives: a.truePositives + b.truePositives, falsePositives: a.falsePositives + b.falsePositives,
            falseNegatives: a.falseNegatives + b.falseNegatives, trueNegatives: a.trueNegatives + b.trueNegatives)
    }
}

/// Scores of one volume, each from 0 to 1 (method.md A6). A score is nil where nothing could be scored: no lesion is
/// there and none was answered; nothing to be sensitive or specific to. An empty answer where there is a lesion has
/// precision 0.
public struct SegmentationScores: Hashable, Sendable, Codable {
    public var dice: Double?
    public var precision: Double?
    public var sensitivity: Double?
    public var specificity: Double?

    public init(_ counts: ConfusionCounts) {
        func share(_ part: Int, of whole: Int) -> Double? { whole > 0 ? Double(part) / Double(whole) : nil }
        let (right, answered) = (counts.truePositives, counts.truePositives + counts.falsePositives)
        let actual = counts.truePositives + counts.falseNegatives
        dice = share(2 * right, of: answered + actual)
        precision = share(right, of: answered) ?? (actual > 0 ? 0 : nil)
        sensitivity = share(right, of: actual)
        specificity = share(counts.trueNegatives, of: counts.trueNegatives + counts.falsePositives)
    }
}

/// Mean and standard deviation of a score over a set of volumes.
public struct ScoreSummary: Hashable, Sendable, Codable {
    public var mean: Double
    /// Of the set itself: divided by the number of values, as numpy.std does.
    public var standardDeviation: Double
    /// Volumes that had this score.
    public var count: Int

    /// Undefined scores are left out; nil when none is left.
    public init?(_ scores: [Double?]) {
        let values = scores.compactMap { $0 }
        guard !values.isEmpty else { return nil }
        let mean = values.reduce(0, +) / Double(values.count)
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
        self.mean = mean
        standardDeviation = variance.squareRoot()
        count = values.count
    }
}

/// How much of the lung is involved.
public struct LesionBurden: Hashable, Sendable, Codable {
    public var lesionML: Double
    public var lungML: Double
    /// Lesion voxels inside the lung; nil without a lung.
    public var lungPercent: Double?

    /// - Parameter geometry: of the grid both masks are on.
    /// - Throws: `VotingError.gridMismatch`.
    public init(lesion: BitMask, lung: BitMask, geometry: Geometry) throws {
        guard lesion.shape == lung.shape else {
            throw VotingError.gridMismatch(what: "the lung mask", shape: lung.shape, expected: lesion.shape)
        }
        let lungVoxels = lung.voxelCount
        lesionML = Double(lesion.voxelCount) * geometry.voxelML
        lungML = Double(lungVoxels) * geometry.voxelML
        lungPercent = lungVoxels == 0
            ? nil : 100 * Double(lesion.voxelCount(sharedWith: lung)) / Double(lungVoxels)
    }
}
