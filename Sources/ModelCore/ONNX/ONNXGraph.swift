import CKernels

/// A network as nodes of ONNX's operator set 17, which every runtime of these years reads. Layers append themselves
/// (`LayersAsNodes.swift`); `ONNXFile.swift` writes the file. Numbers are the same but for the order of sums.
struct ONNXGraph {
    enum Attribute: Equatable {
        case integer(Int)
        case number(Float)
        case text(String)
        case integers([Int])
    }

    struct Node: Equatable {
        /// The operator: "Conv".
        var kind: String
        var inputs: [String]
        var output: String
        /// In alphabetical order.
        var attributes: [(name: String, value: Attribute)]

        static func == (a: Node, b: Node) -> Bool {
            a.kind == b.kind && a.inputs == b.inputs && a.output == b.output
                && a.attributes.map(\.name) == b.attributes.map(\.name)
                && a.attributes.map(\.value) == b.attributes.map(\.value)
        }
    }

    /// A constant.
    struct Initialiser {
        enum Content {
            case floats([Float])
            case integers([Int])
        }
        var name: String
        var shape: [Int]
        var content: Content
    }

    let isFlat: Bool
    private(set) var nodes: [Node] = []
    private(set) var initialisers: [Initialiser] = []
    private var known: Set<String> = []
    private let specifications: [ParameterSpecification]
    private let values: [Float]
    /// Values that have names of their own: what goes in and what comes out.
    var names: [Graph.Value: String] = [:]

    /// - Parameters:
    ///   - parameters: where each parameter lies.
    ///   - values: all parameters in one row.
    init(isFlat: Bool, parameters: ParameterTable, values: [Float]) {
        (self.isFlat, specifications, self.values) = (isFlat, parameters.specifications, values)
    }

    // MARK: - Names

    func name(_ value: Graph.Value) -> String { names[value] ?? "value_\(value.number)" }

    /// Of each axis that the network has.
    func spatial(_ sizes: PerAxis) -> [Int] { isFlat ? [sizes.height, sizes.width] : sizes.all }

    /// Behind batch and channel.
    var spatialAxes: ClosedRange<Int> { 2...(isFlat ? 3 : 4) }

    // MARK: - Constants

    mutating func constant(_ name: String, _ shape: [Int], _ content: Initialiser.Content) -> String {
        if known.insert(name).inserted { initialisers.append(.init(name: name, shape: shape, content: content)) }
        return name
    }

    func numbers(_ parameter: Int) -> (name: String, shape: [Int], floats: [Float]) {
        let own = specifications[parameter]
        return (own.name, own.shape, Array(values[own.offset..<own.offset + own.count]))
    }

    /// A parameter under its name in the state dict.
    mutating func parameter(_ place: Int) -> String {
        let own = numbers(place)
        return constant(own.name, own.shape, .floats(own.floats))
    }

    /// One number a channel, to be added to or multiplied with [N, C, ...].
    mutating func perChannel(_ place: Int) -> String {
        let own = numbers(place), axes = isFlat ? 2 : 3
        return constant(
            own.name, [own.floats.count] + [Int](repeating: 1, count: axes), .floats(own.floats))
    }

    // MARK: - Nodes

    /// - Parameter output: its name; nil: a name of no value.
    @discardableResult
    mutating func append(
        _ kind: String, _ inputs: [String], to output: String? = nil, _ attributes: [String: Attribute] = [:]
    ) -> String {
        let output = output ?? "step_\(nodes.count)"
        nodes.append(Node(
            kind: kind, inputs: inputs, output: output,
            attributes: attributes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }))
        return output
    }

    /// - Parameter output: nil: a name of no value.
    mutating func append(_ activation: quintet_activation, _ input: String, to output: String? = nil) -> String {
        switch activation.kind {
        case Int32(QUINTET_IDENTITY): return output == nil ? input : append("Identity", [input], to: output)
        case Int32(QUINTET_RELU): return append("Relu", [input], to: output)
        case Int32(QUINTET_SWISH): return append("Mul", [input, append("Sigmoid", [input])], to: output)
        default: return append("LeakyRelu", [input], to: output, ["alpha": .number(activation.slope)])
        }
    }

    mutating func append(_ slope: Slope, _ input: String, to output: String?) -> String {
        switch slope {
        case .parameter(let place): return append("PRelu", [input, parameter(place)], to: output)
        case .fixed(0): return append("Relu", [input], to: output)
        case .fixed(let number): return append("LeakyRelu", [input], to: output, ["alpha": .number(number)])
        }
    }

    /// Mean 0 and variance 1 over some axes, the last of them summed up first. There is an operator for it, which
    /// runtimes compute in one long sum of 32-bit numbers: onnxruntime's was off by 1e-4 for 900,000 voxels, and a slab
    /// of the paper's has 8 millions. Means of means of rows are as good as ours.
    mutating func norm(_ input: String, axes: ClosedRange<Int>, to output: String? = nil) -> String {
        func mean(_ value: String, in onnx: inout ONNXGraph) -> String {
            axes.reversed().reduce(value) { value, axis in
                onnx.append("ReduceMean", [value], ["axes": .integers([axis]), "keepdims": .integer(1)])
            }
        }
        let centred = append("Sub", [input, mean(input, in: &self)])
        let variance = mean(append("Mul", [centred, centred]), in: &self)
        let deviation = append("Sqrt", [append("Add", [variance, constant("epsilon", [], .floats([1e-5]))])])
        return append("Div", [centred, deviation], to: output)
    }
}
