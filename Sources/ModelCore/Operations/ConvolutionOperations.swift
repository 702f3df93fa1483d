import CKernels

enum ConvolutionDirection: Int32, Sendable {
    /// Fine to coarse.
    case forward = 0
    /// Coarse to fine: a transposed layer's forward, another layer's gradient.
    case transposed = 1
}

/// A convolution's result, or the gradient of its input.
struct Convolve: Operation {
    var layer: Int
    var direction: ConvolutionDirection
    var from: ValueView
    var bias: Int?
    var to: ValueView
    /// Whether it is added to what stands there.
    var accumulate: Bool
    /// Those of the norm behind it, summed up while the result is written; of its first part where it has two.
    var statistics: Int?

    var views: [ValueView] { [from, to] }

    func scratchFloats(_ program: NetworkProgram) -> Int {
        guard let statistics else { return 0 }
        var shape = program.layers[layer].shape
        return 2 * Int(quintet_result_scratch(&shape, direction.rawValue, program.statistics[statistics]))
    }

    func description(_ program: NetworkProgram, isBackward: Bool) -> OperationDescription {
        program.description(isBackward ? "data gradient" : "convolution", layer, to)
    }

    func work(_ program: NetworkProgram) -> OperationWork {
        program.work(layer, direction.rawValue, from.byteCount(passes: 1) + to.byteCount(passes: accumulate ? 2 : 1))
    }

    func kind(_ program: NetworkProgram) -> OperationKind {
        var traits = bias == nil ? [] : ["bias"]
        let shape = program.layers[layer].shape
        if accumulate { traits.append("added") }
        if statistics != nil {
            let isSummed = withUnsafePointer(to: shape) { quintet_result_is_summed($0, direction.rawValue) != 0 }
            traits.append(isSummed ? "statistics on the way" : "statistics afterwards")
        }
        let words = direction == .forward ? "forward" : "transposed"
        return OperationKind(words, shape, direction.rawValue, from, to, traits)
    }

    func compute(on cpu: CPUBackend) {
        let kernel = direction == .forward ? quintet_convolve : quintet_convolve_transposed
        let (fine, coarse) = direction == .forward ? (from, to) : (to, from)
        let packed = cpu.packed(layer, direction), biases = bias.map(cpu.parameter)
        withUnsafePointer(to: cpu.shape(layer, fine: fine, coarse: coarse)) { shape in
            guard let statistics else {
                if direction == .forward { cpu.mirror(from, for: shape.pointee) }
                kernel(cpu.pool, shape, cpu.floats(from), packed, biases, cpu.floats(to), accumulate ? 1 : 0, nil)
                if direction == .forward { cpu.clearHalo(from, for: shape.pointee) }
                // What reached the halo belongs to where that was mirrored from.
                if direction == .transposed, shape.pointee.mirrored != 0 {
                    quintet_mirror_gradient(
                        cpu.pool, shape, cpu.floats(from), cpu.weights(layer), cpu.floats(to))
                }
                return
            }
            var wanted = quintet_result_statistics(
                layout: cpu.plan.program.statistics[statistics], statistics: cpu.statistics(statistics),
                scratch: cpu.doubles)
            kernel(
                cpu.pool, shape, cpu.floats(from), packed, biases, cpu.floats(to), accumulate ? 1 : 0, &wanted)
        }
    }
}

/// The gradient of a convolution's weights, added to what stands there.
struct WeightGradient: Operation {
    var layer: Int
    var fine: ValueView
    var coarse: ValueView

    var views: [ValueView] { [fine, coarse] }

    func scratchFloats(_ program: NetworkProgram) -> Int {
        var shape = program.layers[layer].shape
        return Int(quintet_gradient_scratch(&shape))
    }

    func description(_ program: NetworkProgram, isBackward: Bool) -> OperationDescription {
        program.description("weight gradient", layer, coarse)
    }

    func work(_ program: NetworkProgram) -> OperationWork {
        program.work(
            layer, Int32(QUINTET_WEIGHT_GRADIENT), fine.byteCount(passes: 1) + coarse.byteCount(passes: 1))
    }

    func kind(_ program: NetworkProgram) -> OperationKind {
        let shape = program.layers[layer].shape
        let slots = withUnsafePointer(to: shape) { quintet_gradient_slots($0) }
        return OperationKind(
            "weight gradient", shape, Int32(QUINTET_WEIGHT_GRADIENT), fine, coarse, [], isInParts: slots > 1)
    }

    func compute(on cpu: CPUBackend) {
        let described = cpu.plan.program.layers[layer], weight = described.weight
        let standardised = described.standardisedGradient.map(cpu.region)
        let (rows, count) = cpu.plan.rows(of: weight)
        if let standardised { quintet_fill(cpu.pool, Int(rows) * Int(count), 0, standardised) }
        withUnsafePointer(to: cpu.shape(layer, fine: fine, coarse: coarse)) {
            cpu.mirror(fine, for: $0.pointee)
            quintet_weight_gradient(
                cpu.pool, $0, cpu.floats(fine), cpu.floats(coarse), cpu.scratch, standardised ?? cpu.gradient(weight))
            cpu.clearHalo(fine, for: $0.pointee)
        }
        guard let standardised else { return }
        quintet_standardise_weights_gradient(
            cpu.pool, rows, count, cpu.parameter(weight), standardised, cpu.gradient(weight))
    }
}

/// The gradient of a bias, added to what stands there.
struct BiasGradient: Operation {
    var gradient: ValueView
    var parameter: Int

    init(of gradient: ValueView, parameter: Int) { (self.gradient, self.parameter) = (gradient, parameter) }

    var views: [ValueView] { [gradient] }
    func scratchFloats(_ program: NetworkProgram) -> Int { gradient.sumScratchFloats }

    func description(_ program: NetworkProgram, isBackward: Bool) -> OperationDescription {
        gradient.description("bias gradient")
    }

    func work(_ program: NetworkProgram) -> OperationWork { OperationWork(byteCount: gradient.byteCount(passes: 1)) }
    func kind(_ program: NetworkProgram) -> OperationKind { OperationKind("bias gradient", gradient) }

    func compute(on cpu: CPUBackend) {
        let layout = cpu.layout(gradient)
        quintet_bias_gradient(cpu.pool, layout, cpu.floats(gradient), cpu.doubles, cpu.gradient(parameter))
    }
}

extension CPUBackend {
    /// Memory is shared with values whose halo is zero: what is mirrored stands there for one operation.
    fileprivate func mirror(_ view: ValueView, for shape: quintet_convolution) {
        if shape.mirrored != 0 { quintet_mirror(pool, layout(view), floats(view)) }
    }

    fileprivate func clearHalo(_ view: ValueView, for shape: quintet_convolution) {
        if shape.mirrored != 0 { quintet_clear_halo(pool, layout(view), floats(view)) }
    }
}

extension NetworkProgram {
    /// Layers that go from coarse to fine in the forward pass.
    private func isTransposed(_ layer: Int) -> Bool {
        operations.prefix(forwardCount).contains {
            guard let convolve = $0 as? Convolve else { return false }
            return convolve.layer == layer && convolve.direction == .transposed
        }
    }

    fileprivate func description(_ what: String, _ layer: Int, _ view: ValueView) -> OperationDescription {
        let shape = layers[layer].shape, isTransposed = isTransposed(layer)
        let (from, to) = (shape.fine.channels, shape.coarse.channels)
        let channels = isTransposed ? "\(to)->\(from)" : "\(from)->\(to)"
        return OperationDescription(
            what: what,
            layer: "\(channels) k\(PerAxis(shape.kernel)) \(isTransposed ? "up" : "s")\(PerAxis(shape.stride))",
            size: view.sizeText)
    }

    fileprivate func work(_ layer: Int, _ direction: Int32, _ byteCount: Double) -> OperationWork {
        var shape = layers[layer].shape
        return OperationWork(
            directOperations: 2 * quintet_direct_multiplications(&shape),
            computedOperations: 2 * quintet_multiplications(&shape, direction), byteCount: byteCount)
    }
}
