import CKernels

/// A place in a backend's memory, in floats. What stands there is the backend's business: nothing outside it may
/// turn this into a pointer.
struct MemoryRegion: Hashable, Sendable {
    var offset: Int
    var count: Int
}

/// Where a program runs. The CPU's is the only one so far; operations hold handles, never host pointers, and copies in
/// and out are explicit, so that a device's can stand beside it.
///
/// The memory is one block, zeroed at first, planned ahead for a network and a size (`MemoryPlan`).
protocol Backend: AnyObject {
    /// What a checkpoint's provenance says: "cpu".
    var name: String { get }
    var plan: MemoryPlan { get }

    func upload(_ values: UnsafeBufferPointer<Float>, to region: MemoryRegion)
    func upload(classes: UnsafeBufferPointer<UInt8>)
    func download(_ region: MemoryRegion, to values: UnsafeMutableBufferPointer<Float>)
    func fill(_ region: MemoryRegion, with value: Float)

    /// plain [C, D, H, W] of `size` into a value at least as large, zeros around it; and back. Of a network in two
    /// dimensions [N, C, H, W], of the value's own size.
    func importValue(_ plain: UnsafePointer<Float>, size: TensorShape3D, to view: ValueView)
    func exportValue(_ view: ValueView, size: TensorShape3D, to plain: UnsafeMutablePointer<Float>)

    /// Rearranges the weights for the kernels; needed after every change of theirs.
    func packWeights()
    /// What the loss's gradient is multiplied by.
    var lossScale: Double { get set }
    /// What the loss has found last.
    var lossFigures: quintet_loss_figures? { get set }
    func run(_ operation: any Operation)
    func softmax(
        _ logits: ValueView, size: TensorShape3D, chosen: Int, to probability: UnsafeMutablePointer<Float>)
    /// One Adam step of all parameters.
    func adam(learningRate: Float, step: Int)
}
