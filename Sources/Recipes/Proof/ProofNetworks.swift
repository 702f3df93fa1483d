import ModelCore
import Numerics

/// Networks that are small and have, all together, an operation of every kind that those of the presets have:
/// `ProofCoverageTests` holds them against each other.
package enum ProofNetworks {
    package struct Network: Sendable {
        var inChannels = 1
        var channels: [Int]
        var strides: [Int]
        var residualUnits: Int
        package var shape: TensorShape3D
        /// Optimiser steps, of one sample each.
        var steps = 1

        package var configuration: UNetConfiguration {
            get throws {
                try UNetConfiguration(
                    inChannels: inChannels, outChannels: 2, channels: channels, strides: strides,
                    residualUnits: residualUnits)
            }
        }
    }

    /// The demo's with fewer channels, for the chest. A second step is the first one in which moments matter.
    package static let chest = Network(
        channels: [16, 16, 32], strides: [2, 2], residualUnits: 1,
        shape: TensorShape3D(depth: 8, height: 28, width: 32), steps: 2)

    /// Of noise.
    package static let others = [
        // Levels of the paper's network, down to those of few tiles. A second block of one channel is the cheapest one,
        // and has lanes that must stay empty. Rows are many and short: parts of a row, and more than a task takes.
        Network(
            channels: [17, 17, 33], strides: [2, 2], residualUnits: 2,
            shape: TensorShape3D(depth: 8, height: 60, width: 12)),
        // Levels with so many tiles that weights' gradients have an algorithm of their own; a top level of these would
        // be ten times as large. From one block of channels, and from several.
        Network(
            inChannels: 16, channels: [16, 16], strides: [2], residualUnits: 2,
            shape: TensorShape3D(depth: 8, height: 36, width: 52)),
        Network(
            inChannels: 17, channels: [17, 17], strides: [2], residualUnits: 2,
            shape: TensorShape3D(depth: 8, height: 36, width: 52)),
    ]

    static func add(to proof: inout ProofBytes, pool: ThreadPool) throws {
        for (number, network) in others.enumerated() {
            let model = try network.trained(to: &proof, pool: pool) { network.noise(step: $0) }
            // What only an answer does is the same for all of them.
            guard number == 0 else { continue }
            let predictor = try UNetPredictor(model: model, shape: network.shape, pool: pool)
            var answer = [Float](repeating: 0, count: network.shape.voxelCount)
            network.noise(step: network.steps).input.withUnsafeBufferPointer { input in
                answer.withUnsafeMutableBufferPointer { predictor.classProbability(input: input, class: 0, into: $0) }
            }
            proof.add(answer)
        }
    }
}

extension ProofNetworks.Network {
    typealias Sample = (input: [Float], target: [UInt8])

    /// - Parameter sample: of a step.
    func trained(
        to proof: inout ProofBytes, pool: ThreadPool, sample: (_ step: Int) -> Sample
    ) throws -> UNetModel {
        let model = UNetModel(configuration: try configuration)
        model.initialise(seed: 3, replica: inChannels)
        let trainer = try UNetTrainer(model: model, shape: shape, learningRate: 1e-3, pool: pool)
        for step in 0..<steps {
            trainer.zeroGradients()
            let (input, target) = sample(step)
            let figures = input.withUnsafeBufferPointer { input in
                target.withUnsafeBufferPointer { trainer.accumulate(input: input, target: $0, batchCount: 2) }
            }
            proof.add([figures.loss, figures.dice])
            trainer.update()
        }
        let trained = trainer.model()
        proof.add(trained.values)
        return trained
    }

    /// Noise, and as target what of it is bright.
    func noise(step: Int) -> Sample {
        var stream = RandomKey(seed: 4, iteration: step, purpose: .phantomNoise).stream()
        var input = [Float](repeating: 0, count: inChannels * shape.voxelCount)
        input.withUnsafeMutableBufferPointer { stream.fill($0) }
        return (input, input.prefix(shape.voxelCount).map { $0 > 0.7 ? 1 : 0 })
    }
}
