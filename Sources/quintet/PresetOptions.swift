import Imaging
import Recipes

/// `--preset NAME` and the options that override one of its numbers.
enum PresetOptions {
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

    /// - Throws: `UsageError` naming the option.
    static func preset(_ arguments: Arguments, default fallback: String) throws -> Preset {
        var preset: Preset
        do {
            preset = try Preset.named(arguments.text("--preset") ?? fallback)
        } catch RecipeError.inputRefused(let message) {
            throw UsageError(message)
        }
        if let values = try numbers(arguments, "--spacing", count: 3, range: 0.1...20) {
            preset.spacing = Spacing(zMM: values[0], yMM: values[1], xMM: values[2])
        }
        if let values = try integers(arguments, "--plane", range: 8...2048) {
            guard values.count == 2 else { throw UsageError("--plane takes two numbers, height and width: 96,144") }
            (preset.planeHeight, preset.planeWidth) = (values[0], values[1])
        }
        if let value = try arguments.number("--tau", 0.01...0.99) { preset.tau = value }
        return preset
    }

    /// The training options on top of a preset.
    static func override(_ preset: Preset, _ arguments: Arguments) throws -> Preset {
        var preset = preset
        if let value = try arguments.integer("--iterations", 1...10_000_000) { preset.iterations = value }
        if let value = try arguments.integer("--batch", 1...64) { preset.batch = value }
        if let value = try arguments.integer("--slab", 1...512) { preset.slabDepth = value }
        if let value = try integers(arguments, "--channels", range: 1...2048) { preset.channels = value }
        if let value = try integers(arguments, "--strides", range: 1...4) { preset.strides = value }
        if let value = try arguments.integer("--residual-units", 0...8) { preset.residualUnits = value }
        if let value = try arguments.number("--learning-rate", 0...1) { preset.learningRate = value }
        if let value = try arguments.number("--threshold", 0...1) { preset.healthyThreshold = value }
        for word in arguments.all("--without") {
            switch word {
            case "shapes": preset.lesionShapes = false
            case "probability-maps": preset.lesionProbabilityMaps = false
            case "salt-noise": preset.lesionSaltNoise = false
            default: throw UsageError("--without takes shapes, probability-maps or salt-noise, not \"\(word)\"")
            }
        }
        return preset
    }

    static func integers(_ arguments: Arguments, _ name: String, range: ClosedRange<Int>) throws -> [Int]? {
        guard let text = arguments.text(name) else { return nil }
        let values = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard values.allSatisfy({ $0.map(range.contains) ?? false }) else {
            throw UsageError("\(name) takes whole numbers from \(range.lowerBound) to \(range.upperBound) with commas "
                + "between, not \"\(text)\"")
        }
        return values.compactMap { $0 }
    }

    static func numbers(
        _ arguments: Arguments, _ name: String, count: Int, range: ClosedRange<Double>
    ) throws -> [Double]? {
        guard let text = arguments.text(name) else { return nil }
        let values = text.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
        guard values.count == count, values.allSatisfy({ $0.map(range.contains) ?? false }) else {
            throw UsageError("\(name) takes \(count) numbers from \(range.lowerBound) to \(range.upperBound) with "
                + "commas between, not \"\(text)\"")
        }
        return values.compactMap { $0 }
    }
}
