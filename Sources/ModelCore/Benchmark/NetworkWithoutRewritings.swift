/// A network with some rewritings left out: the same numbers, in the time that they save.
struct NetworkWithoutRewritings<Network: NetworkDescription>: NetworkDescription {
    private let network: Network
    private let without: Set<Rewriting>

    init(_ network: Network, without: Set<Rewriting>) { (self.network, self.without) = (network, without) }
    init(metadata: [String: String]) throws { self.init(try Network(metadata: metadata), without: []) }

    var plainGraph: Graph { network.plainGraph }
    var graph: Graph { plainGraph.rewritten(without: without) }
    var metadata: [String: String] { network.metadata }
}
