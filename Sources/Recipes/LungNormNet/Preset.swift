import Imaging
import ModelCore
import SynthData
import VotingAggregator

/// Everything that fixes what a network sees and how it is trained. Stored in every checkpoint and run; each number
/// can be overridden on the command line. method.md A1 to A4; paper III-E.
public struct Preset: Codable, Hashable, Sendable {
    public var name: String
    /// The grid that volumes are resampled to.
    public var spacing: Spacing
    /// Slices of one training sample and of one piece of inference.
    public var slabDepth: Int
    /// The plane's least size in voxels; it grows where lungs would not fit.
    public var planeHeight: Int
    public var planeWidth: Int
    public var channels: [Int]
    public var strides: [Int]
    public var residualUnits: Int
    public var batch: Int
    public var iterations: Int
    public var learningRate: Double
    /// A voxel is healthy where the network's probability is above this. nil: calibrated after training (A4).
    public var healthyThreshold: Double?
    /// The paper's ablations (Table V) as switches; all true is the method.
    public var lesionShapes: Bool = true
    public var lesionProbabilityMaps: Bool = true
    public var lesionSaltNoise: Bool = true

    /// H at and above this is bright: HU -500 (A1.6). The paper's Table V tries others.
    public var tau: Double = 0.33

    /// The paper's setting: 0.8 x 0.8 x 1.0 mm, 3500 iterations of batch 8.
    public static let paper = Preset(
        name: "paper", spacing: Spacing(zMM: 1.0, yMM: 0.8, xMM: 0.8), slabDepth: 32, planeHeight: 512,
        planeWidth: 512, channels: [16, 32, 64, 128, 256], strides: [2, 2, 2, 2], residualUnits: 2, batch: 8,
        iterations: 3500, learningRate: 3e-4, healthyThreshold: 0.95)

    /// Half the paper's resolution: for a night on machines without a GPU.
    public static let lab = Preset(
        name: "lab", spacing: Spacing(zMM: 2.0, yMM: 1.6, xMM: 1.6), slabDepth: 32, planeHeight: 256,
        planeWidth: 256, channels: [16, 32, 64, 128, 256], strides: [2, 2, 2, 2], residualUnits: 2, batch: 4,
        iterations: 2000, learningRate: 3e-4, healthyThreshold: nil)

    /// A third of the paper's resolution and a small network: five replicas in minutes on two cores.
    public static let demo = Preset(
        name: "demo", spacing: Spacing(zMM: 3.0, yMM: 2.4, xMM: 2.4), slabDepth: 16, planeHeight: 96,
        planeWidth: 144, channels: [16, 32, 64], strides: [2, 2], residualUnits: 1, batch: 2, iterations: 300,
        learningRate: 1e-3, healthyThreshold: nil)

    public static let all: [Preset] = [.paper, .lab, .demo]

    /// - Throws: `RecipeError.inputRefused` naming the presets there are.
    public static func named(_ name: String) throws -> Preset {
        if let preset = all.first(where: { $0.name == name }) { return preset }
        let names = all.map(\.name).joined(separator: ", ")
        throw RecipeError.inputRefused("there is no preset \"\(name)\"; choose one of: \(names)")
    }

    /// Sizes must be divisible by this for the skip connections to meet.
    public var strideProduct: Int { strides.reduce(1, *) }

    public func networkConfiguration() throws -> UNetConfiguration {
        try UNetConfiguration(
            inChannels: 1, outChannels: 2, channels: channels, strides: strides, residualUnits: residualUnits)
    }

    /// The generator's switches and lengths (A2).
    public var lesionSettings: LesionSettings {
        var settings = LesionSettings(spacing: spacing)
        (settings.shapes, settings.probabilityMaps, settings.saltNoise) =
            (lesionShapes, lesionProbabilityMaps, lesionSaltNoise)
        settings.tau = Float(tau)
        return settings
    }

    /// The post-processing's boxes and thresholds (A5).
    public var postProcessingSettings: PostProcessingSettings {
        PostProcessingSettings(spacing: spacing, brightIntensity: Float(tau))
    }
}
