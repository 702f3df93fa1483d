import CKernels
import Numerics

/// Programs on this machine's processors, through the kernels of CKernels.
final class CPUBackend: Backend {
    let name = "cpu"
    let plan: MemoryPlan
    var lossScale = 1.0
    var lossFigures: quintet_loss_figures?
    private let threads: ThreadPool
    private let memory: UnsafeMutablePointer<Float>

    /// - Throws: `ModelError.outOfMemory`.
    init(plan: MemoryPlan, pool: ThreadPool) throws(ModelError) {
        let byteCount = plan.floatCount * MemoryLayout<Float>.stride
        guard let block = quintet_arena_create(byteCount) else { throw .outOfMemory(byteCount: byteCount) }
        self.plan = plan
        threads = pool
        memory = block.bindMemory(to: Float.self, capacity: plan.floatCount)
    }

    deinit { quintet_arena_destroy(memory) }

    // MARK: What operations ask for

    var pool: OpaquePointer { threads.handle }
    var scratch: UnsafeMutablePointer<Float> { at(plan.scratch) }
    var doubles: UnsafeMutablePointer<Double> {
        UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: Double.self)
    }
    var targetClasses: UnsafePointer<UInt8> { UnsafeRawPointer(at(plan.target)).assumingMemoryBound(to: UInt8.self) }

    func floats(_ view: ValueView) -> UnsafeMutablePointer<Float> { memory + plan.offset(view) }
    func layout(_ view: ValueView) -> quintet_layout { plan.layout(view) }
    func statistics(_ index: Int) -> UnsafeMutablePointer<Float> { at(plan.statistics[index]) }
    func region(_ index: Int) -> UnsafeMutablePointer<Float> { at(plan.regions[index]) }
    func parameter(_ index: Int) -> UnsafeMutablePointer<Float> { at(plan.parameter(index, of: plan.weights)) }
    func gradient(_ index: Int) -> UnsafeMutablePointer<Float> { at(plan.parameter(index, of: plan.gradients)) }

    func packed(_ layer: Int, _ direction: ConvolutionDirection) -> UnsafeMutablePointer<Float> {
        at(direction == .forward ? plan.packedForward[layer] : plan.packedTransposed[layer])
    }

    /// What a convolution is computed with, not packed: parameters, or what is made of them.
    func weights(_ layer: Int) -> UnsafeMutablePointer<Float> {
        let layer = plan.program.layers[layer]
        return layer.standardised.map(region) ?? parameter(layer.weight)
    }

    /// A convolution's shape with the gaps of its operands of this time.
    func shape(_ layer: Int, fine: ValueView, coarse: ValueView) -> quintet_convolution {
        var shape = plan.program.layers[layer].shape
        shape.fine.gap = layout(fine).gap
        shape.coarse.gap = layout(coarse).gap
        return shape
    }

    private func at(_ region: MemoryRegion) -> UnsafeMutablePointer<Float> {
        precondition(region.offset >= 0 && region.offset + region.count <= plan.floatCount)
        return memory + region.offset
    }

    /// What a loss came to. Of several the sum, with what the last one tells of classes.
    func report(_ figures: quintet_loss_figures) {
        let before = lossFigures?.loss ?? 0
        lossFigures = figures
        lossFigures?.loss += before
    }

    // MARK: Backend

    func run(_ operation: any Operation) { operation.compute(on: self) }

    func upload(_ values: UnsafeBufferPointer<Float>, to region: MemoryRegion) {
        precondition(values.count == region.count)
        if let base = values.baseAddress { at(region).update(from: base, count: values.count) }
    }

    func upload(classes: UnsafeBufferPointer<UInt8>) {
        precondition(classes.count <= plan.target.count * MemoryLayout<Float>.stride)
        UnsafeMutableRawBufferPointer(start: at(plan.target), count: classes.count).copyMemory(from: .init(classes))
    }

    func download(_ region: MemoryRegion, to values: UnsafeMutableBufferPointer<Float>) {
        precondition(values.count == region.count)
        values.baseAddress?.update(from: at(region), count: region.count)
    }

    func fill(_ region: MemoryRegion, with value: Float) { quintet_fill(pool, region.count, value, at(region)) }

    func importValue(_ plain: UnsafePointer<Float>, size: TensorShape3D, to view: ValueView) {
        guard view.layout.flat == 0 else {
            precondition(size == plan.shape(view))
            return quintet_samples_import(pool, layout(view), plain, floats(view))
        }
        quintet_import(
            pool, layout(view), Int32(size.depth), Int32(size.height), Int32(size.width), plain, floats(view))
    }

    func exportValue(_ view: ValueView, size: TensorShape3D, to plain: UnsafeMutablePointer<Float>) {
        guard view.layout.flat == 0 else {
            precondition(size == plan.shape(view))
            return quintet_samples_export(pool, layout(view), floats(view), plain)
        }
        quintet_export(
            pool, layout(view), Int32(size.depth), Int32(size.height), Int32(size.width), floats(view), plain)
    }

    func packWeights() {
        for (index, layer) in plan.program.layers.enumerated() {
            let weights = weights(index)
            if let standardised = layer.standardised {
                let (rows, count) = plan.rows(of: layer.weight)
                quintet_standardise_weights(pool, rows, count, parameter(layer.weight), region(standardised))
            }
            withUnsafePointer(to: layer.shape) { shape in
                if layer.needsForwardWeights {
                    quintet_pack_weights(
                        pool, shape, Int32(QUINTET_FORWARD), weights, packed(index, .forward))
                }
                if layer.needsTransposedWeights {
                    quintet_pack_weights(
                        pool, shape, Int32(QUINTET_TRANSPOSED), weights, packed(index, .transposed))
                }
            }
        }
    }

    func softmax(
        _ logits: ValueView, size: TensorShape3D, chosen: Int, to probability: UnsafeMutablePointer<Float>
    ) {
        quintet_softmax(
            pool, layout(logits), Int32(size.depth), Int32(size.height), Int32(size.width), floats(logits),
            Int32(chosen), probability)
    }

    func adam(learningRate: Float, step: Int) {
        quintet_adam(
            pool, plan.weights.count, Double(learningRate), 0.9, 0.999, 1e-8, Int64(step), at(plan.gradients),
            at(plan.means), at(plan.squares), at(plan.weights))
    }
}
