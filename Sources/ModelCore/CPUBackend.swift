import CKernels
import Numerics

/// The operations on this machine's processors, through the kernels of CKernels.
package final class CPUBackend: Backend {
    package let name = "cpu"
    private let pool: ThreadPool
    private let memory: UnsafeMutablePointer<Float>
    private let floatCount: Int

    /// - Throws: `ModelError.outOfMemory`.
    package init(pool: ThreadPool, floatCount: Int) throws(ModelError) {
        let byteCount = floatCount * MemoryLayout<Float>.stride
        guard let block = quintet_arena_create(byteCount) else { throw .outOfMemory(byteCount: byteCount) }
        self.pool = pool
        self.floatCount = floatCount
        memory = block.bindMemory(to: Float.self, capacity: floatCount)
    }

    deinit { quintet_arena_destroy(memory) }

    private func at(_ region: MemoryRegion) -> UnsafeMutablePointer<Float> {
        precondition(region.offset >= 0 && region.offset + region.count <= floatCount)
        return memory + region.offset
    }

    private func at(_ tensor: Tensor) -> UnsafeMutablePointer<Float> { memory + tensor.offset }

    private func doubles(_ region: MemoryRegion) -> UnsafeMutablePointer<Double> {
        UnsafeMutableRawPointer(at(region)).assumingMemoryBound(to: Double.self)
    }

    package func upload(_ values: UnsafeBufferPointer<Float>, to region: MemoryRegion) {
        precondition(values.count == region.count)
        if let base = values.baseAddress { at(region).update(from: base, count: values.count) }
    }

    package func upload(classes: UnsafeBufferPointer<UInt8>, to region: MemoryRegion) {
        precondition(classes.count <= region.count * MemoryLayout<Float>.stride)
        UnsafeMutableRawBufferPointer(start: at(region), count: classes.count).copyMemory(from: .init(classes))
    }

    package func download(_ region: MemoryRegion, to values: UnsafeMutableBufferPointer<Float>) {
        precondition(values.count == region.count)
        values.baseAddress?.update(from: at(region), count: region.count)
    }

    package func fill(_ region: MemoryRegion, with value: Float) {
        quintet_fill(pool.handle, region.count, value, at(region))
    }

    package func importTensor(_ plain: UnsafePointer<Float>, size: TensorShape3D, to tensor: Tensor) {
        quintet_import(
            pool.handle, tensor.layout, Int32(size.depth), Int32(size.height), Int32(size.width), plain, at(tensor))
    }

    package func exportTensor(_ tensor: Tensor, size: TensorShape3D, to plain: UnsafeMutablePointer<Float>) {
        quintet_export(
            pool.handle, tensor.layout, Int32(size.depth), Int32(size.height), Int32(size.width), at(tensor), plain)
    }

    package func pack(_ convolution: Convolution, direction: ConvolutionDirection) {
        let packed = direction == .forward ? convolution.packedForward : convolution.packedTransposed
        withUnsafePointer(to: convolution.shape) {
            quintet_pack_weights(pool.handle, $0, direction.rawValue, at(convolution.weights), at(packed))
        }
    }

    package func convolve(
        _ convolution: Convolution, _ direction: ConvolutionDirection, from: Tensor, bias: MemoryRegion?, to: Tensor,
        accumulate: Bool, statistics: ResultStatistics?
    ) {
        let packed = direction == .forward ? convolution.packedForward : convolution.packedTransposed
        let kernel = direction == .forward ? quintet_convolve : quintet_convolve_transposed
        let (fine, coarse) = direction == .forward ? (from, to) : (to, from)
        withUnsafePointer(to: convolution.shape(fine: fine, coarse: coarse)) {
            guard let statistics else {
                return kernel(pool.handle, $0, at(from), at(packed), bias.map(at), at(to), accumulate ? 1 : 0, nil)
            }
            var wanted = quintet_result_statistics(
                layout: statistics.layout, statistics: at(statistics.statistics), scratch: doubles(statistics.scratch))
            kernel(pool.handle, $0, at(from), at(packed), bias.map(at), at(to), accumulate ? 1 : 0, &wanted)
        }
    }

    package func weightGradient(
        _ convolution: Convolution, fine: Tensor, coarse: Tensor, scratch: MemoryRegion, to gradient: MemoryRegion
    ) {
        withUnsafePointer(to: convolution.shape(fine: fine, coarse: coarse)) {
            quintet_weight_gradient(pool.handle, $0, at(fine), at(coarse), at(scratch), at(gradient))
        }
    }

    package func biasGradient(_ tensor: Tensor, scratch: MemoryRegion, to gradient: MemoryRegion) {
        quintet_bias_gradient(pool.handle, tensor.layout, at(tensor), doubles(scratch), at(gradient))
    }

    package func normActivate(
        _ tensor: Tensor, statistics: MemoryRegion, slope: MemoryRegion, residual: Tensor?, to: Tensor
    ) {
        quintet_norm_activate(
            pool.handle, tensor.layout, at(tensor), at(statistics), at(slope), residual.map(at), at(to))
    }

    package func normActivateGradient(
        _ tensor: Tensor, statistics: MemoryRegion, slope: MemoryRegion, from gradient: Tensor, scratch: MemoryRegion,
        to: Tensor, slopeGradient: MemoryRegion
    ) {
        quintet_norm_activate_gradient(
            pool.handle, tensor.layout, at(tensor), at(statistics), at(slope), at(gradient), doubles(scratch), at(to),
            at(slopeGradient))
    }

    package func add(_ tensor: Tensor, to: Tensor) {
        quintet_add(pool.handle, tensor.layout, at(tensor), at(to))
    }

    package func diceCrossEntropy(
        logits: Tensor, target: MemoryRegion, scale: Double, scratch: MemoryRegion, gradient: Tensor
    ) -> quintet_loss_figures {
        var figures = quintet_loss_figures()
        let classes = UnsafeRawPointer(at(target)).assumingMemoryBound(to: UInt8.self)
        quintet_dice_cross_entropy(
            pool.handle, logits.layout, at(logits), classes, scale, doubles(scratch), at(gradient), &figures)
        return figures
    }

    package func softmax(
        _ logits: Tensor, size: TensorShape3D, chosen: Int, to probability: UnsafeMutablePointer<Float>
    ) {
        quintet_softmax(
            pool.handle, logits.layout, Int32(size.depth), Int32(size.height), Int32(size.width), at(logits),
            Int32(chosen), probability)
    }

    package func adam(
        weights: MemoryRegion, gradient: MemoryRegion, mean: MemoryRegion, square: MemoryRegion, learningRate: Float,
        step: Int
    ) {
        quintet_adam(
            pool.handle, weights.count, Double(learningRate), 0.9, 0.999, 1e-8, Int64(step), at(gradient), at(mean),
            at(square), at(weights))
    }
}
