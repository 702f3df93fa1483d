/// The sum of two values of one size.
struct AdditionLayer: Layer {
    var first: Graph.Value
    var second: Graph.Value
    var output: Graph.Value

    var inputs: [Graph.Value] { [first, second] }
    var keepsLayout: Bool { true }

    /// The first one stands in the output, and the second one is added to it.
    func place(_ lowering: inout Lowering) {
        precondition(lowering.isReadOnce(first), "the first term of a sum is read by others, too")
        lowering.share(first, with: output)
    }

    func appendForward(_ lowering: inout Lowering) {
        lowering.append(Add(lowering.view(of: second), to: lowering.view(of: output)))
    }

    func appendBackward(_ lowering: inout Lowering) {
        let gradient = lowering.takeGradient(of: output)
        lowering.pass(gradient, to: first)
        lowering.pass(gradient, to: second)
        lowering.release(gradient)
    }
}

extension Graph {
    /// - Parameter first: read by nothing else.
    package mutating func sum(_ first: Value, _ second: Value) -> Value {
        precondition(channels(first) == channels(second) && divisor(first) == divisor(second))
        return add(AdditionLayer(first: first, second: second, output: value(like: first)))
    }
}
