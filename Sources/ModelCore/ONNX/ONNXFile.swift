/// What an ONNX file says beside the network.
package struct ONNXDescription {
    /// Of one sample: what the runtime is given. A network in two dimensions has no depth.
    package var shape: TensorShape3D
    package var inputName: String
    package var outputName: String
    /// What the second output is called of a network that has an image on the way (`Graph.image`).
    package var imageName = "restored"
    /// For people.
    package var documentation: String
    /// The program that wrote it.
    package var producerVersion: String
    package var metadata: [String: String]

    package init(
        shape: TensorShape3D, inputName: String, outputName: String, documentation: String, producerVersion: String,
        metadata: [String: String]
    ) {
        (self.shape, self.inputName, self.outputName) = (shape, inputName, outputName)
        (self.documentation, self.producerVersion, self.metadata) = (documentation, producerVersion, metadata)
    }
}

extension Model {
    /// The network and its weights as an ONNX file (https://onnx.ai, `onnx.proto`, operator set 17): float32 in and
    /// out, the batch is free. The same model and description give the same bytes.
    ///
    /// - Throws: `ModelError.unsuitableShape` where it does not fit the network, or the file would be longer than
    ///   protocol buffers may be.
    package func onnx(_ description: ONNXDescription) throws -> [UInt8] {
        guard parameters.count < 500_000_000 else {
            throw ModelError.unsuitableShape(
                "A network of \(parameters.count) weights is too large for one ONNX file, which has less than 2 GiB.")
        }
        let plain = configuration.plainGraph
        try plain.checkFlat(description.shape)
        return try ONNXFile(plain, parameters: parameters, values: values, description).bytes()
    }
}

/// An ONNX file in the making.
struct ONNXFile {
    private let graph: Graph
    private(set) var nodes: ONNXGraph
    private let description: ONNXDescription

    /// - Parameters:
    ///   - graph: not rewritten, so that the nodes are the original network's.
    ///   - parameters: where the values lie.
    init(_ graph: Graph, parameters: ParameterTable, values: [Float], _ description: ONNXDescription) throws {
        let sides = [description.shape.depth, description.shape.height, description.shape.width]
        guard sides.allSatisfy((1...TensorShape3D.sideMax).contains) else {
            throw ModelError.unsuitableShape(
                "An input of \(description.shape) voxels is impossible: each side must be 1 to 65536.")
        }
        (self.graph, self.description) = (graph, description)
        nodes = ONNXGraph(isFlat: graph.isFlat, parameters: parameters, values: values)
        let padded = description.shape.rounded(upToMultipleOf: graph.sideDivisor)
        let isWhole = padded == description.shape
        nodes.names[graph.input] = isWhole ? description.inputName : "padded"
        nodes.names[graph.output] = isWhole ? description.outputName : "uncropped"
        if let image = graph.image { nodes.names[image] = description.imageName }
        if !isWhole { appendPadding(to: padded) }
        for layer in graph.layers { layer.append(to: &nodes, of: graph) }
        if !isWhole { appendCrop() }
    }

    /// Zeros at the ends, up to what the strides divide.
    private mutating func appendPadding(to padded: TensorShape3D) {
        let shape = description.shape
        let ends = nodes.spatial(PerAxis(
            depth: padded.depth - shape.depth, height: padded.height - shape.height, width: padded.width - shape.width))
        let pads = [Int](repeating: 0, count: ends.count + 4) + ends
        nodes.append(
            "Pad", [description.inputName, nodes.constant("padding", [pads.count], .integers(pads))],
            to: nodes.name(graph.input), ["mode": .text("constant")])
    }

    private mutating func appendCrop() {
        let sides = spatialSides, zeros = [Int](repeating: 0, count: sides.count)
        nodes.append(
            "Slice",
            [
                nodes.name(graph.output), nodes.constant("crop_starts", [sides.count], .integers(zeros)),
                nodes.constant("crop_ends", [sides.count], .integers(sides)),
                nodes.constant("crop_axes", [sides.count], .integers(sides.indices.map { $0 + 2 })),
            ], to: description.outputName)
    }

    private var spatialSides: [Int] {
        nodes.spatial(PerAxis(
            depth: description.shape.depth, height: description.shape.height, width: description.shape.width))
    }

    // MARK: - Bytes

    private enum ElementType { static let float = 1, integer = 7 }

    func bytes() -> [UInt8] {
        var file = ProtobufWriter()
        file.write(1, 8) // The format's version, which came with operator set 17.
        file.write(2, "quintet")
        file.write(3, description.producerVersion)
        file.write(6, description.documentation)
        file.write(7) { write(to: &$0) }
        file.write(8) {
            $0.write(1, "")
            $0.write(2, 17)
        }
        for (key, value) in description.metadata.sorted(by: { $0.key < $1.key }) {
            file.write(14) {
                $0.write(1, key)
                $0.write(2, value)
            }
        }
        return file.bytes
    }

    private func write(to file: inout ProtobufWriter) {
        for (place, node) in nodes.nodes.enumerated() { file.write(1) { write(node, place, to: &$0) } }
        file.write(2, "network")
        for constant in nodes.initialisers { file.write(5) { write(constant, to: &$0) } }
        file.write(11) { write(description.inputName, channels: graph.channels(graph.input), to: &$0) }
        file.write(12) { write(description.outputName, channels: graph.channels(graph.output), to: &$0) }
        if let image = graph.image {
            file.write(12) { write(description.imageName, channels: graph.channels(image), to: &$0) }
        }
    }

    private func write(_ node: ONNXGraph.Node, _ place: Int, to file: inout ProtobufWriter) {
        for input in node.inputs { file.write(1, input) }
        file.write(2, node.output)
        file.write(3, "\(node.kind)_\(place)")
        file.write(4, node.kind)
        for (name, value) in node.attributes {
            file.write(5) {
                $0.write(1, name)
                switch value {
                case .number(let number): $0.write(2, number)
                case .integer(let number): $0.write(3, number)
                case .text(let text): $0.write(4, text)
                case .integers(let numbers): for number in numbers { $0.write(8, number) }
                }
                $0.write(20, value.kind)
            }
        }
    }

    private func write(_ constant: ONNXGraph.Initialiser, to file: inout ProtobufWriter) {
        for side in constant.shape { file.write(1, side) }
        switch constant.content {
        case .floats(let numbers):
            file.write(2, ElementType.float)
            file.write(8, constant.name)
            file.write(9, numbers.map(\.bitPattern.littleEndian).withUnsafeBytes { [UInt8]($0) })
        case .integers(let numbers):
            file.write(2, ElementType.integer)
            file.write(8, constant.name)
            file.write(9, numbers.map { Int64($0).littleEndian }.withUnsafeBytes { [UInt8]($0) })
        }
    }

    /// A tensor [batch, channels, ...] of floats.
    private func write(_ name: String, channels: Int, to file: inout ProtobufWriter) {
        file.write(1, name)
        file.write(2) { type in
            type.write(1) { tensor in
                tensor.write(1, ElementType.float)
                tensor.write(2) { shape in
                    shape.write(1) { $0.write(2, "batch") }
                    for side in [channels] + spatialSides { shape.write(1) { $0.write(1, side) } }
                }
            }
        }
    }
}

extension ONNXGraph.Attribute {
    /// As `onnx.proto` numbers them.
    fileprivate var kind: Int {
        switch self {
        case .number: 1
        case .integer: 2
        case .text: 3
        case .integers: 7
        }
    }
}
