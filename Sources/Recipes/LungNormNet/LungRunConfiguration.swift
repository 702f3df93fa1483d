import Foundation
import Imaging
import ModelCore
import Numerics

/// The `parameters` of a lung-normnet run: everything a worker must know beside the inputs.
public struct LungRunConfiguration: Codable, Hashable, Sendable {
    public var preset: Preset
    /// The plane all slabs share: the preset's, or larger where the data set's lungs need it.
    public var planeHeight: Int
    public var planeWidth: Int
    public var iterations: Int
    /// Healthy above this. nil while it is not calibrated yet.
    public var healthyThreshold: Double?
    /// Answers for each replica beside the vote's, for tables and to look at.
    public var memberAnswers: Bool
    /// How the CTs to segment and their masks are read; nil, and absent from the text: as they are.
    public var reading: ReadingOptions?
    /// What is written beside the masks; nil, and absent from the text: nothing.
    public var extras: [LungExtra]?
    /// What the headers of masks say made them; nil, and absent from the text: the program alone.
    public var maskDescription: String?

    public init(
        preset: Preset, planeHeight: Int, planeWidth: Int, iterations: Int, healthyThreshold: Double?,
        memberAnswers: Bool = false
    ) {
        self.preset = preset
        self.planeHeight = planeHeight
        self.planeWidth = planeWidth
        self.iterations = iterations
        self.healthyThreshold = healthyThreshold
        self.memberAnswers = memberAnswers
    }

    func wants(_ extra: LungExtra) -> Bool { extras?.contains(extra) ?? false }

    /// What a network sees at once.
    public var slabShape: TensorShape3D {
        TensorShape3D(depth: preset.slabDepth, height: planeHeight, width: planeWidth)
    }

    /// What a network sees at once of a volume whose plane has grown beyond the run's, where its lungs needed it.
    /// - Throws: `RecipeError.inputRefused` when that is more than a slab may have.
    func slab(holding volume: VolumeShape, name: String) throws -> TensorShape3D {
        let slab = TensorShape3D(depth: preset.slabDepth, height: volume.height, width: volume.width)
        guard slab.voxelCount <= Self.slabVoxelCountMax else {
            throw RecipeError.inputRefused("\(name): its lungs need planes of \(volume.height)x\(volume.width) voxels, "
                + "and slabs of \(slab.depth) of them would have more than \(Self.slabVoxelCountMax); check its lung "
                + "mask, or crop the CT")
        }
        return slab
    }

    /// Voxels of a slab: 16 times the paper's. Each number by itself may be sound where their product is not.
    static let slabVoxelCountMax = 1 << 27
    /// Voxels of a whole batch, of which two are kept ready: 16 times the paper's.
    static let batchVoxelCountMax = 1 << 30

    /// Sorted keys, so that equal configurations are equal text.
    public func json() -> String { JSONText.encode(self) }

    /// - Throws: `RecipeError.inputRefused` when the text is no configuration of this recipe.
    public init(json: String) throws {
        self = try JSONText.decode(LungRunConfiguration.self, json, what: "the run's configuration")
        try validate()
    }

    /// Every number within what can be computed at all: a run.json may come from anywhere, parameters over the wire.
    /// - Throws: `RecipeError.inputRefused` naming the first one that is not.
    public func validate() throws {
        func check<Value: Comparable>(_ name: String, _ value: Value, _ range: ClosedRange<Value>) throws {
            guard !range.contains(value) else { return }
            throw RecipeError.inputRefused("the run's configuration says \(name) = \(value), which is not within "
                + "\(range.lowerBound) to \(range.upperBound); take a run.json that quintet train wrote")
        }
        for spacing in [preset.spacing.zMM, preset.spacing.yMM, preset.spacing.xMM] {
            try check("spacing", spacing, 0.1...100)
        }
        try check("slabDepth", preset.slabDepth, 1...1024)
        for side in [preset.planeHeight, preset.planeWidth, planeHeight, planeWidth] {
            try check("planeHeight or planeWidth", side, 1...DataSetManifest.planeSideMax)
        }
        try check("batch", preset.batch, 1...256)
        for (height, width) in [(planeHeight, planeWidth), (preset.planeHeight, preset.planeWidth)] {
            let slab = preset.slabDepth * height * width
            try check("the voxels of a slab", slab, 1...Self.slabVoxelCountMax)
            try check("the voxels of a batch", slab * preset.batch, 1...Self.batchVoxelCountMax)
        }
        for count in [preset.iterations, iterations] { try check("iterations", count, 0...100_000_000) }
        try check("learningRate", preset.learningRate, 0...1)
        try check("tau", preset.tau, 0...1)
        for threshold in [preset.healthyThreshold, healthyThreshold] {
            try check("healthyThreshold", threshold ?? 0, 0...1)
        }
        try reading?.validate()
        if let maskDescription { try MaskDescription.validate(maskDescription) }
        do {
            try check("the network's numbers", preset.networkConfiguration().parameterCount, 1...200_000_000)
        } catch let error as ModelError {
            throw RecipeError.inputRefused("the run's configuration: \(error)")
        }
    }
}
