import CKernels
import ModelCore
import Numerics
import Testing

/// The kernels of quintet_layers.h beside PyTorch's results, and beside themselves on other instruction sets.
struct LayerKernelTests {
    /// Compares each variant's values with the golden's, from blocked and planar tensors.
    private func compare(
        _ family: String, _ test: String, tensor: String = "x", within bound: Double,
        _ run: (quintet_layout, LayerValues, ThreadPool) -> LayerValues
    ) throws {
        let golden = try LayerGolden(family), given = golden.values(test)
        let reference = given.filter { name, _ in
            ["y", "z", "loss", "counts"].contains(name) || ["d_", "new_", "y_"].contains(where: name.hasPrefix)
        }
        try #require(!reference.isEmpty)
        for planar in [false, true] {
            let layout = golden.layout(test, tensor, planar: planar)
            for variant in variants {
                let values = variant.force { run(layout, given, ThreadPool(threadCount: 2)) }
                let comment = "\(test), \(variant), \(planar ? "planar" : "blocked")"
                expectLayer(values, near: reference, within: bound, comment)
                if let once = values["d_x"], let twice = values["twice"] {
                    expectLayer(["twice": twice], near: ["twice": once.map { 2 * $0 }], within: bound, comment)
                }
            }
        }
    }

    /// Notices a wrong derivative at 0, a slope that is not PyTorch's, a sigmoid that overflows.
    @Test(arguments: [
        ("identity", QUINTET_IDENTITY), ("relu", QUINTET_RELU), ("leaky", QUINTET_LEAKY_RELU),
        ("swish", QUINTET_SWISH), ("prelu", QUINTET_PRELU),
    ]) func activationsAreThoseOfPyTorch(_ name: String, _ kind: Int) throws {
        try compare("activations", name, within: 2e-6) { LayerRuns.activation(kind, $0, $1, $2) }
    }

    struct NormCase: Sendable {
        /// groups 0: batch norm.
        var name: String, groups: Int, before = QUINTET_IDENTITY, after = QUINTET_IDENTITY

        func norm(_ layout: quintet_layout) -> quintet_affine_norm {
            quintet_affine_norm(
                layout: layout, groups: groups == 0 ? layout.channels : Int32(groups), batch: groups == 0 ? 1 : 0,
                before: quintet_activation(kind: Int32(before), slope: 0.01),
                after: quintet_activation(kind: Int32(after), slope: 0.01))
        }
    }

    /// Notices statistics of the wrong samples or groups (they share blocks, and span them), a running variance that
    /// is the biased one, a gradient that forgets the statistics or one of the activations.
    @Test(arguments: [
        NormCase(name: "group_swish_flat", groups: 5, before: QUINTET_SWISH),
        NormCase(name: "group_spans_blocks_flat", groups: 2, after: QUINTET_SWISH),
        NormCase(name: "group_leaky", groups: 2, after: QUINTET_LEAKY_RELU),
        NormCase(name: "instance", groups: 17), NormCase(name: "layer_prelu_flat", groups: 1, after: QUINTET_PRELU),
        NormCase(name: "batch_relu_flat", groups: 0, after: QUINTET_RELU),
        NormCase(name: "batch_prelu", groups: 0, after: QUINTET_PRELU),
    ]) func normsAreThoseOfPyTorch(_ test: NormCase) throws {
        try compare("norms", test.name, within: 5e-6) { LayerRuns.norm(test.norm($0), $1, $2) }
    }

    static let samplings: [(String, (Int, Int, Int))] = [
        ("volume", (2, 2, 2)), ("wide", (1, 1, 2)), ("images_flat", (1, 2, 2)),
    ]

    private func resampling(
        fine: quintet_layout? = nil, coarse: quintet_layout? = nil, _ factors: (Int, Int, Int)
    ) -> quintet_resampling {
        let (d, h, w) = (Int32(factors.0), Int32(factors.1), Int32(factors.2))
        var own = fine ?? coarse!, other = own
        if fine != nil {
            (other.depth, other.height, other.width) = (own.depth / d, own.height / h, own.width / w)
        } else {
            (own.depth, own.height, own.width) = (own.depth * d, own.height * h, own.width * w)
        }
        return quintet_resampling(fine: own, coarse: other, depth_factor: d, height_factor: h, width_factor: w)
    }

    /// Notices a gradient that goes to another one of equal maxima, and what odd sizes leave over.
    @Test(arguments: samplings.indices) func poolingsAreThoseOfPyTorch(_ index: Int) throws {
        let (name, factors) = Self.samplings[index]
        for (kind, word) in [(QUINTET_MAXIMUM, "maximum"), (QUINTET_AVERAGE, "average")] {
            try compare("pools", "\(word)_\(name)", within: 1e-6) {
                LayerRuns.pooling(resampling(fine: $0, factors), kind, $1, $2)
            }
        }
    }

    /// Notices positions of the other align_corners, and neighbours beyond the ends.
    @Test(arguments: samplings.indices) func upsamplingsAreThoseOfPyTorch(_ index: Int) throws {
        let (name, factors) = Self.samplings[index]
        let kinds = [(QUINTET_NEAREST, "nearest"), (QUINTET_LINEAR, "linear"), (QUINTET_LINEAR_CORNERS, "corners")]
        for (kind, word) in kinds {
            try compare("upsampling", "\(word)_\(name)", within: 2e-6) {
                LayerRuns.upsampling(resampling(coarse: $0, factors), kind, $1, $2)
            }
        }
    }

    /// Notices sums over padding, a mean over the wrong count, and a gradient where prediction and target are equal.
    @Test(arguments: ["volume", "images_flat"]) func lossesOfValuesAreThoseOfPyTorch(_ name: String) throws {
        for (kind, word) in ["absolute", "square"].enumerated() {
            try compare("losses", "\(word)_\(name)", within: 1e-6) { LayerRuns.error(kind, $0, $1, $2) }
        }
        try compare("losses", "divergence_\(name)", tensor: "mean", within: 1e-6) { LayerRuns.divergence($0, $1, $2) }
    }

    /// The liver paper's, with its smoothed labels (equation 3 and its program). Notices classes counted apart from
    /// PyTorch's argmax too.
    @Test(arguments: [("focal_two_flat", 2, 1e-5), ("focal_weighted", 1.5, 1e-5), ("focal_smooth", 3, 0.1)])
    func theFocalLossIsThatOfThePapersProgram(_ name: String, _ gamma: Double, _ smooth: Double) throws {
        try compare("losses", name, within: 2e-6) { LayerRuns.focal(gamma, smooth, $0, $1, $2) }
    }

    @Test(arguments: ["tiny", "odd", "long"]) func denseLayersAreThoseOfPyTorch(_ name: String) throws {
        let given = try LayerGolden("dense").values(name)
        let reference = given.filter { $0.key == "y" || $0.key.hasPrefix("d_") }
        for variant in variants {
            let values = variant.force { LayerRuns.dense(given, ThreadPool(threadCount: 2)) }
            expectLayer(values, near: reference, within: 2e-6, "\(variant)")
        }
    }

    /// Notices a mask that depends on the layout, or on another counter than an element's place.
    @Test(arguments: ["volume", "images_flat"])
    func latentsAndDropoutAreThoseOfPyTorchAndPhilox(_ name: String) throws {
        try compare("latents", "sample_\(name)", tensor: "mean", within: 1e-6) { LayerRuns.sample($0, $1, $2) }
        try compare("latents", "dropout_\(name)", within: 1e-6) { LayerRuns.dropout($0, $1, $2) }
    }

    @Test func samplesOfATensorLieOneAfterTheOtherInPlainMemory() {
        let pool = ThreadPool(threadCount: 2), values = (0..<2 * 3 * 2 * 5).map { Float($0) }
        for planar in [false, true] {
            let flat = layerLayout(2, 3, 2, 5, planar: planar, flat: true), tensor = LayerTensor(flat, values, pool)
            var plain = [Float](repeating: 0, count: values.count)
            quintet_samples_export(pool.handle, flat, tensor.floats, &plain)
            // Sample 1: its plane of channel 0, then that of channel 1.
            #expect(plain[20..<40].elementsEqual(values[10..<20] + values[40..<50]))
            let back = LayerTensor(flat, nil, pool)
            quintet_samples_import(pool.handle, flat, plain, back.floats)
            #expect(back.plain(pool) == values)
        }
    }
}

/// Tensors of several tasks, of which the last ones are smaller.
struct LayerBytesTests {
    static let layouts = [
        layerLayout(19, 2, 75, 71, planar: false, flat: true), layerLayout(3, 2, 131, 603, planar: true, flat: true),
        layerLayout(36, 5, 9, 11, planar: false, flat: false), layerLayout(4, 3, 7, 33, planar: true, flat: false),
    ]

    private func random(_ count: Int, _ index: UInt32) -> [Float] {
        var stream = RandomKey(seed: 17, purpose: .phantomNoise).stream(index)
        return (0..<count).map { _ in stream.uniform(-2, 2) }
    }

    /// Every layer's results on one layout.
    private func results(_ layout: quintet_layout, _ given: LayerValues, _ pool: ThreadPool) -> [LayerValues] {
        let swish = quintet_activation(kind: Int32(QUINTET_SWISH), slope: 0)
        let prelu = quintet_activation(kind: Int32(QUINTET_PRELU), slope: 0)
        let pairs: [(groups: Int32, batch: Int32)] = [(layout.channels, 1), (1, 0)]
        var all = [QUINTET_SWISH, QUINTET_PRELU].map { LayerRuns.activation($0, layout, given, pool) }
        all += pairs.map {
            let norm = quintet_affine_norm(
                layout: layout, groups: $0.groups, batch: $0.batch, before: swish, after: prelu)
            return LayerRuns.norm(norm, given, pool)
        }
        var coarse = layout, fine = layout
        (coarse.height, coarse.width) = (layout.height / 2, layout.width / 2)
        (fine.height, fine.width) = (layout.height * 2, layout.width * 2)
        let small = Int(coarse.channels) * layerVoxels(coarse), large = Int(fine.channels) * layerVoxels(fine)
        let down = quintet_resampling(
            fine: layout, coarse: coarse, depth_factor: 1, height_factor: 2, width_factor: 2)
        let up = quintet_resampling(fine: fine, coarse: layout, depth_factor: 1, height_factor: 2, width_factor: 2)
        let downGiven = ["x": given["x"]!, "g": random(small, 8)], upGiven = ["x": given["x"]!, "g": random(large, 9)]
        all += [QUINTET_MAXIMUM, QUINTET_AVERAGE].map { LayerRuns.pooling(down, $0, downGiven, pool) }
        all += [QUINTET_NEAREST, QUINTET_LINEAR, QUINTET_LINEAR_CORNERS].map {
            LayerRuns.upsampling(up, $0, upGiven, pool)
        }
        let targets = given["target"]!.prefix(layerVoxels(layout)).map { abs($0).rounded(.down) }
        let focal = ["x": given["x"]!, "target": targets, "alpha": given["scale"]!]
        all += [2, 1.5].map { LayerRuns.focal($0, 1e-5, layout, focal, pool) }
        all += [0, 1].map { LayerRuns.error($0, layout, given, pool) }
        all += [LayerRuns.divergence(layout, given, pool), LayerRuns.sample(layout, given, pool)]
        return all + [LayerRuns.dropout(layout, given, pool)]
    }

    /// Notices a sum in the order of threads, an operation that only one instruction set fuses, a task too few.
    @Test(arguments: layouts.indices) func everyInstructionSetAndThreadCountGivesTheSameBits(_ index: Int) {
        let layout = Self.layouts[index], count = Int(layout.channels) * layerVoxels(layout)
        var given: LayerValues = ["slope": [0.3]]
        for (number, name) in ["x", "g", "target", "mean", "log_variance", "noise"].enumerated() {
            given[name] = random(count, UInt32(number))
        }
        for (number, name) in ["scale", "shift", "running_mean"].enumerated() {
            given[name] = random(Int(layout.channels), UInt32(10 + number))
        }
        given["running_variance"] = given["scale"]!.map { $0 * $0 }
        let reference = KernelVariant.portable.force { results(layout, given, ThreadPool(threadCount: 1)) }
        for variant in variants where variant != .naive {
            for threads in [2, 5] {
                let other = variant.force { results(layout, given, ThreadPool(threadCount: threads)) }
                for (number, (own, expected)) in zip(other, reference).enumerated() {
                    #expect(own == expected, "\(variant), \(threads) threads, operation \(number)")
                }
            }
        }
    }

    @Test func denseLayersGiveTheSameBitsEverywhere() {
        for (samples, inputs, outputs) in [(5, 1100, 37), (70, 130, 17)] {
            let given = [
                "x": random(samples * inputs, 1), "weights": random(inputs * outputs, 2), "bias": random(outputs, 3),
                "g": random(samples * outputs, 4),
            ]
            let reference = KernelVariant.portable.force { LayerRuns.dense(given, ThreadPool(threadCount: 1)) }
            for variant in variants where variant != .naive {
                let other = variant.force { LayerRuns.dense(given, ThreadPool(threadCount: 3)) }
                #expect(other == reference, "\(variant)")
            }
        }
    }
}
