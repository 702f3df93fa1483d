import CKernels

/// What an operation of a network does, for reports.
public struct OperationDescription: Codable, Hashable, Sendable {
    /// "convolution", "data gradient", "weight gradient", "norm activate" and so on.
    public var what: String
    /// "16->32 k3 s2" for a convolution from 16 to 32 channels, kernel 3, stride 2, and its gradients; "up2" for a
    /// transposed one that doubles every side; the number of channels for other operations.
    public var layer: String
    /// Voxels of what is written; of the coarse side for a weight gradient.
    public var size: String

    public var text: String { [what, layer, size].joined(separator: " ") }
}

/// What an operation asks of the machine.
public struct OperationWork: Codable, Equatable, Sendable {
    /// Operations of a convolution by its definition: two for each output, input channel and tap. 0 for others.
    public var directOperations = 0.0
    /// Twice the multiplications that the algorithm really does, padding included. 0 for others.
    public var computedOperations = 0.0
    /// Bytes read and written when no pass finds anything in a cache, channels padded to whole blocks.
    public var byteCount = 0.0
}

extension NetworkProgram {
    private var lossIndex: Int { operations.firstIndex { if case .loss = $0 { true } else { false } } ?? .max }

    /// Layers that go from coarse to fine in the forward pass.
    private var transposedLayers: Set<Int> {
        Set(operations.prefix(lossIndex).compactMap {
            if case .convolve(let layer, .transposed, _, _, _, _, _) = $0 { layer } else { nil }
        })
    }

    /// - Parameter index: of an operation; what comes behind the loss is the backward pass.
    func description(_ index: Int) -> OperationDescription {
        func of(_ what: String, _ view: ValueView, _ layer: String? = nil) -> OperationDescription {
            let size = "\(view.layout.depth)x\(view.layout.height)x\(view.layout.width)"
            return OperationDescription(what: what, layer: layer ?? "\(view.layout.channels)", size: size)
        }
        func convolution(_ what: String, _ layer: Int, _ view: ValueView) -> OperationDescription {
            let shape = layers[layer].shape, isTransposed = transposedLayers.contains(layer)
            let (from, to) = (shape.fine.channels, shape.coarse.channels)
            let channels = isTransposed ? "\(to)->\(from)" : "\(from)->\(to)"
            let name = "\(channels) k\(shape.kernel) \(isTransposed ? "up" : "s")\(shape.stride)"
            return of(what, view, name)
        }
        switch operations[index] {
        case .convolve(let layer, _, _, _, let to, _, _):
            return convolution(index < lossIndex ? "convolution" : "data gradient", layer, to)
        case .weightGradient(let layer, _, let coarse): return convolution("weight gradient", layer, coarse)
        case .biasGradient(let view, _): return of("bias gradient", view)
        case .normActivate(let view, _, _, let residual, _):
            return of(residual == nil ? "norm activate" : "norm activate, residual", view)
        case .normActivateGradient(let view, _, _, _, _): return of("norm activate gradient", view)
        case .add(let view, _): return of("add", view)
        case .loss(let view, _): return of("loss", view)
        }
    }

    func work(_ index: Int) -> OperationWork {
        func bytes(_ view: ValueView, _ passes: Int) -> Double {
            let layout = view.layout, blocks = UNetProgram.blocks(layout) * (layout.planar != 0 ? 1 : 16)
            let voxels = Double(layout.depth) * Double(layout.height) * Double(layout.width)
            return voxels * Double(blocks * passes * MemoryLayout<Float>.stride)
        }
        func convolution(_ layer: Int, _ direction: Int32, _ byteCount: Double) -> OperationWork {
            var shape = layers[layer].shape
            return OperationWork(
                directOperations: 2 * quintet_direct_multiplications(&shape),
                computedOperations: 2 * quintet_multiplications(&shape, direction), byteCount: byteCount)
        }
        switch operations[index] {
        case .convolve(let layer, let direction, let from, _, let to, let accumulate, _):
            return convolution(layer, direction.rawValue, bytes(from, 1) + bytes(to, accumulate ? 2 : 1))
        case .weightGradient(let layer, let fine, let coarse):
            return convolution(layer, Int32(QUINTET_WEIGHT_GRADIENT), bytes(fine, 1) + bytes(coarse, 1))
        case .biasGradient(let view, _): return OperationWork(byteCount: bytes(view, 1))
        case .normActivate(let view, _, _, let residual, _):
            return OperationWork(byteCount: bytes(view, residual == nil ? 2 : 3))
        // The sums first, then the gradient: both tensors are read twice.
        case .normActivateGradient(let view, _, _, _, _): return OperationWork(byteCount: bytes(view, 5))
        case .add(let view, _): return OperationWork(byteCount: bytes(view, 3))
        case .loss(let view, _):
            // Logits and classes are read for the sums and again for the gradient.
            let classes = 2 * Double(view.layout.depth) * Double(view.layout.height) * Double(view.layout.width)
            return OperationWork(byteCount: bytes(view, 3) + classes)
        }
    }
}
