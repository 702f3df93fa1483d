import Foundation
import ModelCore
import Numerics
import TestSupport
import Testing

/// A network in two dimensions with what PyTorch makes of it (Goldens/make_flat_goldens.py).
private struct FlatGolden<Network: NetworkDescription> {
    let file: SafeTensors
    let model: Model<Network>
    let shape: TensorShape3D
    let loss: TrainingLoss

    init(_ name: String, _ loss: TrainingLoss) throws {
        let url = try #require(
            Bundle.module.url(forResource: "flat_\(name)", withExtension: "safetensors", subdirectory: "Goldens"))
        file = try SafeTensors(bytes: [UInt8](Data(contentsOf: url)), name: "flat_\(name).safetensors")
        var weights = file
        weights.tensors = weights.tensors.filter { !$0.key.hasPrefix("golden.") }
        model = try Model(file: weights)
        let size = file.tensors["golden.input"]!.shape
        shape = TensorShape3D(depth: size[0], height: size[2], width: size[3])
        self.loss = loss
    }

    func floats(_ name: String) -> [Float] { file.tensors["golden." + name]!.floats()! }

    func trainer(threads: Int = 2) throws -> Trainer<Network> {
        try Trainer(
            model: model, shape: shape, loss: loss, learningRate: 1e-4, pool: ThreadPool(threadCount: threads))
    }

    func accumulate(_ trainer: Trainer<Network>) -> SampleFigures {
        let image = loss == .absolute ? floats("target") : loss == .absoluteAndFocal ? floats("image") : []
        return floats("input").withUnsafeBufferPointer { input in
            image.withUnsafeBufferPointer { image in
                file.tensors["golden.target"]!.bytes.withUnsafeBufferPointer { classes in
                    switch loss {
                    case .absolute: trainer.accumulate(input: input, image: image, batchCount: 1)
                    case .absoluteAndFocal:
                        trainer.accumulate(input: input, image: image, target: classes, batchCount: 1)
                    default: trainer.accumulate(input: input, target: classes, batchCount: 1)
                    }
                }
            }
        }
    }

    func answer(_ model: Model<Network>) throws -> [Float] {
        let predictor = try Predictor(model: model, shape: shape, pool: ThreadPool(threadCount: 2))
        return floats("input").withUnsafeBufferPointer { predictor.logits(input: $0) }
    }
}

struct FlatNetworkTests {
    private let denoising = try! FlatGolden<DenoisingUNetConfiguration>("denoising", .absolute)
    private let autoencoder = try! FlatGolden<ReconstructiveAutoencoderConfiguration>("autoencoder", .absolute)
    private let together = try! FlatGolden<RestoringSegmenter<DenoisingUNetConfiguration>>(
        "together", .absoluteAndFocal)
    private let discriminative = try! FlatGolden<DiscriminativeUNetConfiguration>("discriminative", .focal)

    // MARK: A wrong tap, pad, pool, group, statistic or skip connection shows in the answers.

    private func expectAnswers<Network>(_ golden: FlatGolden<Network>) throws {
        for variant in variants {
            let answer = try variant.force { try golden.answer(golden.model) }
            let worst = largestDifference(answer, golden.floats("before"))
            #expect(worst < 1e-4, "\(variant): \(worst)")
        }
    }

    @Test func answersOfTheDenoisingNetworkAreThoseOfPyTorchWithin1e4() throws { try expectAnswers(denoising) }
    @Test func answersOfTheDiscriminativeNetworkAreThoseOfPyTorchWithin1e4() throws {
        try expectAnswers(discriminative)
    }
    @Test func answersOfTheAutoencoderAreThoseOfPyTorchWithin1e4() throws { try expectAnswers(autoencoder) }
    @Test func answersOfBothNetworksInOneAreThoseOfPyTorchWithin1e4() throws { try expectAnswers(together) }

    // MARK: A gradient that is lost, doubled or folded to the wrong pixel.

    private func expectGradients<Network>(_ golden: FlatGolden<Network>) throws {
        for variant in variants {
            let trainer = try variant.force {
                let trainer = try golden.trainer()
                trainer.zeroGradients()
                _ = golden.accumulate(trainer)
                return trainer
            }
            var compared = 0
            for name in golden.model.parameterNames where golden.file.tensors["golden.gradient." + name] != nil {
                let reference = golden.floats("gradient." + name), values = trainer.gradient(name)
                compared += 1
                // A bias before a batch norm has no gradient but for rounding.
                if reference.allSatisfy({ abs($0) < 1e-9 }) {
                    #expect(values.allSatisfy { abs($0) < 1e-5 }, "\(name), \(variant)")
                } else {
                    let error = relativeError(values, reference)
                    #expect(error < 1e-3, "\(name), \(variant): \(error)")
                }
            }
            #expect(compared > 20)
        }
    }

    @Test func gradientsOfTheDenoisingNetworkAreThoseOfPyTorchInDouble() throws { try expectGradients(denoising) }
    @Test func gradientsOfTheDiscriminativeNetworkAreThoseOfPyTorchInDouble() throws {
        try expectGradients(discriminative)
    }
    @Test func gradientsOfTheAutoencoderAreThoseOfPyTorchInDouble() throws { try expectGradients(autoencoder) }
    /// Would notice a first network that learns from one of the two losses only.
    @Test func gradientsOfBothNetworksInOneAreThoseOfPyTorchInDouble() throws { try expectGradients(together) }

    // MARK: An optimiser's step that forgets a parameter, or running statistics that go astray.

    /// - Parameter tolerance: of every loss, relative. Where one pixel that a pool or a ReLU takes or leaves moves a
    ///   gradient by hundredths, PyTorch in single precision strays from its own double by more than 1e-4.
    private func expectSteps<Network>(_ golden: FlatGolden<Network>, within tolerance: Double = 1e-4) throws {
        // One of them: that the others' bytes are the same is below.
        for variant in [variants.last { $0 != .naive }!] {
            try variant.force {
                let trainer = try golden.trainer()
                for (step, reference) in golden.file.tensors["golden.losses"]!.floats()!.enumerated() {
                    trainer.zeroGradients()
                    let loss = golden.accumulate(trainer).loss
                    trainer.update()
                    #expect(
                        abs(loss - Double(reference)) < tolerance * Double(reference),
                        "\(variant), step \(step): \(loss), PyTorch \(reference)")
                }
                let worst = relativeError(try golden.answer(trainer.model()), golden.floats("after"))
                #expect(worst < 1e-3, "\(variant): \(worst)")
            }
        }
    }

    @Test func tenStepsOfTheDenoisingNetworkFollowPyTorchs() throws { try expectSteps(denoising) }
    @Test func tenStepsOfTheDiscriminativeNetworkFollowPyTorchs() throws { try expectSteps(discriminative) }
    @Test func tenStepsOfTheAutoencoderFollowPyTorchs() throws { try expectSteps(autoencoder, within: 1e-3) }
    @Test func tenStepsOfBothNetworksInOneFollowPyTorchs() throws { try expectSteps(together, within: 1e-3) }

    // MARK: The promise of the same bytes

    private func expectSameBytes<Network>(_ golden: FlatGolden<Network>) throws {
        var all: Set<[Float]> = []
        for variant in variants where variant != .naive {
            for threads in [1, 2, 5] {
                try variant.force {
                    let trainer = try golden.trainer(threads: threads)
                    for _ in 0..<2 {
                        trainer.zeroGradients()
                        _ = golden.accumulate(trainer)
                        trainer.update()
                    }
                    all.insert(trainer.model().values)
                }
            }
        }
        #expect(all.count == 1)
    }

    @Test func theDenoisingNetworksBytesAreTheSameEverywhere() throws { try expectSameBytes(denoising) }
    @Test func theDiscriminativeNetworksBytesAreTheSameEverywhere() throws { try expectSameBytes(discriminative) }
    @Test func bothNetworksInOneHaveTheSameBytesEverywhere() throws { try expectSameBytes(together) }

    // MARK: Going on elsewhere

    /// A checkpoint without the running statistics would go on with others.
    @Test func aCheckpointGoesOnWithTheSameBytes() throws {
        let golden = discriminative
        let whole = try golden.trainer(), first = try golden.trainer(), second = try golden.trainer()
        func step(_ trainer: Trainer<DiscriminativeUNetConfiguration>) {
            trainer.zeroGradients()
            _ = golden.accumulate(trainer)
            trainer.update()
        }
        for _ in 0..<3 { step(whole) }
        for _ in 0..<2 { step(first) }
        let bytes = first.checkpoint().serialised()
        try second.restore(SafeTensors(bytes: bytes, name: "checkpoint"))
        step(second)
        #expect(second.model().values == whole.model().values)
    }
}
