import CKernels

extension CPUBackend {
    /// For kernels that read any slope from memory; a fixed one has a gradient that nobody asks for.
    fileprivate func withSlope(
        _ slope: Slope, _ body: (UnsafePointer<Float>, _ gradient: UnsafeMutablePointer<Float>) -> Void
    ) {
        switch slope {
        case .parameter(let index): body(parameter(index), gradient(index))
        case .fixed(let value):
            var unused: Float = 0
            withUnsafePointer(to: value) { value in withUnsafeMutablePointer(to: &unused) { body(value, $0) } }
        }
    }
}

/// Instance norm by statistics that are there already, PReLU, and a residual where one is given.
struct NormActivate: Operation {
    var from: ValueView
    var statistics: Int
    var slope: Slope
    /// May be the result's own place.
    var residual: ValueView?
    var to: ValueView

    init(_ from: ValueView, statistics: Int, slope: Slope, residual: ValueView?, to: ValueView) {
        (self.from, self.statistics, self.slope, self.residual, self.to) = (from, statistics, slope, residual, to)
    }

    var views: [ValueView] { [from, to] + (residual.map { [$0] } ?? []) }

    func description(_ program: NetworkProgram, isBackward: Bool) -> OperationDescription {
        from.description(residual == nil ? "norm activate" : "norm activate, residual")
    }

    func work(_ program: NetworkProgram) -> OperationWork {
        OperationWork(byteCount: from.byteCount(passes: residual == nil ? 2 : 3))
    }

    func kind(_ program: NetworkProgram) -> OperationKind {
        var traits = from.isSame(as: to) ? ["in place"] : []
        if let residual { traits.append(residual.isSame(as: to) ? "residual in place" : "residual") }
        return OperationKind("norm activate", from, traits)
    }

    func compute(on cpu: CPUBackend) {
        cpu.withSlope(slope) { slope, _ in
            quintet_norm_activate(
                cpu.pool, cpu.layout(from), cpu.floats(from), cpu.statistics(statistics), slope,
                residual.map(cpu.floats), cpu.floats(to))
        }
    }
}

/// From the gradient of what `NormActivate` gave to that of what it read.
struct NormActivateGradient: Operation {
    var input: ValueView
    var statistics: Int
    var slope: Slope
    var from: ValueView
    var to: ValueView

    init(_ input: ValueView, statistics: Int, slope: Slope, from: ValueView, to: ValueView) {
        (self.input, self.statistics, self.slope, self.from, self.to) = (input, statistics, slope, from, to)
    }

    var views: [ValueView] { [input, from, to] }
    func scratchFloats(_ program: NetworkProgram) -> Int { input.sumScratchFloats }

    func description(_ program: NetworkProgram, isBackward: Bool) -> OperationDescription {
        input.description("norm activate gradient")
    }

    /// The sums first, then the gradient: both tensors are read twice.
    func work(_ program: NetworkProgram) -> OperationWork { OperationWork(byteCount: input.byteCount(passes: 5)) }

    func kind(_ program: NetworkProgram) -> OperationKind {
        OperationKind("norm activate gradient", input, from.isSame(as: to) ? ["in place"] : [])
    }

    func compute(on cpu: CPUBackend) {
        cpu.withSlope(slope) { slope, slopeGradient in
            quintet_norm_activate_gradient(
                cpu.pool, cpu.layout(input), cpu.floats(input), cpu.statistics(statistics), slope, cpu.floats(from),
                cpu.doubles, cpu.floats(to), slopeGradient)
        }
    }
}
