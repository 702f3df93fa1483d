import ModelCore
import Numerics
import SynthData

/// A small fixed computation through what this recipe's weights and votes come from: anomalies of every kind, a step of
/// both networks and an answer of each. All numbers enter with all their bits.
enum LiverProof {
    private static let size = 32, sliceCount = 2

    static func bytes(pool: ThreadPool) throws -> [UInt8] {
        var proof = ProofBytes()
        var random = RandomKey(seed: 1, purpose: .phantomNoise).stream(0)
        var noise = [Float](repeating: 0, count: 2 * sliceCount * size * size)
        noise.withUnsafeMutableBufferPointer { random.fill($0) }
        let slice = noise.prefix(size * size).map { UInt8($0 * 255) }
        for filling in PseudoAnomalySettings.Filling.allCases {
            var settings = PseudoAnomalySettings(size: size), sample = PseudoAnomalySample()
            settings.filling = filling
            if filling == .shift { settings.noise = .uniformIntegers }
            slice.withUnsafeBufferPointer {
                PseudoAnomalyGenerator(settings: settings).makeSample(
                    slice: $0, key: LesionKey(seed: 1, iteration: 3), into: &sample,
                    workspace: PseudoAnomalyWorkspace())
            }
            proof.add(sample.image)
            proof.add(sample.mask)
        }
        let half = Array(noise.prefix(noise.count / 2)), classes = half.map { UInt8($0 > 0.8 ? 1 : 0) }
        try add(
            DenoisingUNetConfiguration(widths: [16, 32]), .absolute, input: half, to: &proof, pool: pool
        ) { trainer, input in
            half.withUnsafeBufferPointer { trainer.accumulate(input: input, image: $0, batchCount: 1).loss }
        }
        try add(
            DiscriminativeUNetConfiguration(baseChannels: 4), .focal, input: noise, to: &proof, pool: pool
        ) { trainer, input in
            classes.withUnsafeBufferPointer { trainer.accumulate(input: input, target: $0, batchCount: 1).loss }
        }
        return proof.bytes
    }

    private static func add<Network: NetworkDescription>(
        _ network: Network, _ loss: TrainingLoss, input: [Float], to proof: inout ProofBytes, pool: ThreadPool,
        accumulate: (Trainer<Network>, UnsafeBufferPointer<Float>) -> Double
    ) throws {
        let model = Model(configuration: network)
        model.initialise(seed: 1, replica: 0)
        let shape = TensorShape3D(depth: sliceCount, height: size, width: size)
        let trainer = try Trainer(model: model, shape: shape, loss: loss, learningRate: 1e-3, pool: pool)
        trainer.zeroGradients()
        proof.add([input.withUnsafeBufferPointer { accumulate(trainer, $0) }])
        trainer.update()
        let trained = trainer.model()
        proof.add(trained.values)
        let predictor = try Predictor(model: trained, shape: shape, pool: pool)
        proof.add(input.withUnsafeBufferPointer { predictor.logits(input: $0) })
    }
}
