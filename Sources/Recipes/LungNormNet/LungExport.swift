import ModelCore

extension LungRunConfiguration {
    public func network(_ files: [RecipeInput]) throws -> ReplicaNetwork {
        guard let file = files.first(where: { $0.role == "replica" }) else {
            throw RecipeError.inputRefused("the replica's weights are missing")
        }
        let spacing = preset.spacing, window = Preparation.clipHU
        var properties = [
            "axes": "batch,channel,z,y,x", "directions": "z to superior, y to anterior, x to the patient's right",
            "spacing_mm": "\(spacing.zMM),\(spacing.yMM),\(spacing.xMM)",
            "window_hu": "\(window.lowerBound),\(window.upperBound)", "classes": "other,healthy",
            "preset": preset.name, "tau": "\(preset.tau)",
        ]
        if let healthyThreshold { properties["healthy_threshold"] = "\(healthyThreshold)" }
        return ReplicaNetwork(
            weights: try file.weights(), shape: slabShape, inputName: "intensity",
            documentation: """
                Healthy lung of a slab of slices. In: intensity [batch, 1, z, y, x], HU clipped to \
                \(window.lowerBound) ... \(window.upperBound) and scaled to 0 ... 1 inside the lung, 0 outside, on a \
                grid of \(spacing.zMM) x \(spacing.yMM) x \(spacing.xMM) mm (z, y, x). z grows to superior, y to \
                anterior, x to the patient's right. Out: logits [batch, 2, z, y, x]; class 0 is everything else, class \
                1 healthy and bright. A softmax over axis 1 gives the probability.
                """,
            properties: properties)
    }
}
