import CKernels

/// Group or batch norm with a scale, a shift and activations; while training, statistics of what it reads, which go
/// into a batch norm's running ones.
struct AffineNorm: Operation {
    var norm: quintet_affine_norm
    var statisticsRegion: Int
    var kind: AffineNormLayer.Kind
    var isTraining: Bool
    var from: ValueView
    var scale: Int
    var shift: Int
    var to: ValueView

    var views: [ValueView] { [from, to] }

    func description(_ program: NetworkProgram, isBackward: Bool) -> OperationDescription {
        from.description(norm.batch != 0 ? "batch norm activate" : "group norm activate")
    }

    /// Read for the statistics, read again and written.
    func work(_ program: NetworkProgram) -> OperationWork { OperationWork(byteCount: from.byteCount(passes: 3)) }

    func kind(_ program: NetworkProgram) -> OperationKind {
        var traits = ["activations \(norm.before.kind) and \(norm.after.kind)"]
        if from.isSame(as: to) { traits.append("in place") }
        return OperationKind(norm.batch != 0 ? "batch norm" : "group norm", from, traits)
    }

    func compute(on cpu: CPUBackend) {
        var norm = norm
        norm.layout = cpu.layout(from)
        let statistics = cpu.region(statisticsRegion)
        switch kind {
        case .group: quintet_affine_norm_statistics(cpu.pool, &norm, cpu.floats(from), statistics)
        case .batch(let mean, let variance, let batches):
            guard isTraining else {
                quintet_affine_norm_frozen(&norm, cpu.parameter(mean), cpu.parameter(variance), statistics)
                break
            }
            quintet_affine_norm_statistics(cpu.pool, &norm, cpu.floats(from), statistics)
            // PyTorch's momentum.
            quintet_affine_norm_running(&norm, statistics, 0.1, cpu.parameter(mean), cpu.parameter(variance))
            cpu.parameter(batches)[0] += 1
        }
        quintet_affine_norm_forward(
            cpu.pool, &norm, cpu.floats(from), statistics, cpu.parameter(scale), cpu.parameter(shift), nil,
            cpu.floats(to))
    }
}

/// From the gradient of what `AffineNorm` gave to that of what it read.
struct AffineNormGradient: Operation {
    var norm: quintet_affine_norm
    var statisticsRegion: Int
    var input: ValueView
    var scale: Int
    var shift: Int
    var from: ValueView
    var to: ValueView

    var views: [ValueView] { [input, from, to] }

    func description(_ program: NetworkProgram, isBackward: Bool) -> OperationDescription {
        input.description(norm.batch != 0 ? "batch norm activate gradient" : "group norm activate gradient")
    }

    func work(_ program: NetworkProgram) -> OperationWork { OperationWork(byteCount: input.byteCount(passes: 5)) }

    func kind(_ program: NetworkProgram) -> OperationKind {
        OperationKind(
            norm.batch != 0 ? "batch norm gradient" : "group norm gradient", input,
            ["activations \(norm.before.kind) and \(norm.after.kind)"] + (from.isSame(as: to) ? ["in place"] : []))
    }

    func compute(on cpu: CPUBackend) {
        var norm = norm
        norm.layout = cpu.layout(input)
        quintet_affine_norm_gradient(
            cpu.pool, &norm, cpu.floats(input), cpu.region(statisticsRegion), cpu.parameter(scale),
            cpu.parameter(shift), nil, cpu.floats(from), cpu.floats(to), cpu.gradient(scale), cpu.gradient(shift), nil)
    }
}
