import ModelCore

/// The `parameters` of a liver-restore-segment run: everything a worker must know beside the inputs.
public struct LiverRunConfiguration: Codable, Hashable, Sendable {
    public var preset: LiverPreset
    /// Optimiser steps of the two stages.
    public var restoreIterations: Int
    public var segmentIterations: Int
    /// Answers for each replica beside the vote's.
    public var memberAnswers = false
    /// How the CTs to segment and their masks are read; nil, and absent from the text: as they are.
    public var reading: ReadingOptions?
    /// What the headers of masks say made them; nil, and absent from the text: the program alone.
    public var maskDescription: String?

    public init(preset: LiverPreset, restoreIterations: Int, segmentIterations: Int) {
        self.preset = preset
        self.restoreIterations = restoreIterations
        self.segmentIterations = segmentIterations
    }

    /// - Throws: `RecipeError.inputRefused` when the text is no configuration of this recipe.
    public init(json: String) throws {
        self = try JSONText.decode(LiverRunConfiguration.self, json, what: "the run's configuration")
        try preset.validate()
        try reading?.validate()
        if let maskDescription { try MaskDescription.validate(maskDescription) }
        for count in [restoreIterations, segmentIterations] where !(1...100_000_000).contains(count) {
            throw RecipeError.inputRefused("the run's configuration has \(count) iterations; take a run.json that "
                + "quintet train wrote")
        }
    }
}
