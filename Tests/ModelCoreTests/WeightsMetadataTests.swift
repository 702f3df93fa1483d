import ModelCore
import Testing

/// What a file says of its network is what is computed, or it is refused by name.
@Suite struct WeightsMetadataTests {
    private let configuration: UNetConfiguration
    private let good: SafeTensors

    init() throws {
        configuration = try UNetConfiguration(
            inChannels: 1, outChannels: 2, channels: [4, 8, 8], strides: [2, 1], residualUnits: 2)
        let model = UNetModel(configuration: configuration)
        model.initialise(seed: 1, replica: 0)
        var file = model.safeTensors()
        file.name = "w.safetensors"
        good = file
    }

    private func refusal(_ change: (inout SafeTensors) -> Void) -> String? {
        var file = good
        change(&file)
        do {
            let model = try UNetModel(file: file)
            return model.configuration == configuration ? nil : "another network: \(model.configuration)"
        } catch {
            return "\(error)"
        }
    }

    /// As str(), repr() and json.dumps() of the arguments write them.
    @Test func settingsAreReadAsPythonWritesThem() {
        for (key, values) in [
            "channels": ["(4, 8, 8)", "[4,8,8]", "4, 8, 8", "[ 4 , 8 , 8 ]", "[(4, 4, 4), 8, 8]"],
            "strides": ["(2, 1)", "((2, 2, 2), (1, 1, 1))", "[2,1,]"],
            "in_channels": ["1", " 1 ", "1.0", "(1)"],
            "architecture": ["monai.UNet", "MONAI.UNET", "'monai.UNet'", "monai.networks.nets.UNet"],
            "norm": [
                "instance", "'INSTANCE'", "(\"INSTANCE\", {\"eps\": 1e-5})",
                "('instance', {'eps': 1e-05, 'affine': False})",
                "[\"INSTANCE\", {\"eps\": 0.00001, \"affine\": false, \"momentum\": 0.3}]", "('INSTANCE', {})",
            ],
            "act": ["prelu", "(\"PRELU\", {\"init\": 0.2})", "('prelu', {'num_parameters': 1})"],
            "spatial_dims": ["3"], "dimensions": ["3"], "kernel_size": ["3", "(3, 3, 3)", "[3,3,3]"],
            "up_kernel_size": ["3"], "bias": ["True", "true", "1"], "adn_ordering": ["NDA", "nda", "'NA'", "DNA"],
            "dropout": ["0.0", "0", "None", "0.2"], "eps": ["1e-5"], "affine": ["False"],
            // Nothing that the numbers depend on.
            "format": ["pt"], "author": ["('who', {"], "seed": ["7"], "note": ["trained at night"],
        ] {
            for value in values { #expect(refusal { $0.metadata[key] = value } == nil, "\(key) = \(value)") }
        }
    }

    @Test func settingsThatAreComputedOtherwiseHereAreRefusedByName() {
        for (key, values) in [
            "adn_ordering": ["AND", "NAAD", "A", "DAN", "ADN", "N", ""],
            // Settings that are not known here, whatever they say.
            "padding_mode": ["reflect"], "dilation": ["2"], "epsilon": ["1e-3"], "upsample": ["trilinear"],
            "norm": [
                "('BATCH', {'affine': False})", "('BATCH', {'eps': 1e-3})", "('INSTANCE', {'eps': 1e-3})",
                "('INSTANCE', {'affine': True})",
                "('GROUP', {'num_groups': 2})",
                "('INSTANCE', {'track_running_stats': True})", "('INSTANCE', {'eps': '1e-5x'})",
                "('INSTANCE', {'num_features': 4})", "('INSTANCE', {'eps'", "",
            ],
            "act": [
                "SWISH", "('PRELU', {'num_parameters': 4})", "('LEAKYRELU', {'slope': 0.25})", "None",
                "('LEAKYRELU', {'negative_slope': 'inf'})", "('LEAKYRELU', {'negative_slope': 1e60})",
            ],
            "spatial_dims": ["1", "three", "4"], "dimensions": ["1"],
            "kernel_size": ["2", "(3, 3, 4)", "[3, 3]", "9", "0", "-1", "(3, 3, 3, 3)", "3.5"],
            "up_kernel_size": ["2", "(2, 2, 2)"],
            "bias": ["False", "0", "None", "maybe"], "dropout": ["('alphadropout', {'p': 0.2})", "-1", "2"],
            "eps": ["1e-3", "0"], "norm_eps": ["1e-6"], "instance_norm_eps": ["1e-4"], "affine": ["True"],
            "track_running_stats": ["True"],
            "architecture": ["monai.BasicUNet", "monai.networks.nets.AttentionUnet", ""],
            "strides": ["((2, 2), (1, 1))", "((2, 2, 0), 1)", "(2, 2, 2, 1)", "two", "", "(2.5, 1)"],
            "channels": ["16"],
            "in_channels": ["1.5", "one", "(1, 1, 1)"],
        ] {
            for value in values {
                let text = refusal { $0.metadata[key] = value } ?? "taken"
                #expect(text.contains(key) && text.contains("w.safetensors"), "\(key) = \(value): \(text)")
            }
        }
        for key in ["architecture", "norm", "act", "channels", "strides", "in_channels", "num_res_units"] {
            let text = refusal { $0.metadata[key] = nil } ?? "taken"
            #expect(text.contains("has no \"\(key)\""), "\(text)")
        }
        // A value that nests without end, or has none, is read in bounded time.
        let endless = [String(repeating: "(", count: 1000), String(repeating: "[1,", count: 300)]
        for value in endless + ["((((((((((1))))))))))"] {
            #expect(refusal { $0.metadata["kernel_size"] = value }?.contains("kernel_size") == true)
        }
    }

    /// What is written is what is read, whatever the network.
    @Test func everyDescriptionIsReadBack() throws {
        for dimensions in [2, 3] {
            for norm in [UNetLayers.Norm.instance, .batch, .none] {
                for activation in [UNetLayers.Activation.prelu, .relu, .leakyReLU(slope: 0.2)] {
                    var layers = UNetLayers()
                    (layers.dimensions, layers.norm, layers.activation) = (dimensions, norm, activation)
                    let depth = dimensions == 3 ? 5 : 1
                    layers.kernel = PerAxis(depth: depth, height: 3, width: 1)
                    layers.upKernel = PerAxis(depth: dimensions == 3 ? 3 : 1, height: 3, width: 3)
                    let one = try UNetConfiguration(
                        inChannels: 1, outChannels: 2, channels: [4, 6],
                        strides: [PerAxis(depth: dimensions == 3 ? 3 : 1, height: 2, width: 1)], residualUnits: 1,
                        layers: layers)
                    #expect(try UNetConfiguration(metadata: one.metadata) == one, "\(one.metadata)")
                }
            }
        }
    }

    private func renamed(_ file: SafeTensors, _ name: (String) -> String) -> SafeTensors {
        var other = file
        other.tensors = Dictionary(uniqueKeysWithValues: file.tensors.map { (name($0.key), $0.value) })
        return other
    }

    @Test(arguments: ["module.", "_orig_mod.", "net.", "module._orig_mod."])
    func aForeignPrefixIsNamedWithTheRemedy(prefix: String) {
        let text = refusal { $0 = renamed($0) { prefix + $0 } } ?? "taken"
        #expect(text.contains("begin with \"\(prefix)\"") && text.contains("k.removeprefix(\"\(prefix)\")"), "\(text)")
    }

    @Test func whatTheTensorsContradictIsNamed() {
        let kernel = "model.0.conv.unit0.conv.weight"
        func reshaped(_ shape: [Int]) -> String {
            refusal {
                $0.tensors[kernel] = .init(shape: shape, floats: [Float](repeating: 0, count: shape.reduce(1, *)))
            } ?? "taken"
        }
        #expect(reshaped([4, 1, 5, 5, 5]).contains("\(kernel) has shape [4, 1, 5, 5, 5]"))
        #expect(reshaped([4, 1, 5, 5, 5]).contains("another kernel_size"))
        #expect(reshaped([4, 1, 3, 3]).contains("a network of 2 dimensions, and its metadata says spatial_dims=3"))
        let noBias = refusal { $0.tensors = $0.tensors.filter { !$0.key.hasSuffix(".bias") } } ?? "taken"
        #expect(noBias.contains("bias=True, which alone is computed here"), "\(noBias)")
        let affine = refusal {
            for part in ["weight", "bias"] { $0.tensors["model.0.conv.unit0.adn.N.\(part)"] = $0.tensors[kernel] }
        } ?? "taken"
        #expect(
            affine.contains("model.0.conv.unit0.adn.N.bias") && affine.contains("metadata says norm=INSTANCE"),
            "\(affine)")
        let batch = refusal { $0.tensors["model.0.conv.unit0.adn.N.running_mean"] = $0.tensors[kernel] } ?? "taken"
        #expect(batch.contains("running statistics"), "\(batch)")
        let relu = refusal { $0.tensors = $0.tensors.filter { !$0.key.hasSuffix(".adn.A.weight") } } ?? "taken"
        #expect(relu.contains("metadata says act=PRELU"), "\(relu)")
        let missing = refusal { $0.tensors[kernel] = nil } ?? "taken"
        #expect(missing.contains("it lacks \(kernel)"), "\(missing)")
        let infinite = refusal {
            $0.tensors[kernel] = .init(shape: [4, 1, 3, 3, 3], floats: [Float](repeating: -.infinity, count: 108))
        } ?? "taken"
        #expect(infinite.contains("\(kernel) holds infinities"), "\(infinite)")
    }

    /// The beginnings of what torch.save writes, now and before 2020, and of a pointer that Git left.
    @Test func otherFormatsAreCalledByTheirName() {
        for (start, word) in [
            (Array("PK\u{3}\u{4}".utf8), ".pt"), ([0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC], ".pt"),
            (Array("version https://git-lfs.github.com/spec/v1\noid sha256:0".utf8), "git lfs pull"),
        ] as [([UInt8], String)] {
            let error = #expect(throws: ModelError.self) {
                try SafeTensors(bytes: start + [UInt8](repeating: 0, count: 100), name: "w.pt")
            }
            #expect("\(String(describing: error))".contains(word))
        }
    }

    @Test func whatIsNoNumberIsFound() {
        for value in [Float.nan, .infinity, -.infinity, .signalingNaN] {
            for place in [0, 1, 6] {
                var values = [Float](repeating: .greatestFiniteMagnitude, count: 7)
                #expect(values.withUnsafeBufferPointer { FiniteCheck.isFinite($0) })
                values[place] = value
                #expect(!values.withUnsafeBufferPointer { FiniteCheck.isFinite($0) })
            }
        }
        let sound: [Float] = [0, -0, .leastNonzeroMagnitude, -.greatestFiniteMagnitude, 1, -1]
        #expect(sound.withUnsafeBufferPointer { FiniteCheck.isFinite($0) })
    }
}
