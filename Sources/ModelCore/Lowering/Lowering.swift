import CKernels

/// Turns a network's layers into operations for one size of input: forward, and for training the loss and backward.
///
/// Values get places in memory first, the last layer's first: where a layer works in place, or a value is a part of
/// another, two values share one. Then each layer appends what computes it, and, for training, in reverse order what
/// computes its gradients. The gradient of a value that several layers read is a sum, begun by the last of them.
struct Lowering {
    private let graph: Graph
    private let shape: TensorShape3D
    /// The backward pass asks for what the norms were given; without one, norms work in place.
    let isTraining: Bool
    private(set) var program: NetworkProgram

    private enum Home {
        case own
        case shared(with: Graph.Value)
        case part(of: Graph.Value, isSecond: Bool)
    }
    private var homes: [Home]
    private var views: [ValueView?]
    /// Channels of the first part, of concatenations.
    private var splits: [Graph.Value: Int] = [:]
    private let readerCounts: [Int]
    private let planarValues: Set<Graph.Value>
    private var normed: Set<Graph.Value> = []
    private var statistics: [Graph.Value: Int] = [:]
    private var layersOfValues: [Graph.Value: Int] = [:]
    private var regionsOfValues: [Graph.Value: Int] = [:]

    private var gradients: [Graph.Value: ValueView] = [:]
    /// How many values' gradients, or layers at work, need what stands at a place.
    private var holders: [ValueView.Place: Int] = [:]

    /// - Parameters:
    ///   - graph: rewritten.
    ///   - shape: of the input; a multiple of `graph.sideDivisor`.
    ///   - loss: what training makes small; nil for answers.
    static func program(of graph: Graph, shape: TensorShape3D, loss: (any LossLayer)?) -> NetworkProgram {
        var lowering = Lowering(graph, shape, isTraining: loss != nil)
        for layer in graph.layers.reversed() { layer.place(&lowering) }
        for layer in graph.layers { layer.appendForward(&lowering) }
        lowering.program.output = lowering.view(of: graph.output)
        lowering.program.forwardCount = lowering.program.operations.count
        if let loss {
            loss.append(&lowering, of: graph)
            for layer in graph.layers.reversed() { layer.appendBackward(&lowering) }
        }
        return lowering.program
    }

    private init(_ graph: Graph, _ shape: TensorShape3D, isTraining: Bool) {
        self.graph = graph
        self.shape = shape
        self.isTraining = isTraining
        homes = Array(repeating: .own, count: graph.valueCount)
        views = Array(repeating: nil, count: graph.valueCount)
        readerCounts = graph.readers.map(\.count)
        planarValues = graph.planarValues()
        let layout = Self.layout(
            shape, channels: graph.channels(graph.input), isPlanar: planarValues.contains(graph.input),
            isFlat: graph.isFlat)
        let view = ValueView(value: 0, firstBlock: 0, layout: layout)
        program = NetworkProgram(input: view, output: view)
        program.values.append(ValueShape(layout))
        views[graph.input.number] = view
    }

    // MARK: Places of values

    func isReadOnce(_ value: Graph.Value) -> Bool { readerCounts[value.number] == 1 && value != graph.input }

    /// One value's place is another's.
    mutating func share(_ value: Graph.Value, with other: Graph.Value) { homes[value.number] = .shared(with: other) }

    mutating func join(_ first: Graph.Value, _ second: Graph.Value, in both: Graph.Value) {
        for value in [first, second] {
            guard case .own = homes[value.number] else { preconditionFailure("a value is a part of two others") }
        }
        homes[first.number] = .part(of: both, isSecond: false)
        homes[second.number] = .part(of: both, isSecond: true)
        splits[both] = graph.channels(first)
    }

    /// Where a value stands.
    mutating func view(of value: Graph.Value) -> ValueView {
        if let view = views[value.number] { return view }
        let view: ValueView
        switch homes[value.number] {
        case .own: view = newValue(like: value)
        case .shared(let other): view = self.view(of: other)
        case .part(let whole, let isSecond):
            let (first, second) = parts(self.view(of: whole))
            view = isSecond ? second : first
        }
        views[value.number] = view
        return view
    }

    private static func layout(
        _ shape: TensorShape3D, channels: Int, isPlanar: Bool, isFlat: Bool, split: Int = 0
    ) -> quintet_layout {
        quintet_layout(
            channels: Int32(channels), depth: Int32(shape.depth), height: Int32(shape.height),
            width: Int32(shape.width), planar: isPlanar ? 1 : 0, split: Int32(split), gap: 0,
            flat: isFlat ? 1 : 0)
    }

    /// A place of its own for a value, or its gradient.
    private mutating func newValue(like value: Graph.Value) -> ValueView {
        let layout = Self.layout(
            shape.divided(by: graph.divisor(value)), channels: graph.channels(value),
            isPlanar: planarValues.contains(value), isFlat: graph.isFlat, split: splits[value] ?? 0)
        program.values.append(ValueShape(layout))
        return ValueView(value: program.values.count - 1, firstBlock: 0, layout: layout)
    }

    /// The two parts of a concatenation.
    func parts(_ whole: ValueView) -> (ValueView, ValueView) {
        var first = whole, second = whole
        first.layout.channels = whole.layout.split
        first.layout.split = 0
        second.layout.channels = whole.layout.channels - whole.layout.split
        second.layout.split = 0
        second.firstBlock = whole.firstBlock + first.layout.blockCount
        return (first, second)
    }

    // MARK: Operations

    mutating func append(_ operation: any Operation) { program.operations.append(operation) }

    /// A convolution's shape and weights, for all operations that have to do with it.
    mutating func convolution(
        fine: ValueView, coarse: ValueView, kernel: PerAxis, stride: PerAxis, weight: Int, isMirrored: Bool = false,
        isStandardised: Bool = false
    ) -> Int {
        var layer = LayerShape(
            shape: quintet_convolution(
                fine: fine.layout, coarse: coarse.layout, kernel: kernel.size, stride: stride.size,
                mirrored: isMirrored ? 1 : 0),
            weight: weight)
        if isStandardised {
            let count = graph.parameters.specifications[weight].count
            layer.standardised = region(count)
            layer.standardisedGradient = isTraining ? region(count) : nil
        }
        program.layers.append(layer)
        return program.layers.count - 1
    }

    /// Memory that stays: a norm's statistics, weights made of other weights.
    mutating func region(_ floatCount: Int) -> Int {
        program.regions.append(floatCount)
        return program.regions.count - 1
    }

    mutating func rememberRegion(_ region: Int, of value: Graph.Value) { regionsOfValues[value] = region }
    func region(of value: Graph.Value) -> Int { regionsOfValues[value]! }

    /// The image that a value should be, for losses that compare the two.
    mutating func targetImage(of value: Graph.Value) -> ValueView {
        let image = newValue(like: value)
        program.targetImage = image
        return image
    }

    /// Where a loss writes the gradient of a value.
    mutating func beginGradient(of value: Graph.Value) -> ValueView {
        let gradient = newGradient(of: value)
        begin(value, gradient)
        return gradient
    }

    mutating func append(_ convolve: Convolve) {
        switch convolve.direction {
        case .forward: program.layers[convolve.layer].needsForwardWeights = true
        case .transposed: program.layers[convolve.layer].needsTransposedWeights = true
        }
        program.operations.append(convolve)
    }

    mutating func remember(_ layer: Int, of value: Graph.Value) { layersOfValues[value] = layer }
    func layer(of value: Graph.Value) -> Int { layersOfValues[value]! }

    /// A norm asks for the statistics of a value: whoever writes it sums them up.
    mutating func needsStatistics(_ value: Graph.Value) { normed.insert(value) }

    mutating func statistics(of value: Graph.Value) -> Int {
        if let known = statistics[value] { return known }
        program.statistics.append(view(of: value).layout)
        statistics[value] = program.statistics.count - 1
        return program.statistics.count - 1
    }

    /// nil where no norm follows.
    mutating func statisticsBehind(_ value: Graph.Value) -> Int? {
        normed.contains(value) ? statistics(of: value) : nil
    }

    // MARK: Gradients

    private mutating func newGradient(of value: Graph.Value) -> ValueView { newValue(like: value) }

    private mutating func begin(_ value: Graph.Value, _ gradient: ValueView) {
        gradients[value] = gradient
        holders[gradient.place, default: 0] += 1
    }

    /// The gradient of what a layer has written: all that read it have been asked. The layer releases it, or gives it
    /// away.
    mutating func takeGradient(of value: Graph.Value) -> ValueView {
        guard let gradient = gradients.removeValue(forKey: value) else {
            preconditionFailure("nothing reads a value that a layer writes")
        }
        return gradient
    }

    mutating func release(_ gradient: ValueView) { holders[gradient.place]! -= 1 }

    /// The gradient of one value is the gradient of another, or is added to it.
    mutating func pass(_ gradient: ValueView, to value: Graph.Value) {
        guard value != graph.input else { return }
        guard let sum = gradients[value] else { return begin(value, gradient) }
        append(Add(gradient, to: sum))
    }

    /// Adds what an operation computes to a value's gradient.
    ///
    /// - Parameters:
    ///   - source: what the operation reads.
    ///   - append: appends the operation, given where to write and whether to add to what stands there.
    mutating func addToGradient(
        of value: Graph.Value, reading source: ValueView, _ append: (inout Lowering, ValueView, Bool) -> Void
    ) {
        guard value != graph.input else { return }
        guard let sum = gradients[value] else {
            let fresh = newGradient(of: value)
            append(&self, fresh, false)
            return begin(value, fresh)
        }
        if holders[sum.place] == 1, !sum.isSame(as: source) { return append(&self, sum, true) }
        // It is needed elsewhere as it is.
        let fresh = newGradient(of: value)
        append(&self, fresh, false)
        self.append(Add(sum, to: fresh))
        release(sum)
        begin(value, fresh)
    }

    /// What an operation computes of a gradient is the gradient of a value that only one layer reads: in the same
    /// place, where nobody else needs what stands there.
    mutating func setGradient(
        of value: Graph.Value, from gradient: ValueView, _ append: (inout Lowering, ValueView) -> Void
    ) {
        precondition(gradients[value] == nil && isReadOnce(value), "a value is read by several layers")
        if holders[gradient.place] == 1 {
            append(&self, gradient)
            gradients[value] = gradient
            return
        }
        let fresh = newGradient(of: value)
        append(&self, fresh)
        release(gradient)
        begin(value, fresh)
    }
}

/// What training makes small: a function of what a network gives and of what it should be.
protocol LossLayer: Sendable {
    /// Appends what computes the loss and its gradients with respect to the output, or to what else it looks at.
    func append(_ lowering: inout Lowering, of graph: Graph)
}
