/// A value again, in a place of its own: so that what others read, too, can be a part of a concatenation.
struct CopyLayer: Layer {
    var input: Graph.Value
    var output: Graph.Value

    var inputs: [Graph.Value] { [input] }
    var keepsLayout: Bool { true }

    func appendForward(_ lowering: inout Lowering) {
        lowering.append(Copy(lowering.view(of: input), to: lowering.view(of: output)))
    }

    func appendBackward(_ lowering: inout Lowering) {
        let gradient = lowering.takeGradient(of: output)
        lowering.pass(gradient, to: input)
        lowering.release(gradient)
    }
}

extension Graph {
    package mutating func copy(_ input: Value) -> Value { add(CopyLayer(input: input, output: value(like: input))) }
}
