/// Two networks in one: the first restores an image, the second segments what it is given and what was restored of it
/// (DRAEM, and the liver paper without its two stages). Its parameters are theirs, with "restorer." and "segmenter."
/// before their names.
package struct RestoringSegmenter<Restorer: FlatNetworkDescription>: NetworkDescription {
    package let restorer: Restorer
    package let segmenter: DiscriminativeUNetConfiguration

    /// - Parameters:
    ///   - restorer: from one channel to one.
    ///   - segmenter: from two channels: restored, given.
    package init(restorer: Restorer, segmenter: DiscriminativeUNetConfiguration) {
        (self.restorer, self.segmenter) = (restorer, segmenter)
    }

    package static var restorerPrefix: String { "restorer." }
    package static var segmenterPrefix: String { "segmenter." }

    package var metadata: [String: String] {
        var metadata: [String: String] = [:]
        for (prefix, own) in [
            (Self.restorerPrefix, restorer.metadata), (Self.segmenterPrefix, segmenter.metadata),
        ] { for (key, value) in own { metadata[prefix + key] = value } }
        return metadata
    }

    package init(metadata: [String: String]) throws {
        func own(_ prefix: String) -> [String: String] {
            Dictionary(uniqueKeysWithValues: metadata.filter { $0.key.hasPrefix(prefix) }.map {
                (String($0.key.dropFirst(prefix.count)), $0.value)
            })
        }
        try self.init(
            restorer: Restorer(metadata: own(Self.restorerPrefix)),
            segmenter: DiscriminativeUNetConfiguration(metadata: own(Self.segmenterPrefix)))
    }

    package var plainGraph: Graph {
        var graph = Graph(inputChannels: restorer.inChannels, isFlat: true)
        let given = graph.copy(graph.input)
        let restored = restorer.append(to: &graph, input: graph.input, prefix: Self.restorerPrefix)
        graph.image = restored
        graph.output = segmenter.append(
            to: &graph, input: graph.concatenation(restored, given), prefix: Self.segmenterPrefix)
        return graph
    }
}
