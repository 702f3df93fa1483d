import ModelCore
import SynthData

/// A setting of the two-stage liver recipe, by name (method.md B).
public struct LiverPreset: Codable, Hashable, Sendable {
    public var name: String
    public var slices: LiverSliceSettings
    public var anomalies: PseudoAnomalySettings
    /// Channels of the restoring network by level; each twice the one before.
    public var widths: [Int]
    /// What restores.
    package var restorerKind = RestoringNetwork.Kind.unet
    /// Both networks learn at once, by the sum of their losses, instead of one on what the other restores (the paper's
    /// Table 2 without "TP"). They see every slice `restoreEpochs` times.
    public var trainsTogether = false
    /// Channels of the segmenting network's top level.
    public var baseChannels: Int
    /// Slices of an optimiser step.
    public var batch: Int
    public var learningRate: Double
    /// How often each stage sees every clean slice.
    public var restoreEpochs: Int
    public var segmentEpochs: Int
    /// Tumour above this probability.
    public var threshold: Double

    /// As published: 256 x 256 pixels, 200 epochs of restoring and one of segmenting.
    public static let paper = LiverPreset(
        name: "paper", size: 256, widths: [64, 128, 256, 512], baseChannels: 64, learningRate: 1e-4,
        restoreEpochs: 200, segmentEpochs: 1)
    /// Half the resolution, a quarter of the channels: hours on a few processors.
    public static let lab = LiverPreset(
        name: "lab", size: 128, widths: [16, 32, 64, 128], baseChannels: 16, learningRate: 3e-4, restoreEpochs: 60,
        segmentEpochs: 2)
    /// Minutes, for made-up CTs.
    public static let demo = LiverPreset(
        name: "demo", size: 64, widths: [8, 16, 32], baseChannels: 8, learningRate: 1e-3, restoreEpochs: 40,
        segmentEpochs: 60)

    public static let all = [paper, lab, demo]

    private init(
        name: String, size: Int, widths: [Int], baseChannels: Int, learningRate: Double, restoreEpochs: Int,
        segmentEpochs: Int
    ) {
        (self.name, self.widths, self.baseChannels) = (name, widths, baseChannels)
        (self.learningRate, self.restoreEpochs, self.segmentEpochs) = (learningRate, restoreEpochs, segmentEpochs)
        slices = LiverSliceSettings(size: size)
        anomalies = PseudoAnomalySettings(size: size)
        (batch, threshold) = (8, 0.5)
    }

    /// - Throws: `RecipeError.inputRefused` listing the names that there are.
    public static func named(_ name: String) throws -> LiverPreset {
        if let found = all.first(where: { $0.name == name }) { return found }
        throw RecipeError.inputRefused("there is no preset \"\(name)\"; choose one of: "
            + all.map(\.name).joined(separator: ", "))
    }

    /// Stage 1: a slice with an anomaly -> the slice without.
    func restorer() throws -> RestoringNetwork {
        switch restorerKind {
        case .unet: .unet(try DenoisingUNetConfiguration(widths: widths))
        // DRAEM's is twice as wide as its segmenting network.
        case .autoencoder: .autoencoder(try ReconstructiveAutoencoderConfiguration(baseWidth: 2 * baseChannels))
        }
    }
    /// Stage 2: (restored, given) -> normal, tumour.
    func segmenter() throws -> DiscriminativeUNetConfiguration {
        try DiscriminativeUNetConfiguration(baseChannels: baseChannels)
    }

    func both() throws -> RestoringSegmenter<RestoringNetwork> {
        try RestoringSegmenter(restorer: restorer(), segmenter: segmenter())
    }

    func shape(sliceCount: Int) -> TensorShape3D {
        TensorShape3D(depth: sliceCount, height: slices.size, width: slices.size)
    }

    /// Every number within what can be computed at all.
    /// - Throws: `RecipeError.inputRefused` naming the first one that is not.
    func validate() throws {
        func check<Value: Comparable>(_ name: String, _ value: Value, _ range: ClosedRange<Value>) throws {
            guard !range.contains(value) else { return }
            throw RecipeError.inputRefused("the run's configuration says \(name) = \(value), which is not within "
                + "\(range.lowerBound) to \(range.upperBound); take a run.json that quintet train wrote")
        }
        try slices.validate()
        if let problem = anomalies.problem {
            throw RecipeError.inputRefused("pseudo-anomalies cannot be made so: \(problem)")
        }
        guard anomalies.size == slices.size else {
            throw RecipeError.inputRefused("anomalies of \(anomalies.size) pixels for slices of \(slices.size)")
        }
        // What the segmenting network halves five times.
        guard slices.size % 32 == 0 else {
            throw RecipeError.inputRefused("slices of \(slices.size) pixels cannot be halved five times; prepare the "
                + "CTs with a --size that is a multiple of 32")
        }
        try check("batch", batch, 1...64)
        try check("learningRate", learningRate, 0...1)
        try check("restoreEpochs", restoreEpochs, 1...100_000)
        try check("segmentEpochs", segmentEpochs, 1...100_000)
        try check("threshold", threshold, 0...1)
        do {
            let count = try restorer().graph.parameters.count + segmenter().graph.parameters.count
            try check("the networks' numbers", count, 1...500_000_000)
            guard slices.size % (1 << (widths.count - 1)) == 0 else {
                throw RecipeError.inputRefused("slices of \(slices.size) pixels do not fit \(widths.count) levels")
            }
        } catch let error as ModelError {
            throw RecipeError.inputRefused("the run's configuration: \(error)")
        }
    }
}
