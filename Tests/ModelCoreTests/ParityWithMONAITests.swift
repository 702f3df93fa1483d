import Foundation
import ModelCore
import Numerics
import TestSupport
import Testing

/// Goldens written by PyTorch and MONAI (Goldens/make_goldens.py).
struct Golden {
    let file: SafeTensors
    let model: UNetModel
    let shape: TensorShape3D

    init(_ name: String) throws {
        let url = try #require(
            Bundle.module.url(forResource: "unet_\(name)", withExtension: "safetensors", subdirectory: "Goldens"))
        file = try SafeTensors(bytes: [UInt8](Data(contentsOf: url)), name: "unet_\(name).safetensors")
        var weights = file
        weights.tensors = weights.tensors.filter { !$0.key.hasPrefix("golden.") }
        model = try UNetModel(file: weights)
        let size = file.tensors["golden.input"]!.shape
        shape = TensorShape3D(
            depth: size.count == 4 ? size[1] : 1, height: size[size.count - 2], width: size[size.count - 1])
    }

    func floats(_ name: String) -> [Float] { file.tensors["golden." + name]!.floats()! }
    var target: [UInt8] { file.tensors["golden.target"]!.bytes }
}

func accumulate(_ trainer: UNetTrainer, _ input: [Float], _ target: [UInt8]) -> SampleFigures {
    input.withUnsafeBufferPointer { input in
        target.withUnsafeBufferPointer { trainer.accumulate(input: input, target: $0, batchCount: 1) }
    }
}

/// Largest difference over the largest magnitude of the reference.
func relativeError(_ values: [Float], _ reference: [Float]) -> Double {
    let scale = reference.reduce(0) { max($0, abs(Double($1))) }
    return largestDifference(values, reference) / max(scale, 1e-30)
}

/// Kernels that this processor has, the naive ones included.
let variants = KernelVariant.allCases.filter { isHere($0.isAvailable, "the kernels \($0) on this processor") }

struct ParityWithMONAITests {
    static let all = [
        "two_units", "no_units", "one_unit_stride_one", "odd_channels", "identity_at_top", "many_classes",
        "stride_three", "not_divisible",
    ] + settings
    static let trained = [
        "two_units", "no_units", "one_unit_stride_one", "odd_channels", "identity_at_top", "many_classes",
    ] + settings
    /// What MONAI's users set beside the levels.
    static let settings = [
        "relu_batch", "prelu_batch", "leaky_instance_kernel_five", "relu_instance", "no_norm", "per_axis",
        "two_dimensions", "two_dimensions_leaky_batch", "two_dimensions_no_units",
    ]

    @Test(arguments: all) func logitsEqualMONAIsWithin1e4(_ name: String) throws {
        let golden = try Golden(name)
        for variant in variants {
            let logits = try variant.force {
                let predictor = try UNetPredictor(
                    model: golden.model, shape: golden.shape, pool: ThreadPool(threadCount: 2))
                return golden.floats("input").withUnsafeBufferPointer { predictor.logits(input: $0) }
            }
            let worst = largestDifference(logits, golden.floats("logits"))
            #expect(worst < 1e-4, "\(name), \(variant): \(worst)")
        }
    }

    /// Two images in one volume would be normed together, and come out wrong without a word.
    @Test func imagesWithInstanceNormAreTakenOneAtATime() throws {
        let golden = try Golden("two_dimensions"), pool = ThreadPool(threadCount: 1)
        var two = golden.shape
        two.depth = 2
        #expect(throws: ModelError.self) { try UNetPredictor(model: golden.model, shape: two, pool: pool) }
        #expect(throws: ModelError.self) {
            try UNetTrainer(model: golden.model, shape: two, learningRate: 1e-3, pool: pool)
        }
    }

    @Test(arguments: trained) func gradientsEqualPyTorchsInDoubleWithin1e3(_ name: String) throws {
        let golden = try Golden(name)
        for variant in variants {
            let trainer = try variant.force {
                let trainer = try UNetTrainer(
                    model: golden.model, shape: golden.shape, learningRate: 1e-3, pool: ThreadPool(threadCount: 2))
                trainer.zeroGradients()
                _ = accumulate(trainer, golden.floats("input"), golden.target)
                return trainer
            }
            // Running statistics have none.
            for name in golden.model.parameterNames where golden.file.tensors["golden.gradient." + name] != nil {
                let reference = golden.floats("gradient." + name), values = trainer.gradient(name)
                // A bias before a norm has no gradient; PyTorch's is noise.
                if reference.allSatisfy({ abs($0) < 1e-12 }) {
                    #expect(values.allSatisfy { abs($0) < 1e-7 }, "\(name), \(variant)")
                } else {
                    let error = relativeError(values, reference)
                    #expect(error < 1e-3, "\(name), \(variant): \(error)")
                }
            }
        }
    }

    @Test(arguments: trained) func tenAdamStepsFollowPyTorchsLossesWithin1e4(_ name: String) throws {
        let golden = try Golden(name)
        let losses = golden.file.tensors["golden.losses"]!.floats()!
        for variant in variants {
            try variant.force {
                let trainer = try UNetTrainer(
                    model: golden.model, shape: golden.shape, learningRate: 1e-3, pool: ThreadPool(threadCount: 2))
                for (step, reference) in losses.enumerated() {
                    trainer.zeroGradients()
                    let loss = accumulate(trainer, golden.floats("input"), golden.target).loss
                    trainer.update()
                    #expect(
                        abs(loss - Double(reference)) < 1e-4 * Double(reference),
                        "\(name), \(variant), step \(step): \(loss), PyTorch \(reference)")
                }
            }
        }
    }
}
