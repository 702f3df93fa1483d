/// Of what is not above 0.
enum Slope: Hashable, Sendable {
    /// PReLU's: its place among the parameters.
    case parameter(Int)
    /// A leaky ReLU's, or 0.
    case fixed(Float)
}

/// Instance norm (mean 0 and variance 1 of every channel, no parameters), then PReLU with one slope, or a ReLU; then,
/// where it is given, a residual is added (`Graph.addResidualsInNorms`).
struct NormActivationLayer: Layer {
    var input: Graph.Value
    var output: Graph.Value
    var slope: Slope
    var residual: Graph.Value?

    var inputs: [Graph.Value] { [input] + (residual.map { [$0] } ?? []) }
    var keepsLayout: Bool { true }

    /// What is added stands in the output from the beginning where nobody else reads it. The norm's input makes room
    /// for its output where no gradient asks for it any more.
    func place(_ lowering: inout Lowering) {
        lowering.needsStatistics(input)
        if let residual, lowering.isReadOnce(residual) { return lowering.share(residual, with: output) }
        if !lowering.isTraining, lowering.isReadOnce(input) { lowering.share(input, with: output) }
    }

    func appendForward(_ lowering: inout Lowering) {
        lowering.append(NormActivate(
            lowering.view(of: input), statistics: lowering.statistics(of: input), slope: slope,
            residual: residual.map { lowering.view(of: $0) }, to: lowering.view(of: output)))
    }

    func appendBackward(_ lowering: inout Lowering) {
        let gradient = lowering.takeGradient(of: output)
        if let residual { lowering.pass(gradient, to: residual) }
        lowering.setGradient(of: input, from: gradient) { lowering, to in
            lowering.append(NormActivateGradient(
                lowering.view(of: input), statistics: lowering.statistics(of: input), slope: slope, from: gradient,
                to: to))
        }
    }
}

extension Graph {
    /// MONAI's ADN block of instance norm and an activation.
    mutating func instanceNorm(_ input: Value, slope: Slope) -> Value {
        add(NormActivationLayer(input: input, output: value(like: input), slope: slope))
    }
}
