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
    /// - Parameter index: of an operation; what comes behind the loss is the backward pass.
    func description(_ index: Int) -> OperationDescription {
        operations[index].description(self, isBackward: index > forwardCount)
    }

    func work(_ index: Int) -> OperationWork { operations[index].work(self) }
}
