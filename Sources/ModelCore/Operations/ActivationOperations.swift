import CKernels

/// PReLU, or a ReLU.
struct Activate: Operation {
    var from: ValueView
    var slope: Slope
    var to: ValueView

    init(_ from: ValueView, slope: Slope, to: ValueView) { (self.from, self.slope, self.to) = (from, slope, to) }

    var views: [ValueView] { [from, to] }
    func description(_ program: NetworkProgram, isBackward: Bool) -> OperationDescription {
        from.description("activate")
    }
    func work(_ program: NetworkProgram) -> OperationWork { OperationWork(byteCount: from.byteCount(passes: 2)) }
    func kind(_ program: NetworkProgram) -> OperationKind { OperationKind("activate", from) }

    func compute(on cpu: CPUBackend) {
        let elements = quintet_elements(layout: cpu.layout(from), plain: 0)
        quintet_activate(
            cpu.pool, elements, slope.activation, cpu.slopeParameter(slope), cpu.floats(from), cpu.floats(to))
    }
}

/// From the gradient of what `Activate` gave to that of what it read.
struct ActivateGradient: Operation {
    var input: ValueView
    var slope: Slope
    var from: ValueView
    var to: ValueView

    init(_ input: ValueView, slope: Slope, from: ValueView, to: ValueView) {
        (self.input, self.slope, self.from, self.to) = (input, slope, from, to)
    }

    var views: [ValueView] { [input, from, to] }
    func description(_ program: NetworkProgram, isBackward: Bool) -> OperationDescription {
        input.description("activate gradient")
    }
    func work(_ program: NetworkProgram) -> OperationWork { OperationWork(byteCount: input.byteCount(passes: 3)) }
    func kind(_ program: NetworkProgram) -> OperationKind {
        OperationKind("activate gradient", input, from.isSame(as: to) ? ["in place"] : [])
    }

    func compute(on cpu: CPUBackend) {
        let elements = quintet_elements(layout: cpu.layout(input), plain: 0)
        quintet_activate_gradient(
            cpu.pool, elements, slope.activation, cpu.slopeParameter(slope), cpu.floats(input), cpu.floats(from),
            cpu.floats(to), cpu.slopeGradient(slope))
    }
}

extension Slope {
    var activation: quintet_activation {
        switch self {
        case .parameter: quintet_activation(kind: Int32(QUINTET_PRELU), slope: 0)
        case .fixed(0): .relu
        case .fixed(let slope): quintet_activation(kind: Int32(QUINTET_LEAKY_RELU), slope: slope)
        }
    }
}

extension CPUBackend {
    /// nil where it is no parameter.
    func slopeParameter(_ slope: Slope) -> UnsafeMutablePointer<Float>? {
        if case .parameter(let index) = slope { parameter(index) } else { nil }
    }

    func slopeGradient(_ slope: Slope) -> UnsafeMutablePointer<Float>? {
        if case .parameter(let index) = slope { gradient(index) } else { nil }
    }
}
