// Rewritings of a network's layers that give the same numbers in fewer passes over memory. What each brings is in
// docs/BENCHMARKS.md.

/// One of them, by its name.
public enum Rewriting: String, CaseIterable, Sendable {
    case residualsInNorms = "residuals-in-norms"
    case joinedConvolutions = "joined-convolutions"
}

extension Graph {
    /// - Parameter without: left out, to measure what they bring.
    package func rewritten(without: Set<Rewriting> = []) -> Graph {
        var graph = self
        if !without.contains(.residualsInNorms) { graph.addResidualsInNorms() }
        if !without.contains(.joinedConvolutions) { graph.joinConvolutions() }
        return graph
    }

    /// A sum whose first term is what a norm gives, and nothing else reads: the norm adds the second one while it
    /// writes.
    private mutating func addResidualsInNorms() {
        let readers = readers
        var layers: [(any Layer)?] = self.layers
        for (place, layer) in self.layers.enumerated() {
            guard let sum = layer as? AdditionLayer, readers[sum.first.number].count == 1,
                let source = self.layers[..<place].lastIndex(where: { $0.outputs.contains(sum.first) }),
                var norm = self.layers[source] as? NormActivationLayer, norm.residual == nil
            else { continue }
            (norm.residual, norm.output) = (sum.second, sum.output)
            (layers[source], layers[place]) = (nil, norm)
        }
        replace(layers.compactMap { $0 })
    }

    /// Convolutions that read the same, the first of them normed: a residual unit's first one and the one on its
    /// residual path. Their weights lie one behind the other, and where both have one kernel and stride they are one
    /// convolution to the channels of both. At stride 1 they have different kernels.
    private mutating func joinConvolutions() {
        var layers: [(any Layer)?] = self.layers, followers: [Int: Int] = [:]
        for (place, layer) in self.layers.enumerated() {
            guard let first = layer as? ConvolutionLayer, first.isNormed(in: self), layers[place] != nil,
                let other = self.layers[(place + 1)...].firstIndex(where: { first.isBeside($0) }),
                let second = self.layers[other] as? ConvolutionLayer, !second.isNormed(in: self)
            else { continue }
            followers[first.weight] = second.weight
            followers[first.bias!] = second.bias!
            guard first.kernel == second.kernel, first.stride == second.stride else { continue }
            (layers[place], layers[other]) = (JoinedConvolutionLayer(first: first, second: second), nil)
        }
        replace(layers.compactMap { $0 })
        parameters.place(followers)
    }
}

extension ConvolutionLayer {
    fileprivate func isNormed(in graph: Graph) -> Bool {
        graph.layers.contains { ($0 as? NormActivationLayer)?.input == output }
    }

    /// Whether both read the same, as they are, and have biases.
    fileprivate func isBeside(_ other: any Layer) -> Bool {
        guard let other = other as? ConvolutionLayer else { return false }
        func isPlain(_ layer: ConvolutionLayer) -> Bool {
            layer.bias != nil && !layer.isTransposed && !layer.isMirrored && !layer.isStandardised
        }
        return other.input == input && isPlain(self) && isPlain(other)
    }
}
