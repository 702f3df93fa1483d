/// What a network is told at its construction, as a file's metadata says it, and the network itself.
package protocol NetworkDescription: Hashable, Sendable {
    /// The network as the description says it.
    var plainGraph: Graph { get }
    /// The network, rewritten for speed.
    var graph: Graph { get }
    /// The description as it stands in a safetensors file's metadata.
    var metadata: [String: String] { get }
    /// Reads it back.
    ///
    /// - Throws: `ModelError.invalidConfiguration` naming the key that is missing or says something else.
    init(metadata: [String: String]) throws
}

extension NetworkDescription {
    package var graph: Graph { plainGraph.rewritten() }
}

extension UNetConfiguration: NetworkDescription {}

/// A network in two dimensions that can be a part of another one.
package protocol FlatNetworkDescription: NetworkDescription {
    var inChannels: Int { get }
    /// Appends its layers.
    ///
    /// - Parameters:
    ///   - prefix: of its parameters' names.
    /// - Returns: what it gives, before rewritings.
    func append(to graph: inout Graph, input: Graph.Value, prefix: String) -> Graph.Value
}

extension FlatNetworkDescription {
    package var plainGraph: Graph {
        var graph = Graph(inputChannels: inChannels, isFlat: true)
        graph.output = append(to: &graph, input: graph.input, prefix: "")
        return graph
    }
}
