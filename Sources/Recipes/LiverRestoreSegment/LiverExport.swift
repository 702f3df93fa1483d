import ModelCore

extension LiverRunConfiguration {
    /// Both networks in one: restored, and what is segmented of it.
    public func network(_ files: [RecipeInput]) throws -> ReplicaNetwork {
        let (restorer, segmenter) = try LiverReplicas.pair(files, number: 0, preset: preset)
        typealias Both = RestoringSegmenter<RestoringNetwork>
        var weights = SafeTensors(name: segmenter.name)
        for (prefix, part) in [
            (Both.restorerPrefix, restorer.safeTensors()), (Both.segmenterPrefix, segmenter.safeTensors()),
        ] {
            for (key, value) in part.metadata { weights.metadata[prefix + key] = value }
            for (name, tensor) in part.tensors { weights.tensors[prefix + name] = tensor }
        }
        let window = LiverSliceSettings.clipHU, size = preset.slices.size
        return ReplicaNetwork(
            weights: weights, shape: preset.shape(sliceCount: 1), inputName: "slice",
            documentation: """
                Tumours of the liver in axial slices. In: slice [batch, 1, y, x], \(size) x \(size) pixels: HU \
                clipped to \(window.lowerBound) ... \(window.upperBound), the liver's histogram equalised, over 255, \
                0 outside the liver (docs/METHOD.md, "Liver"). Out: logits [batch, 2, y, x]; class 0 is normal, class \
                1 tumour; a softmax over axis 1 gives the probability. restored [batch, 1, y, x] is the slice without \
                tumour.
                """,
            properties: [
                "axes": "batch,channel,y,x", "window_hu": "\(window.lowerBound),\(window.upperBound)",
                "size_pixels": "\(size)", "classes": "normal,tumour", "preset": preset.name,
                "tumour_threshold": "\(preset.threshold)",
            ])
    }
}
