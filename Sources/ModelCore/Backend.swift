import CKernels

/// A place in a backend's memory, in floats. What stands there is the backend's business: nothing outside it may
/// turn this into a pointer.
package struct MemoryRegion: Hashable, Sendable {
    package var offset: Int
    package var count: Int
}

/// A tensor in a backend's memory: [C, D, H, W] in one of the layouts of `quintet_network.h`.
package struct Tensor: Sendable {
    package var offset: Int
    package var layout: quintet_layout
}

/// A convolution with the places of everything it needs. `fine` is the larger side; a transposed layer runs from
/// coarse to fine.
package struct Convolution: Sendable {
    package var shape: quintet_convolution
    package var weights: MemoryRegion
    package var packedForward: MemoryRegion
    package var packedTransposed: MemoryRegion

    /// The shape with the gaps of its operands of this time.
    func shape(fine: Tensor, coarse: Tensor) -> quintet_convolution {
        var result = shape
        result.fine.gap = fine.layout.gap
        result.coarse.gap = coarse.layout.gap
        return result
    }
}

/// What the norm behind a convolution wants to know of its result: mean and 1/sqrt(variance + 1e-5) of every channel.
package struct ResultStatistics: Sendable {
    /// Of the result, or of the first of its two parts.
    package var layout: quintet_layout
    package var statistics: MemoryRegion
    package var scratch: MemoryRegion
}

/// The table of operations that compute. The CPU's is the only one so far; layers hold handles, never host pointers,
/// and copies in and out are explicit, so that a device's can stand beside it.
///
/// The memory is one block, zeroed at first, planned ahead for a network and a size (`MemoryPlan`).
package protocol Backend: AnyObject {
    /// What a checkpoint's provenance says: "cpu".
    var name: String { get }

    func upload(_ values: UnsafeBufferPointer<Float>, to region: MemoryRegion)
    func upload(classes: UnsafeBufferPointer<UInt8>, to region: MemoryRegion)
    func download(_ region: MemoryRegion, to values: UnsafeMutableBufferPointer<Float>)
    func fill(_ region: MemoryRegion, with value: Float)

    /// plain [C, D, H, W] of `size` into a tensor at least as large, zeros around it; and back.
    func importTensor(_ plain: UnsafePointer<Float>, size: TensorShape3D, to tensor: Tensor)
    func exportTensor(_ tensor: Tensor, size: TensorShape3D, to plain: UnsafeMutablePointer<Float>)

    func pack(_ convolution: Convolution, direction: ConvolutionDirection)
    func convolve(
        _ convolution: Convolution, _ direction: ConvolutionDirection, from: Tensor, bias: MemoryRegion?, to: Tensor,
        accumulate: Bool, statistics: ResultStatistics?)
    func weightGradient(
        _ convolution: Convolution, fine: Tensor, coarse: Tensor, scratch: MemoryRegion, to gradient: MemoryRegion)
    func biasGradient(_ tensor: Tensor, scratch: MemoryRegion, to gradient: MemoryRegion)
    func normActivate(
        _ tensor: Tensor, statistics: MemoryRegion, slope: MemoryRegion, residual: Tensor?, to: Tensor)
    func normActivateGradient(
        _ tensor: Tensor, statistics: MemoryRegion, slope: MemoryRegion, from gradient: Tensor, scratch: MemoryRegion,
        to: Tensor, slopeGradient: MemoryRegion)
    func add(_ tensor: Tensor, to: Tensor)
    func diceCrossEntropy(
        logits: Tensor, target: MemoryRegion, scale: Double, scratch: MemoryRegion, gradient: Tensor
    ) -> quintet_loss_figures
    func softmax(
        _ logits: Tensor, size: TensorShape3D, chosen: Int, to probability: UnsafeMutablePointer<Float>)
    func adam(
        weights: MemoryRegion, gradient: MemoryRegion, mean: MemoryRegion, square: MemoryRegion, learningRate: Float,
        step: Int)
}

package enum ConvolutionDirection: Int32, Sendable {
    /// Fine to coarse.
    case forward = 0
    /// Coarse to fine: a transposed layer's forward, another layer's gradient.
    case transposed = 1
}
