import Numerics

// A network's description in the metadata of its safetensors file: every setting of MONAI's UNet that the numbers
// depend on. What may be left out is then MONAI's default; what is not computed here is refused by its name.

extension UNetConfiguration {
    /// The description as it stands in a replica's safetensors metadata.
    public var metadata: [String: String] {
        var metadata = [
            "architecture": "monai.UNet", "in_channels": "\(inChannels)", "out_channels": "\(outChannels)",
            "channels": "\(channels)", "num_res_units": "\(residualUnits)", "norm": layers.norm.word,
            "act": layers.activation.word,
            "strides": "[" + strides.map { $0.text(dimensions: layers.dimensions) }.joined(separator: ", ") + "]",
        ]
        let standard = UNetLayers()
        if layers.dimensions != standard.dimensions { metadata["spatial_dims"] = "\(layers.dimensions)" }
        for (key, kernel) in [("kernel_size", layers.kernel), ("up_kernel_size", layers.upKernel)] {
            let text = kernel.text(dimensions: layers.dimensions)
            if text != "3" { metadata[key] = text }
        }
        return metadata
    }

    /// Reads the description back; values may be written as Python writes them, lists as `[16, 32]` or `(16, 32)`.
    ///
    /// - Throws: `ModelError.invalidConfiguration` naming the key that is missing or says something else.
    public init(metadata: [String: String]) throws {
        let settings = NetworkSettings(metadata: metadata)
        try settings.checkFixed()
        var layers = UNetLayers()
        for key in ["spatial_dims", "dimensions"] where metadata[key] != nil {
            layers.dimensions = try settings.number(key)
            guard layers.dimensions == 2 || layers.dimensions == 3 else { throw settings.refusal(key, "2 or 3") }
        }
        layers.norm = try settings.norm()
        layers.activation = try settings.activation()
        layers.kernel = try settings.perAxis("kernel_size", dimensions: layers.dimensions, default: 3)
        layers.upKernel = try settings.perAxis("up_kernel_size", dimensions: layers.dimensions, default: 3)
        try self.init(
            inChannels: settings.number("in_channels"), outChannels: settings.number("out_channels"),
            channels: settings.list("channels"),
            strides: settings.listPerAxis("strides", dimensions: layers.dimensions),
            residualUnits: settings.number("num_res_units"), layers: layers)
    }
}

extension PerAxis {
    /// As Python writes it: `2`, or `(1, 2, 2)`.
    fileprivate func text(dimensions: Int) -> String {
        let sides = all.suffix(dimensions)
        guard !sides.allSatisfy({ $0 == width }) else { return "\(width)" }
        return "(" + sides.map(String.init).joined(separator: ", ") + ")"
    }
}

extension UNetLayers.Norm {
    fileprivate var word: String {
        switch self {
        case .instance: "INSTANCE"
        case .batch: "BATCH"
        case .none: "None"
        }
    }
}

extension UNetLayers.Activation {
    fileprivate var word: String {
        switch self {
        case .prelu: "PRELU"
        case .relu: "RELU"
        case .leakyReLU(let slope): "('LEAKYRELU', {'negative_slope': \(slope)})"
        }
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

    /// What may only be as it is here: MONAI's defaults.
    func checkFixed() throws {
        try checkKeys()
        try check("architecture", "monai.UNet", isRequired: true) {
            ["monai.unet", "monai.networks.nets.unet", "monai.networks.nets.unet.unet"].contains($0.word)
        }
        try check("bias", "True") { $0.boolean == true }
        // Without a dropout's D, which does nothing when a trained network answers.
        try check("adn_ordering", "NDA") { ($0.word ?? "").filter { $0 != "d" } == "na" }
        try check("dropout", "a number from 0 to 1, which does nothing when a network answers,") {
            if case .number(let share) = $0 { (0...1).contains(share) } else { $0.boolean == false }
        }
        for key in ["eps", "norm_eps", "instance_norm_eps"] { try check(key, "1e-5") { Self.isDefaultEpsilon($0) } }
        for key in ["affine", "norm_affine", "track_running_stats"] { try check(key, "False") { $0.boolean == false } }
    }

    func norm() throws -> UNetLayers.Norm {
        let wanted = "INSTANCE without affine and running statistics, BATCH with both, each with eps 1e-5, or None"
        let value = try value("norm")
        if value.word == "none" { return .none }
        for (name, norm, isOn) in [("instance", UNetLayers.Norm.instance, false), ("batch", .batch, true)] {
            let fits = layer(value, name) { key, value in
                switch key {
                case "eps": Self.isDefaultEpsilon(value)
                case "affine", "track_running_stats": value.boolean == isOn
                case "momentum": true
                default: false
                }
            }
            if fits { return norm }
        }
        throw refusal("norm", wanted + ",")
    }

    func activation() throws -> UNetLayers.Activation {
        let value = try value("act")
        if layer(value, "prelu", { $0 == "init" || $0 == "num_parameters" && $1.whole == 1 }) { return .prelu }
        if layer(value, "relu", { key, _ in key == "inplace" }) { return .relu }
        var slope = 0.01
        let isLeaky = layer(value, "leakyrelu") { key, value in
            if key == "negative_slope", case .number(let number) = value {
                slope = number
                return true
            }
            return key == "inplace"
        }
        if isLeaky { return .leakyReLU(slope: Float(slope)) }
        throw refusal("act", "PRELU with one slope, RELU or LEAKYRELU,")
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
