import ModelCore
import Numerics
import Testing

/// Bytes of a checkpoint after a few steps on random data.
private func trained(
    _ configuration: UNetConfiguration, _ shape: TensorShape3D, steps: Int, threads: Int,
    interruptAfter: Int? = nil
) throws -> [UInt8] {
    let pool = ThreadPool(threadCount: threads)
    let model = UNetModel(configuration: configuration)
    model.initialise(seed: 3, replica: 1)
    var trainer = try UNetTrainer(model: model, shape: shape, learningRate: 1e-3, pool: pool)
    for step in 0..<steps {
        if step == interruptAfter {
            let bytes = trainer.checkpoint().serialised()
            let empty = UNetModel(configuration: configuration)
            trainer = try UNetTrainer(model: empty, shape: shape, learningRate: 1e-3, pool: pool)
            try trainer.restore(SafeTensors(bytes: bytes, name: "checkpoint"))
        }
        trainer.zeroGradients()
        for sample in 0..<2 {
            var stream = RandomKey(seed: 5, iteration: step, sample: sample, purpose: .phantomNoise).stream()
            let input = (0..<configuration.inChannels * shape.voxelCount).map { _ in stream.uniform() }
            let target = input.prefix(shape.voxelCount).map { UInt8($0 > 0.7 ? 1 : 0) }
            _ = input.withUnsafeBufferPointer { input in
                target.withUnsafeBufferPointer { trainer.accumulate(input: input, target: $0, batchCount: 2) }
            }
        }
        trainer.update()
    }
    return trainer.checkpoint(metadata: ["seed": "3"]).serialised()
}

struct SameBytesTests {
    static let networks = [
        ([16, 32], [2], 2, TensorShape3D(depth: 16, height: 32, width: 40)),
        ([5, 17, 20], [1, 2], 1, TensorShape3D(depth: 4, height: 6, width: 10)),
        ([8, 16], [2], 0, TensorShape3D(depth: 4, height: 8, width: 8)),
    ]

    @Test(arguments: networks.indices)
    func trainingGivesTheSameBytesOnEveryInstructionSetAndThreadCount(_ index: Int) throws {
        let (channels, strides, units, shape) = Self.networks[index]
        let configuration = try UNetConfiguration(
            inChannels: 1, outChannels: 2, channels: channels, strides: strides, residualUnits: units)
        let reference = try trained(configuration, shape, steps: 3, threads: 1)
        for variant in variants where variant != .naive {
            for threads in [1, 2, 4] where variant != .portable || threads == 2 {
                let bytes = try variant.force { try trained(configuration, shape, steps: 3, threads: threads) }
                #expect(bytes == reference, "\(variant), \(threads) threads")
            }
        }
    }

    @Test func aResumedTrainingEndsWithTheSameBytes() throws {
        let (channels, strides, units, shape) = Self.networks[0]
        let configuration = try UNetConfiguration(
            inChannels: 1, outChannels: 2, channels: channels, strides: strides, residualUnits: units)
        let whole = try trained(configuration, shape, steps: 5, threads: 2)
        for after in [1, 4] {
            let resumed = try trained(configuration, shape, steps: 5, threads: 2, interruptAfter: after)
            #expect(resumed == whole)
        }
    }

    /// Two batches of one trainer against each of them in a trainer that has seen nothing else; and one that is
    /// restored in the middle of a batch forgets that batch.
    @Test func gradientsAreThoseOfTheBatchAlone() throws {
        let pool = ThreadPool(threadCount: 2), shape = TensorShape3D(depth: 4, height: 8, width: 8)
        let configuration = try UNetConfiguration(
            inChannels: 1, outChannels: 2, channels: [4, 8], strides: [2], residualUnits: 1)
        let model = UNetModel(configuration: configuration)
        model.initialise(seed: 3, replica: 1)
        func fresh(_ model: UNetModel) throws -> UNetTrainer {
            try UNetTrainer(model: model, shape: shape, learningRate: 1e-2, pool: pool)
        }
        func add(_ sample: Int, to trainer: UNetTrainer) {
            var stream = RandomKey(seed: 5, sample: sample, purpose: .phantomNoise).stream()
            let input = (0..<shape.voxelCount).map { _ in stream.uniform() }
            _ = accumulate(trainer, input, input.map { $0 > 0.7 ? 1 : 0 })
        }
        func gradients(_ trainer: UNetTrainer) -> [[Float]] { model.parameterNames.map(trainer.gradient) }
        let trainer = try fresh(model)
        for batch in 0..<2 {
            let alone = try fresh(trainer.model())
            trainer.zeroGradients()
            for sample in [2 * batch, 2 * batch + 1] {
                add(sample, to: trainer)
                add(sample, to: alone)
            }
            #expect(gradients(alone).contains { $0.contains { $0 != 0 } })
            #expect(gradients(trainer) == gradients(alone), "batch \(batch)")
            trainer.update()
        }
        let checkpoint = trainer.checkpoint(), alone = try fresh(trainer.model())
        add(7, to: trainer)
        try trainer.restore(checkpoint)
        add(8, to: trainer)
        add(8, to: alone)
        #expect(gradients(trainer) == gradients(alone))
    }

    @Test func aCheckpointOfAnotherNetworkIsRefusedAndChangesNothing() throws {
        let pool = ThreadPool(threadCount: 1), shape = TensorShape3D(depth: 4, height: 4, width: 4)
        func trainer(_ channels: [Int]) throws -> UNetTrainer {
            let model = UNetModel(
                configuration: try UNetConfiguration(
                    inChannels: 1, outChannels: 2, channels: channels, strides: [2], residualUnits: 1))
            model.initialise(seed: 1, replica: 0)
            return try UNetTrainer(model: model, shape: shape, learningRate: 1e-3, pool: pool)
        }
        let own = try trainer([4, 8]), other = try trainer([4, 9])
        let before = own.checkpoint().serialised()
        #expect(throws: ModelError.self) { try own.restore(other.checkpoint()) }
        var damaged = own.checkpoint()
        damaged.tensors["optimiser.step"] = SafeTensors.Tensor(integer: -1)
        #expect(throws: ModelError.self) { try own.restore(damaged) }
        #expect(own.checkpoint().serialised() == before)
    }

    @Test func initialWeightsArePyTorchsDistributionsAndDifferByReplica() throws {
        let configuration = try UNetConfiguration(
            inChannels: 1, outChannels: 2, channels: [16, 32, 64], strides: [2, 2], residualUnits: 2)
        let model = UNetModel(configuration: configuration), other = UNetModel(configuration: configuration)
        model.initialise(seed: 9, replica: 0)
        other.initialise(seed: 9, replica: 1)
        #expect(model.safeTensors().tensors != other.safeTensors().tensors)
        let tensors = model.safeTensors().tensors
        // kaiming_uniform(a = sqrt 5) is uniform in +-1/sqrt(fan in); a transposed weight's fan in is its second axis.
        for name in ["model.0.conv.unit1.conv.weight", "model.1.submodule.2.0.conv.weight"] {
            let values = tensors[name]!.floats()!, bound = 1 / Float(16 * 27).squareRoot()
            #expect(values.allSatisfy { abs($0) <= bound })
            #expect(values.max()! > 0.99 * bound && values.min()! < -0.99 * bound)
            let mean = values.reduce(0, +) / Float(values.count)
            #expect(abs(mean) < 0.05 * bound)
        }
        #expect(tensors["model.0.conv.unit0.adn.A.weight"]!.floats()! == [0.25])
    }
}
