import ModelCore

/// What restores slices in stage 1: the paper's U-Net, or DRAEM's autoencoder (liver paper, Table 2 and Fig. 4).
package enum RestoringNetwork: FlatNetworkDescription {
    case unet(DenoisingUNetConfiguration)
    case autoencoder(ReconstructiveAutoencoderConfiguration)

    /// As options and configurations name them.
    package enum Kind: String, Codable, CaseIterable, Sendable {
        case unet, autoencoder
    }

    private var own: any FlatNetworkDescription {
        switch self {
        case .unet(let network): network
        case .autoencoder(let network): network
        }
    }

    package var inChannels: Int { own.inChannels }
    package var metadata: [String: String] { own.metadata }

    package init(metadata: [String: String]) throws {
        self = metadata["architecture"] == ReconstructiveAutoencoderConfiguration.architecture
            ? .autoencoder(try ReconstructiveAutoencoderConfiguration(metadata: metadata))
            : .unet(try DenoisingUNetConfiguration(metadata: metadata))
    }

    package func append(to graph: inout Graph, input: Graph.Value, prefix: String) -> Graph.Value {
        own.append(to: &graph, input: input, prefix: prefix)
    }
}
