import Numerics

// A network's description in the metadata of its safetensors file: every setting of MONAI's UNet that the numbers
// depend on. What is fixed here may be left out, and is then as below; what says otherwise is refused by its name.

extension UNetConfiguration {
    /// The description as it stands in a replica's safetensors metadata.
    public var metadata: [String: String] {
        [
            "architecture": "monai.UNet", "in_channels": "\(inChannels)", "out_channels": "\(outChannels)",
            "channels": "\(channels)", "strides": "\(strides)", "num_res_units": "\(residualUnits)",
            "norm": "INSTANCE", "act": "PRELU",
        ]
    }

    /// Reads the description back; values may be written as Python writes them, lists as `[16, 32]` or `(16, 32)`.
    ///
    /// - Throws: `ModelError.invalidConfiguration` naming the key that is missing or says something else.
    public init(metadata: [String: String]) throws {
        let settings = NetworkSettings(metadata: metadata)
        try settings.checkFixed()
        try self.init(
            inChannels: settings.number("in_channels"), outChannels: settings.number("out_channels"),
            channels: settings.list("channels"), strides: settings.list("strides"),
            residualUnits: settings.number("num_res_units"))
    }
}

extension NetworkSettings {
    /// What a file may say beside its network: where it comes from. Whatever else stands there may be a setting that is
    /// not computed here, and would then give other numbers without a word.
    fileprivate static let informational: Set<String> = [
        // Ours.
        "recipe", "preset", "iteration", "seed", "replica", "plane", "provenance",
        // Of those who write such files.
        "format", "name", "title", "description", "comment", "note", "author", "license", "licence", "version", "date",
        "source", "url", "dataset", "framework", "torch", "pytorch", "monai", "epoch", "epochs", "step", "steps",
        "loss", "dice",
    ]
    fileprivate static let unetSettings: Set<String> = [
        "architecture", "in_channels", "out_channels", "channels", "strides", "num_res_units", "norm", "act",
        "spatial_dims", "dimensions", "kernel_size", "up_kernel_size", "bias", "adn_ordering", "dropout", "eps",
        "norm_eps", "instance_norm_eps", "affine", "norm_affine", "track_running_stats",
    ]

    private func checkKeys() throws {
        for key in metadata.keys.sorted() where !Self.unetSettings.contains(key) && !Self.informational.contains(key) {
            let shown = key.printable(most: 60), said = (metadata[key] ?? "").printable(most: 60)
            throw ModelError.invalidConfiguration("\"\(shown)\" is \"\(said)\", a setting that is not known here; take "
                + "it out if no number depends on it (\"note\" and \"description\" are for people)")
        }
    }

    /// What may only be as it is here: MONAI's defaults, in three dimensions.
    func checkFixed() throws {
        try checkKeys()
        try check("architecture", "monai.UNet", isRequired: true) {
            ["monai.unet", "monai.networks.nets.unet", "monai.networks.nets.unet.unet"].contains($0.word)
        }
        try check("norm", "INSTANCE, with eps 1e-5 and without affine or running statistics,", isRequired: true) {
            layer($0, "instance") { key, value in
                switch key {
                case "eps": Self.isDefaultEpsilon(value)
                case "affine", "track_running_stats": value.boolean == false
                case "momentum": true
                default: false
                }
            }
        }
        try check("act", "PRELU, with one slope,", isRequired: true) {
            layer($0, "prelu") { key, value in key == "init" || key == "num_parameters" && value.whole == 1 }
        }
        for key in ["spatial_dims", "dimensions"] { try check(key, "3") { $0.whole == 3 } }
        for key in ["kernel_size", "up_kernel_size"] { try check(key, "3") { same($0) == 3 } }
        try check("bias", "True") { $0.boolean == true }
        // Without a dropout's D, which does nothing when a trained network answers.
        try check("adn_ordering", "NDA") { ($0.word ?? "").filter { $0 != "d" } == "na" }
        try check("dropout", "a number from 0 to 1, which does nothing when a network answers,") {
            if case .number(let share) = $0 { (0...1).contains(share) } else { $0.boolean == false }
        }
        for key in ["eps", "norm_eps", "instance_norm_eps"] { try check(key, "1e-5") { Self.isDefaultEpsilon($0) } }
        for key in ["affine", "norm_affine", "track_running_stats"] { try check(key, "False") { $0.boolean == false } }
    }

    private static func isDefaultEpsilon(_ value: PythonValue) -> Bool {
        if case .number(let eps) = value { eps == 1e-5 } else { false }
    }

    private func check(
        _ key: String, _ wanted: String, isRequired: Bool = false, _ isRight: (PythonValue) -> Bool
    ) throws {
        guard isRequired || metadata[key] != nil else { return }
        guard isRight(try value(key)) else { throw refusal(key, wanted) }
    }

    /// "INSTANCE" or ("INSTANCE", {"eps": 1e-5}), as MONAI takes layers.
    private func layer(_ value: PythonValue, _ name: String, _ isRight: (String, PythonValue) -> Bool) -> Bool {
        guard case .list(let parts) = value else { return value.word == name }
        guard parts.first?.word == name, parts.count <= 2 else { return false }
        guard parts.count == 2 else { return true }
        guard case .dictionary(let options) = parts[1] else { return false }
        return options.allSatisfy { isRight($0.key, $0.value) }
    }
}
