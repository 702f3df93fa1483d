import Numerics

/// A network of any kind with its weights, from a file that says what it is.
package protocol ExportableModel: AnyObject {
    var name: String { get }
    /// Channels that go in.
    var inputChannels: Int { get }
    /// Channels that come out.
    var outputChannels: Int { get }
    /// Whether it is one in two dimensions.
    var isFlat: Bool { get }

    /// - Throws: `ModelError.unsuitableShape`.
    func onnx(_ description: ONNXDescription) throws -> [UInt8]

    /// What the program itself answers to one sample [C, D, H, W], or [C, H, W].
    /// - Throws: `ModelError.unsuitableShape`, `.outOfMemory`.
    func logits(of sample: [Float], shape: TensorShape3D, pool: ThreadPool) throws -> [Float]
}

extension Model: ExportableModel {
    private var graph: Graph { configuration.plainGraph }

    package var inputChannels: Int { graph.channels(graph.input) }
    package var outputChannels: Int { graph.channels(graph.output) }
    package var isFlat: Bool { graph.isFlat }

    package func logits(of sample: [Float], shape: TensorShape3D, pool: ThreadPool) throws -> [Float] {
        try sample.withUnsafeBufferPointer {
            try Predictor(model: self, shape: shape, pool: pool).logits(input: $0)
        }
    }
}

extension SafeTensors {
    /// The network that the metadata describe, of all that there are.
    ///
    /// - Throws: `ModelError` naming the file and what does not fit.
    package func model() throws -> any ExportableModel {
        let restorer = metadata["restorer.architecture"]
        switch restorer ?? metadata["architecture"] {
        case "denoising.UNet":
            return restorer != nil ? try Model<RestoringSegmenter<DenoisingUNetConfiguration>>(file: self)
                : try Model<DenoisingUNetConfiguration>(file: self)
        case ReconstructiveAutoencoderConfiguration.architecture:
            return restorer != nil ? try Model<RestoringSegmenter<ReconstructiveAutoencoderConfiguration>>(file: self)
                : try Model<ReconstructiveAutoencoderConfiguration>(file: self)
        case "DRAEM.DiscriminativeSubNetwork": return try Model<DiscriminativeUNetConfiguration>(file: self)
        default: return try UNetModel(file: self)
        }
    }
}
