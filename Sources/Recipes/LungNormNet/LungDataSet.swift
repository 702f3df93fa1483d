import Imaging

extension DataSetManifest: RecipeDataSet {
    public var volumeNames: [String] { volumes.map(\.name) }

    public var files: [DataSetFile] {
        volumes.flatMap { entry in
            [
                DataSetFile(role: "image", name: entry.imageName, digest: entry.imageDigest),
                DataSetFile(role: "lung", name: entry.lungName, digest: entry.lungDigest),
            ]
        }
    }

    public var volumeWarnings: [(volume: String, warning: String)] {
        volumes.flatMap { entry in (entry.warnings ?? []).map { (entry.name, $0) } }
    }

    public func settings(_ values: OptionValues, folder: String) throws -> any RunSettings {
        let configuration = configuration(try LungOptions.preset(values, for: self, folder: folder))
        try checkStrides(configuration.preset)
        return configuration
    }

    public func samples(
        _ values: OptionValues, folder: String, inputs: () throws -> [RecipeInput]
    ) throws -> SampleSet {
        let preset = try LungOptions.preset(values, for: self, folder: folder)
        return try LungSamplePairs(values, configuration: configuration(preset)).samples(inputs: inputs)
    }

    private func configuration(_ preset: Preset) -> LungRunConfiguration {
        LungRunConfiguration(
            preset: preset, planeHeight: planeHeight, planeWidth: planeWidth, iterations: preset.iterations,
            healthyThreshold: preset.healthyThreshold)
    }

    /// - Throws: when the preset is impossible, before anything is sent anywhere.
    private func checkStrides(_ preset: Preset) throws {
        _ = try preset.networkConfiguration()
        let product = preset.strideProduct
        guard preset.slabDepth % product == 0 else {
            throw RecipeError.inputRefused("slabs of \(preset.slabDepth) slices do not fit strides whose product is "
                + "\(product); take a multiple of \(product) for --slab")
        }
        func fitted(_ size: Int) -> Int { (size + product - 1) / product * product }
        guard fitted(planeHeight) == planeHeight, fitted(planeWidth) == planeWidth else {
            throw RecipeError.inputRefused("planes of \(planeHeight)x\(planeWidth) do not fit strides whose product is "
                + "\(product); prepare again with --plane \(fitted(planeHeight)),\(fitted(planeWidth))")
        }
    }
}
