import CKernels

/// Pooling or up-sampling.
struct Resample: Operation {
    var resampling: quintet_resampling
    var kind: ResamplingLayer.Kind
    var from: ValueView
    var to: ValueView

    var views: [ValueView] { [from, to] }
    func description(_ program: NetworkProgram, isBackward: Bool) -> OperationDescription {
        to.description(kind.words)
    }
    func work(_ program: NetworkProgram) -> OperationWork {
        OperationWork(byteCount: from.byteCount(passes: 1) + to.byteCount(passes: 1))
    }
    func kind(_ program: NetworkProgram) -> OperationKind { OperationKind(kind.words, from) }

    func compute(on cpu: CPUBackend) {
        let (fine, coarse) = kind.isPooling ? (from, to) : (to, from)
        var resampling = cpu.resampling(resampling, fine: fine, coarse: coarse)
        let kernel = kind.isPooling ? quintet_pooling : quintet_upsampling
        kernel(cpu.pool, &resampling, kind.number, cpu.floats(from), cpu.floats(to))
    }
}

/// From the gradient of what `Resample` gave to that of what it read.
struct ResampleGradient: Operation {
    var resampling: quintet_resampling
    var kind: ResamplingLayer.Kind
    /// What was pooled; nil where that does not matter.
    var input: ValueView?
    var from: ValueView
    var to: ValueView
    var accumulate: Bool

    var views: [ValueView] { [from, to] + (input.map { [$0] } ?? []) }
    func description(_ program: NetworkProgram, isBackward: Bool) -> OperationDescription {
        to.description(kind.words + " gradient")
    }
    func work(_ program: NetworkProgram) -> OperationWork {
        let passes = (accumulate ? 2 : 1) + (input == nil ? 0 : 1)
        return OperationWork(byteCount: from.byteCount(passes: 1) + to.byteCount(passes: passes))
    }
    func kind(_ program: NetworkProgram) -> OperationKind {
        OperationKind(kind.words + " gradient", from, accumulate ? ["added"] : [])
    }

    func compute(on cpu: CPUBackend) {
        let (fine, coarse) = kind.isPooling ? (to, from) : (from, to)
        var resampling = cpu.resampling(resampling, fine: fine, coarse: coarse)
        if kind.isPooling {
            quintet_pooling_gradient(
                cpu.pool, &resampling, kind.number, input.map(cpu.floats), cpu.floats(from), cpu.floats(to),
                accumulate ? 1 : 0)
        } else {
            quintet_upsampling_gradient(
                cpu.pool, &resampling, kind.number, cpu.floats(from), cpu.floats(to), accumulate ? 1 : 0)
        }
    }
}

extension CPUBackend {
    /// With the gaps of its operands of this time.
    fileprivate func resampling(
        _ resampling: quintet_resampling, fine: ValueView, coarse: ValueView
    ) -> quintet_resampling {
        var result = resampling
        (result.fine, result.coarse) = (layout(fine), layout(coarse))
        return result
    }
}
