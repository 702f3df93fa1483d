import ModelCore
import Numerics
import Testing

/// Files of `quintet export`, read by numbers of onnx.proto. That a runtime answers the same is what
/// cluster/export/check_onnx.py shows.
@Suite struct ONNXTests {
    private struct Network {
        /// "Conv(x, first.weight, first.bias) -> value_1"
        var nodes: [String] = []
        var kinds: [String] = []
        var attributes: [String: [Int]] = [:]
        var shapes: [String: [Int]] = [:]
        var floats: [String: [Float]] = [:]
        var integers: [String: [Int]] = [:]
        var sides: [String: [String]] = [:]
        var metadata: [String: String] = [:]

        init(_ bytes: [UInt8]) throws {
            let file = try #require(ProtobufReader(bytes))
            #expect(file.numbers(1) == [8])
            #expect(file.messages(8).map { $0.numbers(2) } == [[17]])
            for entry in file.messages(14) { metadata[entry.texts(1)[0]] = entry.texts(2)[0] }
            let graph = try #require(file.messages(7).first)
            for node in graph.messages(1) {
                let kind = node.texts(4)[0], name = node.texts(3)[0]
                kinds.append(kind)
                nodes.append("\(kind)(\(node.texts(1).joined(separator: ", "))) -> \(node.texts(2)[0])")
                for attribute in node.messages(5) where attribute.numbers(20) == [7] {
                    attributes["\(name).\(attribute.texts(1)[0])"] = attribute.numbers(8).map { Int($0) }
                }
            }
            for tensor in graph.messages(5) {
                let name = tensor.texts(8)[0], raw = tensor.bytes(9)[0]
                shapes[name] = tensor.numbers(1).map { Int($0) }
                if tensor.numbers(2) == [1] {
                    floats[name] = stride(from: 0, to: raw.count, by: 4).map { place in
                        Float(bitPattern: raw[place..<place + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) })
                    }
                } else {
                    integers[name] = stride(from: 0, to: raw.count, by: 8).map { place in
                        Int(truncatingIfNeeded: raw[place..<place + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) })
                    }
                }
            }
            for value in graph.messages(11) + graph.messages(12) {
                let dimensions = value.messages(2)[0].messages(1)[0].messages(2)[0].messages(1)
                sides[value.texts(1)[0]] = dimensions.map { $0.texts(2).first ?? "\($0.numbers(1)[0])" }
            }
        }
    }

    private func network<Description: NetworkDescription>(
        _ description: Description, _ shape: TensorShape3D
    ) throws -> (Network, Model<Description>) {
        let model = Model(configuration: description)
        model.initialise(seed: 5, replica: 0)
        let bytes = try model.onnx(ONNXDescription(
            shape: shape, inputName: "x", outputName: "y", documentation: "", producerVersion: "1",
            metadata: ["classes": "a,b"]))
        return (try Network(bytes), model)
    }

    private func values(_ name: String, of file: SafeTensors) throws -> [Float] {
        try #require(file.tensors[name]?.floats())
    }

    /// A layer that is left out, or reads another one's value; weights that lie where the rewritten network has them
    /// and not where the plain one looks; kernels, strides and paddings of another axis order.
    @Test func aUNetIsItsLayersInOrderWithItsOwnWeights() throws {
        let settings = try UNetConfiguration(
            inChannels: 1, outChannels: 2, channels: [3, 4], strides: [PerAxis(depth: 1, height: 2, width: 3)],
            residualUnits: 1, layers: UNetLayers())
        let (found, model) = try network(settings, TensorShape3D(depth: 2, height: 4, width: 6))
        let norm = ["ReduceMean", "ReduceMean", "ReduceMean", "Sub", "Mul", "ReduceMean", "ReduceMean", "ReduceMean",
                    "Add", "Sqrt", "Div", "PRelu"]
        #expect(found.kinds == ["Conv"] + norm + ["Conv", "Add", "Conv"] + norm + ["Conv", "Add", "Concat"]
            + ["ConvTranspose"] + norm + ["Conv", "Add"])
        #expect(found.nodes[0] == "Conv(x, model.0.conv.unit0.conv.weight, model.0.conv.unit0.conv.bias) -> value_1")
        #expect(found.nodes[13] == "Conv(x, model.0.residual.weight, model.0.residual.bias) -> value_3")
        #expect(found.nodes[14] == "Add(value_2, value_3) -> value_4")
        #expect(found.nodes[30] == "Concat(value_4, value_8) -> value_9")
        #expect(found.nodes.last == "Add(value_12, value_11) -> y")
        #expect(found.attributes["Conv_0.kernel_shape"] == [3, 3, 3])
        #expect(found.attributes["Conv_0.strides"] == [1, 2, 3])
        #expect(found.attributes["Conv_0.pads"] == [1, 1, 1, 1, 1, 1])
        #expect(found.attributes["ConvTranspose_31.output_padding"] == [0, 1, 2])
        #expect(found.attributes["ReduceMean_1.axes"] == [4] && found.attributes["ReduceMean_3.axes"] == [2])
        #expect(found.sides == ["x": ["batch", "1", "2", "4", "6"], "y": ["batch", "2", "2", "4", "6"]])
        #expect(found.metadata == ["classes": "a,b"])
        let file = model.safeTensors()
        for (name, tensor) in file.tensors {
            #expect(found.shapes[name] == tensor.shape && found.floats[name] == tensor.floats(), "\(name)")
        }
        #expect(Set(found.floats.keys).subtracting(file.tensors.keys) == ["epsilon"])
    }

    /// Sides that the strides do not divide: zeros at the ends, and a cut behind.
    @Test func whatTheStridesDoNotDivideIsFilledAndCutBack() throws {
        let settings = try UNetConfiguration(
            inChannels: 1, outChannels: 2, channels: [3, 4], strides: [2], residualUnits: 0)
        let (found, _) = try network(settings, TensorShape3D(depth: 3, height: 4, width: 5))
        #expect(found.nodes[0] == "Pad(x, padding) -> padded")
        #expect(found.integers["padding"] == [0, 0, 0, 0, 0, 0, 0, 1, 0, 1])
        #expect(found.nodes.last == "Slice(uncropped, crop_starts, crop_ends, crop_axes) -> y")
        #expect(found.integers["crop_ends"] == [3, 4, 5] && found.integers["crop_axes"] == [2, 3, 4])
        #expect(found.sides["y"] == ["batch", "2", "3", "4", "5"])
    }

    /// Both networks of the liver's recipe in one file: mirrored edges, standardised weights, group and batch norm,
    /// both poolings, up-sampling, what is restored as a second output.
    @Test func twoFlatNetworksInOneAreTheirLayers() throws {
        let settings = RestoringSegmenter(
            restorer: try DenoisingUNetConfiguration(widths: [2, 4]),
            segmenter: try DiscriminativeUNetConfiguration(baseChannels: 1))
        let (found, model) = try network(settings, TensorShape3D(depth: 1, height: 32, width: 64))
        let block = ["Pad", "Conv", "Sigmoid", "Mul", "Shape", "Reshape", "ReduceMean", "ReduceMean", "Sub", "Mul",
                     "ReduceMean", "ReduceMean", "Add", "Sqrt", "Div", "Reshape", "Mul", "Add"]
        #expect(Array(found.kinds.prefix(2 + 2 * block.count)) == ["Identity"] + block + block + ["AveragePool"])
        func count(_ kind: String) -> Int { found.kinds.count { $0 == kind } }
        // Twelve convolutions on the way down; three at each of five levels on the way up.
        #expect(count("BatchNormalization") == 27 && count("Relu") == 27 && count("MaxPool") == 5)
        #expect(count("Resize") == 5 && count("Concat") == 7)
        #expect(count("ConvTranspose") == 1 && count("AveragePool") == 1)
        #expect(found.sides["restored"] == ["batch", "1", "32", "64"] && found.sides["y"]?[1] == "2")
        #expect(found.integers["mirrored_[1, 1]"] == [0, 0, 1, 1, 0, 0, 1, 1])
        #expect(found.integers["groups_2_of_2"] == [0, 2, 1, -1] && found.integers["groups_2_of_4"] == [0, 2, 2, -1])
        let file = model.safeTensors()
        let name = "restorer.down_path.0.block.5.weight"
        let plain = try values(name, of: file), made = try #require(found.floats[name + ".standardised"])
        // Two input channels of 3x3.
        let rows = plain.count / 18
        #expect(rows == 2 && found.floats[name] == nil)
        for row in 0..<rows {
            let weights = plain[row * 18..<(row + 1) * 18].map(Double.init), mean = weights.reduce(0, +) / 18
            let deviation = (weights.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / 17).squareRoot() + 1e-5
            for place in 0..<18 {
                #expect(abs(Double(made[row * 18 + place]) - (weights[place] - mean) / deviation) < 1e-6)
            }
        }
    }
}
