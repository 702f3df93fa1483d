import SynthData

/// `--preset NAME` and the options that override one of its numbers.
enum LiverOptions {
    static let grid: [Option] = [
        Option("--preset", "NAME", "paper (the published setting), lab (half its resolution) or demo; default lab"),
        Option("--size", "N", "rows and columns of a slice, a multiple of 32; " + each { "\($0.slices.size)" }),
        Option("--tumour-label", "N", "slices with this label in their mask show tumour and are not learnt from"),
    ]

    static let presetOfDataSet = Option(
        "--preset", "NAME", "paper, lab or demo; default: the one the data set was prepared for")

    static let training: [Option] = [
        Option("--restore-epochs", "N", "how often stage 1 sees every slice; " + each { "\($0.restoreEpochs)" }),
        Option("--segment-epochs", "N", "the same of stage 2, whose length the paper warns of; "
            + each { "\($0.segmentEpochs)" }),
        Option("--batch", "N", "slices per step; " + each { "\($0.batch)" }),
        Option("--widths", "A,B,...", "stage 1's channels by level, each twice the one before; "
            + each { $0.widths.map { "\($0)" }.joined(separator: ",") }),
        Option("--base-channels", "N", "stage 2's channels on top; " + each { "\($0.baseChannels)" }),
        Option("--learning-rate", "X", "Adam's learning rate; " + each { "\($0.learningRate)" }),
        Option("--threshold", "P", "tumour above this probability; " + each { "\($0.threshold)" }),
        Option("--anomalies", "WHAT", "what slices get: shift (the paper's), shift-or-texture, constant, or draem "
            + "(the ablation without the paper's); default shift"),
        Option("--noise", "WHAT", "what masks are made of: gaussian or uniform-integers (the authors' program); "
            + "default gaussian"),
        Option("--cutout", nil, "anomalies are always darker"),
        Option("--restorer", "NETWORK", "unet, or autoencoder (the ablation with DRAEM's); default unet"),
        Option("--together", nil, "train both networks at once, --restore-epochs long (the ablation without stages)"),
    ]

    private static func each(_ value: (LiverPreset) -> String) -> String {
        LiverPreset.all.map { "\($0.name) \(value($0))" }.joined(separator: ", ")
    }

    /// - Throws: `UsageError` listing the presets.
    static func named(_ values: OptionValues, default fallback: String) throws -> LiverPreset {
        do {
            return try LiverPreset.named(values.text("--preset") ?? fallback)
        } catch RecipeError.inputRefused(let message) {
            throw UsageError(message)
        }
    }

    /// A preset with the grid's options on top.
    /// - Throws: `UsageError` naming the option.
    static func preset(_ values: OptionValues, default fallback: String) throws -> LiverPreset {
        do {
            var preset = try named(values, default: fallback)
            if let size = try values.integer("--size", LiverSliceSettings.sizeRange) {
                (preset.slices.size, preset.anomalies.size) = (size, size)
            }
            try preset.validate()
            return preset
        } catch RecipeError.inputRefused(let message) {
            throw UsageError(message)
        }
    }

    /// The preset to train with, on the data set's slices.
    /// - Throws: `UsageError` naming an option; `RecipeError.inputRefused`.
    static func preset(_ values: OptionValues, for data: LiverDataSetManifest) throws -> LiverPreset {
        var preset = try LiverPreset.named(values.text("--preset") ?? data.presetName)
        preset.slices = data.settings
        preset.anomalies.size = data.settings.size
        if let value = try values.integer("--restore-epochs", 1...100_000) { preset.restoreEpochs = value }
        if let value = try values.integer("--segment-epochs", 1...100_000) { preset.segmentEpochs = value }
        if let value = try values.integer("--batch", 1...64) { preset.batch = value }
        if let value = try values.integers("--widths", 1...2048) { preset.widths = value }
        if let value = try values.integer("--base-channels", 1...512) { preset.baseChannels = value }
        if let value = try values.number("--learning-rate", 0...1) { preset.learningRate = value }
        if let value = try values.number("--threshold", 0...1) { preset.threshold = value }
        if let value: PseudoAnomalySettings.Filling = try choice("--anomalies", values) {
            preset.anomalies.filling = value
            if value == .draem { preset.anomalies.cleanShare = 0.5 }
        }
        if let value: PseudoAnomalySettings.Noise = try choice("--noise", values) { preset.anomalies.noise = value }
        if values.has("--cutout") { preset.anomalies.isAlwaysDarker = true }
        if let value: RestoringNetwork.Kind = try choice("--restorer", values) { preset.restorerKind = value }
        preset.trainsTogether = values.has("--together")
        if preset.trainsTogether, values.has("--segment-epochs") {
            throw UsageError("--segment-epochs is for two stages; with --together say --restore-epochs alone")
        }
        try preset.validate()
        return preset
    }

    private static func choice<Value: RawRepresentable & CaseIterable>(
        _ name: String, _ values: OptionValues
    ) throws -> Value? where Value.RawValue == String {
        guard let text = values.text(name) else { return nil }
        guard let value = Value(rawValue: text) else {
            throw UsageError("\(name) takes \(Value.allCases.map(\.rawValue).joined(separator: ", ")), not \"\(text)\"")
        }
        return value
    }
}
