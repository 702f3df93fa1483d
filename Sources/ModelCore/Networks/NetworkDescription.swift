/// What a network is told at its construction, as a file's metadata says it, and the network itself.
package protocol NetworkDescription: Hashable, Sendable {
    /// The network, rewritten for speed.
    var graph: Graph { get }
    /// The description as it stands in a safetensors file's metadata.
    var metadata: [String: String] { get }
    /// Reads it back.
    ///
    /// - Throws: `ModelError.invalidConfiguration` naming the key that is missing or says something else.
    init(metadata: [String: String]) throws
}

extension UNetConfiguration: NetworkDescription {}
