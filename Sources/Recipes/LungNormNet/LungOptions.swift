import Imaging

/// `--preset NAME` and the options that override one of its numbers.
enum LungOptions {
    /// What fixes the grid: needed when volumes are prepared.
    static let grid: [Option] = [
        Option("--preset", "NAME", "paper (the published setting), lab (half its resolution) or demo (a third); "
            + "default lab"),
        Option("--spacing", "Z,Y,X", "another grid, in mm; "
            + each { "\($0.spacing.zMM),\($0.spacing.yMM),\($0.spacing.xMM)" }),
        Option("--plane", "H,W", "least size of a slice in voxels; it grows where the lungs need more; "
            + each { "\($0.planeHeight),\($0.planeWidth)" }),
        Option("--tau", "VALUE", "H at and above this is bright; default 0.33, which is HU -500"),
    ]

    /// Where there is a data set already.
    static let presetOfDataSet = Option(
        "--preset", "NAME", "paper, lab or demo; default: the one the data set was prepared for")

    /// What fixes the training.
    static let training: [Option] = [
        Option("--iterations", "N", "optimiser steps per replica; " + each { "\($0.iterations)" }),
        Option("--batch", "N", "samples per step; " + each { "\($0.batch)" }),
        Option("--slab", "N", "slices of a sample; " + each { "\($0.slabDepth)" }),
        Option("--channels", "A,B,...", "the U-Net's channels by level; " + each { list($0.channels) }),
        Option("--strides", "A,B,...", "its strides, one fewer than channels; " + each { list($0.strides) }),
        Option("--residual-units", "N", "residual units per level, 0 for plain convolutions; "
            + each { "\($0.residualUnits)" }),
        Option("--learning-rate", "X", "Adam's learning rate, 0 leaves the initial weights; "
            + each { "\($0.learningRate)" }),
        Option("--threshold", "P", "healthy above this probability; "
            + each { $0.healthyThreshold.map { "\($0)" } ?? "calibrated" }),
        Option(
            "--without", "WHAT", "the paper's ablations: shapes, probability-maps or salt-noise", isRepeatable: true),
    ]

    /// "paper 3500, lab 2000, demo 300"
    private static func each(_ value: (Preset) -> String) -> String {
        Preset.all.map { "\($0.name) \(value($0))" }.joined(separator: ", ")
    }

    private static func list(_ numbers: [Int]) -> String { numbers.map { "\($0)" }.joined(separator: ",") }

    /// A preset with the grid's options on top.
    /// - Throws: `UsageError` naming the option.
    static func preset(_ values: OptionValues, default fallback: String) throws -> Preset {
        var preset: Preset
        do {
            preset = try Preset.named(values.text("--preset") ?? fallback)
        } catch RecipeError.inputRefused(let message) {
            throw UsageError(message)
        }
        if let lengths = try values.numbers("--spacing", count: 3, 0.1...20) {
            preset.spacing = Spacing(zMM: lengths[0], yMM: lengths[1], xMM: lengths[2])
        }
        if let sides = try values.integers("--plane", 8...2048) {
            guard sides.count == 2 else { throw UsageError("--plane takes two numbers, height and width: 96,144") }
            (preset.planeHeight, preset.planeWidth) = (sides[0], sides[1])
        }
        if let value = try values.number("--tau", 0.01...0.99) { preset.tau = value }
        return preset
    }

    /// The preset to train with: the one the data set was prepared for, or another on the same grid, with the options
    /// of a training on top.
    /// - Parameter folder: names the data set in errors.
    /// - Throws: `UsageError` naming an option; `RecipeError.inputRefused` when the data set is on another grid.
    static func preset(_ values: OptionValues, for data: DataSetManifest, folder: String) throws -> Preset {
        var preset = try preset(values, default: data.presetName)
        if values.text("--preset") == nil || values.text("--preset") == data.presetName {
            // Overrides given to prepare stay in force.
            (preset.spacing, preset.tau) = (data.spacing, data.tau)
        }
        guard preset.spacing == data.spacing, preset.tau == data.tau else {
            throw RecipeError.inputRefused("\(folder) was prepared for preset \(data.presetName) "
                + "(\(data.spacing.text)), not for \(preset.name) (\(preset.spacing.text)); prepare the CTs again with "
                + "--preset \(preset.name)")
        }
        return try override(preset, values)
    }

    private static func override(_ preset: Preset, _ values: OptionValues) throws -> Preset {
        var preset = preset
        if let value = try values.integer("--iterations", 1...10_000_000) { preset.iterations = value }
        if let value = try values.integer("--batch", 1...64) { preset.batch = value }
        if let value = try values.integer("--slab", 1...512) { preset.slabDepth = value }
        if let value = try values.integers("--channels", 1...2048) { preset.channels = value }
        if let value = try values.integers("--strides", 1...4) { preset.strides = value }
        if let value = try values.integer("--residual-units", 0...8) { preset.residualUnits = value }
        if let value = try values.number("--learning-rate", 0...1) { preset.learningRate = value }
        if let value = try values.number("--threshold", 0...1) { preset.healthyThreshold = value }
        for word in values.all("--without") {
            switch word {
            case "shapes": preset.lesionShapes = false
            case "probability-maps": preset.lesionProbabilityMaps = false
            case "salt-noise": preset.lesionSaltNoise = false
            default: throw UsageError("--without takes shapes, probability-maps or salt-noise, not \"\(word)\"")
            }
        }
        return preset
    }
}
