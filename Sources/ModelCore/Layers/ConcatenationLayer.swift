/// The channels of two values one after the other. Nothing is copied: both are written where they belong.
struct ConcatenationLayer: Layer {
    var first: Graph.Value
    var second: Graph.Value
    var output: Graph.Value

    var inputs: [Graph.Value] { [first, second] }

    func place(_ lowering: inout Lowering) { lowering.join(first, second, in: output) }
    func appendForward(_ lowering: inout Lowering) {}

    func appendBackward(_ lowering: inout Lowering) {
        let gradient = lowering.takeGradient(of: output), (one, other) = lowering.parts(gradient)
        // The first part begins where the whole does.
        lowering.release(gradient)
        lowering.pass(one, to: first)
        lowering.pass(other, to: second)
    }
}

extension Graph {
    /// - Parameters: neither is concatenated with anything else.
    package mutating func concatenation(_ first: Value, _ second: Value) -> Value {
        precondition(divisor(first) == divisor(second))
        let both = value(channels: channels(first) + channels(second), divisor: divisor(first))
        return add(ConcatenationLayer(first: first, second: second, output: both))
    }
}
