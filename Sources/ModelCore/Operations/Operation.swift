import CKernels

/// One step of a network's computation: what it reads and writes, what it needs, what people call it, and how the CPU
/// computes it. Forward and backward are lists of these, made once for a network and a size: so memory is planned
/// ahead. A file for each.
protocol Operation: Sendable {
    /// Everything read or written.
    var views: [ValueView] { get }
    /// Floats of memory that it uses while it runs.
    func scratchFloats(_ program: NetworkProgram) -> Int
    func description(_ program: NetworkProgram, isBackward: Bool) -> OperationDescription
    func work(_ program: NetworkProgram) -> OperationWork
    func kind(_ program: NetworkProgram) -> OperationKind
    func compute(on cpu: CPUBackend)
}

extension Operation {
    func scratchFloats(_ program: NetworkProgram) -> Int { 0 }
}

extension ValueView {
    /// Floats of scratch of what sums up a tensor in double.
    var sumScratchFloats: Int { 2 * Int(quintet_sum_scratch(layout)) }
    var sizeText: String { "\(layout.depth)x\(layout.height)x\(layout.width)" }

    func description(_ what: String) -> OperationDescription {
        OperationDescription(what: what, layer: "\(layout.channels)", size: sizeText)
    }

    /// Bytes of so many passes over it, channels padded to whole blocks.
    func byteCount(passes: Int) -> Double {
        let channels = layout.blockCount * (layout.planar != 0 ? 1 : 16)
        let voxels = Double(layout.depth) * Double(layout.height) * Double(layout.width)
        return voxels * Double(channels * passes * MemoryLayout<Float>.stride)
    }
}
