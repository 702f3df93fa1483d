import ModelCore
import Numerics

/// Networks from their files.
enum LiverReplicas {
    /// - Parameter number: among the inputs of its role.
    /// - Throws: `RecipeError.inputRefused` where it is missing, or is another network's.
    static func model<Network: NetworkDescription>(
        _ inputs: [RecipeInput], role: String, number: Int, network: Network
    ) throws -> Model<Network> {
        let files = inputs.filter { $0.role == role }
        guard files.indices.contains(number) else {
            throw RecipeError.inputRefused("the weights of replica \(number) are missing; train the run to its end")
        }
        let model = Model(configuration: network, name: files[number].name)
        do {
            try model.load(SafeTensors(bytes: try InputFile.bytes(files[number]), name: files[number].name))
        } catch let error as ModelError {
            throw RecipeError.inputRefused("\(error)")
        }
        return model
    }
}

/// Stage 1, frozen: restores slices for stage 2.
final class LiverRestorer {
    private let predictor: Predictor<DenoisingUNetConfiguration>
    private let sliceCount: Int

    /// - Parameter sliceCount: of each call.
    init(
        _ model: Model<DenoisingUNetConfiguration>, preset: LiverPreset, sliceCount: Int, pool: ThreadPool
    ) throws {
        self.sliceCount = sliceCount
        predictor = try Predictor(model: model, shape: preset.shape(sliceCount: sliceCount), pool: pool)
    }

    func load(_ model: Model<DenoisingUNetConfiguration>) { predictor.load(model) }

    /// - Parameter given: [N, 1, H, W], 0 to 1.
    /// - Returns: [N, 2, H, W]: restored, given.
    func pairs(_ given: [Float]) -> [Float] {
        let restored = given.withUnsafeBufferPointer { predictor.logits(input: $0) }
        let count = given.count / sliceCount
        var pairs: [Float] = []
        pairs.reserveCapacity(2 * given.count)
        for slice in 0..<sliceCount {
            let range = slice * count..<(slice + 1) * count
            pairs += restored[range]
            pairs += given[range]
        }
        return pairs
    }
}
