import ModelCore
import Numerics

/// Networks from their files.
enum LiverReplicas {
    /// The two networks of a replica. Those of different replicas would answer, too, and nobody would see it.
    /// - Throws: `RecipeError.inputRefused` where one is missing, or they were not trained one on the other.
    static func pair(
        _ inputs: [RecipeInput], number: Int, preset: LiverPreset
    ) throws -> (Model<RestoringNetwork>, Model<DiscriminativeUNetConfiguration>) {
        let restorer = try file(inputs, role: "restorer", number: number)
        let segmenter = try file(inputs, role: "replica", number: number)
        let belong = restorer.metadata["step"] == "restore" && segmenter.metadata["step"] == "segment"
            && ["seed", "replica", "preset"].allSatisfy { restorer.metadata[$0] == segmenter.metadata[$0] }
        guard belong else {
            throw RecipeError.inputRefused("\(restorer.name) and \(segmenter.name) were not trained one on the other; "
                + "give the files of one run as quintet train wrote them")
        }
        return (
            try model(restorer, network: preset.restorer()), try model(segmenter, network: preset.segmenter())
        )
    }

    /// - Parameter number: among the inputs of its role.
    /// - Throws: `RecipeError.inputRefused` where it is missing.
    static func file(_ inputs: [RecipeInput], role: String, number: Int) throws -> SafeTensors {
        let files = inputs.filter { $0.role == role }
        guard files.indices.contains(number) else {
            throw RecipeError.inputRefused("the weights of replica \(number) are missing; train the run to its end")
        }
        do {
            return try SafeTensors(bytes: try InputFile.bytes(files[number]), name: files[number].name)
        } catch let error as ModelError {
            throw RecipeError.inputRefused("\(error)")
        }
    }

    /// - Throws: `RecipeError.inputRefused` where the file is another network's.
    static func model<Network: NetworkDescription>(_ file: SafeTensors, network: Network) throws -> Model<Network> {
        let model = Model(configuration: network, name: file.name)
        do {
            try model.load(file)
        } catch let error as ModelError {
            throw RecipeError.inputRefused("\(error)")
        }
        return model
    }
}

/// Stage 1, frozen: restores slices for stage 2.
final class LiverRestorer {
    private let predictor: Predictor<RestoringNetwork>
    private let sliceCount: Int

    /// - Parameter sliceCount: of each call.
    init(
        _ model: Model<RestoringNetwork>, preset: LiverPreset, sliceCount: Int, pool: ThreadPool
    ) throws {
        self.sliceCount = sliceCount
        predictor = try Predictor(model: model, shape: preset.shape(sliceCount: sliceCount), pool: pool)
    }

    func load(_ model: Model<RestoringNetwork>) { predictor.load(model) }

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
