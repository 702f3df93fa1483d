import CKernels

/// PReLU, or a ReLU, by itself.
struct ActivationLayer: Layer {
    var input: Graph.Value
    var output: Graph.Value
    var slope: Slope

    var inputs: [Graph.Value] { [input] }
    var keepsLayout: Bool { true }

    func appendForward(_ lowering: inout Lowering) {
        lowering.append(Activate(lowering.view(of: input), slope: slope, to: lowering.view(of: output)))
    }

    func appendBackward(_ lowering: inout Lowering) {
        let gradient = lowering.takeGradient(of: output), input = lowering.view(of: input)
        lowering.setGradient(of: self.input, from: gradient) { lowering, to in
            lowering.append(ActivateGradient(input, slope: slope, from: gradient, to: to))
        }
    }
}

extension Graph {
    mutating func activation(_ input: Value, slope: Slope) -> Value {
        add(ActivationLayer(input: input, output: value(like: input), slope: slope))
    }
}
