/// A network: layers over values [N, C, D, H, W], in the order in which they are computed, and the parameters that they
/// have. A page in `Networks` makes one; `Lowering` turns it into operations for one size of input.
///
///     var graph = Graph(inputChannels: 1)
///     let features = graph.convolution("first", graph.input, channels: 16, kernel: PerAxis(3))
///     graph.output = graph.convolution("last", features, channels: 2, kernel: .one)
///
/// A network in three dimensions is computed sample by sample. One in two dimensions is *flat*: its batch lies along
/// depth, where no kernel reaches, so that N and D are one axis and a norm over a batch is a norm over a volume.
package struct Graph: Sendable {
    /// Names a value.
    package struct Value: Hashable, Sendable {
        let number: Int
    }

    struct Facts: Hashable, Sendable {
        var channels: Int
        /// The input's sides divided by these are the value's.
        var divisor: PerAxis
    }

    private(set) var layers: [any Layer] = []
    package var parameters = ParameterTable()
    private var facts: [Facts]
    package let input = Value(number: 0)
    /// What the network gives: logits, or an image.
    package var output = Value(number: 0)
    /// An image on the way to the output that a loss looks at, too; nil where only the output is one.
    package var image: Value?

    /// Whether it is one in two dimensions.
    package let isFlat: Bool

    package init(inputChannels: Int, isFlat: Bool = false) {
        self.isFlat = isFlat
        facts = [Facts(channels: inputChannels, divisor: .one)]
    }

    package func channels(_ value: Value) -> Int { facts[value.number].channels }
    func divisor(_ value: Value) -> PerAxis { facts[value.number].divisor }
    var valueCount: Int { facts.count }

    /// A value that a layer will write.
    mutating func value(channels: Int, divisor: PerAxis) -> Value {
        facts.append(Facts(channels: channels, divisor: divisor))
        return Value(number: facts.count - 1)
    }

    /// A value of another one's size.
    mutating func value(like other: Value) -> Value {
        value(channels: channels(other), divisor: divisor(other))
    }

    /// Appends a layer, which reads what earlier ones have written.
    ///
    /// - Returns: what it writes.
    mutating func add(_ layer: some Layer) -> Value {
        layers.append(layer)
        return layer.output
    }

    /// For rewritings: the same values, other layers.
    mutating func replace(_ layers: [any Layer]) { self.layers = layers }

    /// The layers that read each value.
    var readers: [[Int]] {
        var readers = [[Int]](repeating: [], count: valueCount)
        for (place, layer) in layers.enumerated() {
            for input in layer.inputs { readers[input.number].append(place) }
        }
        return readers
    }

    /// Sides of an input are multiples of these.
    package var sideDivisor: PerAxis {
        facts.reduce(PerAxis.one) { largest, facts in
            PerAxis(
                depth: max(largest.depth, facts.divisor.depth), height: max(largest.height, facts.divisor.height),
                width: max(largest.width, facts.divisor.width))
        }
    }
}

extension Graph {
    /// Zeros beside an image would be a part of it for what is mirrored at its edges, or sampled up.
    ///
    /// - Throws: `ModelError.unsuitableShape` where an image of a network in two dimensions would have to be padded.
    func checkFlat(_ shape: TensorShape3D) throws {
        guard isFlat, !shape.isMultiple(of: sideDivisor) else { return }
        throw ModelError.unsuitableShape(
            "An image is \(shape.height)x\(shape.width), but this network needs sides that are multiples of "
                + "\(sideDivisor.height) and \(sideDivisor.width).")
    }
}

/// One layer of a network. It says what it reads and writes, and appends the operations that compute it and its
/// gradients. A file in `Layers` for each.
protocol Layer: Sendable {
    var inputs: [Graph.Value] { get }
    /// The value that it writes; of several the first.
    var output: Graph.Value { get }
    var outputs: [Graph.Value] { get }

    /// Values that may have one place in memory, because the layer works in it or because one is a part of the other:
    /// told to the lowering before anything is placed, the last layer first.
    func place(_ lowering: inout Lowering)
    func appendForward(_ lowering: inout Lowering)
    /// Takes `lowering.takeGradient(of: output)` and adds to the gradients of the inputs.
    func appendBackward(_ lowering: inout Lowering)

    /// What it is in ONNX (`ONNX/LayersAsNodes.swift`).
    func append(to onnx: inout ONNXGraph, of graph: Graph)

    /// Whether its inputs and outputs have to lie in memory in the same way, voxel by voxel.
    var keepsLayout: Bool { get }
}

extension Layer {
    var outputs: [Graph.Value] { [output] }
    func place(_ lowering: inout Lowering) {}
    var keepsLayout: Bool { false }
}
