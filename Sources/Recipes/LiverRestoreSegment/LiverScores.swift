import Imaging
import VotingAggregator

/// Scores over the slices of a test set, as the authors' `evaluation_DRAEM_half` counts them (liver paper, Tables 1 and
/// 2): whether slices with tumour are told from slices without, and the Dice of all pixels of all slices together. The
/// Dice of one volume on its own grid is `SegmentationScores`'.
public struct LiverScores: Sendable {
    /// How a slice's map of probabilities becomes one number.
    public enum SliceScore: String, Sendable, Codable, CaseIterable {
        /// The largest probability: the paper's AUROC.
        case maximum
        /// The sum of all, the expected area in pixels; the program computes it and does not use it.
        case area
    }

    /// Above this a pixel is tumour.
    public let threshold: Float
    private var maxima: [Double] = []
    private var areas: [Double] = []
    private var labels: [Bool] = []
    /// Pixels of all slices so far.
    public private(set) var counts = ConfusionCounts(
        truePositives: 0, falsePositives: 0, falseNegatives: 0, trueNegatives: 0)

    public init(threshold: Float = 0.5) { self.threshold = threshold }

    /// Adds a slice.
    /// - Parameters:
    ///   - probabilities: of tumour, one for each pixel, 0 ... 1.
    ///   - tumour: not 0 in tumour; a slice with one such pixel is positive.
    public mutating func add(probabilities: UnsafeBufferPointer<Float>, tumour: UnsafeBufferPointer<UInt8>) {
        precondition(probabilities.count == tumour.count, "a slice and its truth have as many pixels")
        var (most, sum) = (-Double.infinity, 0.0), isPositive = false
        for (value, truth) in zip(probabilities, tumour) {
            // One value that is none makes the slice's score none, and with it the area under the curve.
            most = value.isNaN || most.isNaN ? .nan : max(most, Double(value))
            sum += Double(value)
            switch (value > threshold, truth != 0) {
            case (true, true): counts.truePositives += 1
            case (true, false): counts.falsePositives += 1
            case (false, true): counts.falseNegatives += 1
            case (false, false): counts.trueNegatives += 1
            }
            isPositive = isPositive || truth != 0
        }
        maxima.append(most)
        areas.append(sum)
        labels.append(isPositive)
    }

    public var sliceCount: Int { labels.count }
    public var positiveSliceCount: Int { labels.count { $0 } }

    /// The chance that a slice with tumour scores above one without, ties half; nil without slices of both kinds, or
    /// where a probability was not a number.
    public func areaUnderCurve(by score: SliceScore) -> Double? {
        AreaUnderCurve.area(scores: score == .maximum ? maxima : areas, labels: labels)
    }

    /// Dice, precision, sensitivity and specificity of all pixels together.
    public var pooled: SegmentationScores { SegmentationScores(counts) }
}
