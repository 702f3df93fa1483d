import AllocationCount
import ModelCore
import Numerics
import Testing

/// Memory is one block, planned ahead: once a network has run, running it again asks the system for nothing.
struct NoAllocationTests {
    private let shape = TensorShape3D(depth: 8, height: 32, width: 40)
    private let configuration: UNetConfiguration
    private let model: UNetModel

    init() throws {
        configuration = try UNetConfiguration(
            inChannels: 1, outChannels: 2, channels: [16, 32, 40], strides: [2, 2], residualUnits: 2)
        model = UNetModel(configuration: configuration)
        model.initialise(seed: 1, replica: 0)
    }

    /// Allocations of `body` after a first call, on one thread: then everything runs on the caller's, which is counted.
    private func allocations(_ body: () -> Void) -> UInt {
        body()
        let before = allocation_count()
        for _ in 0..<3 { body() }
        return allocation_count() - before
    }

    @Test func allocationsAreCountedSoThatNoneMeansNone() {
        // Were they not counted here, the tests below could not fail.
        var kept: [[Float]] = []
        #expect(allocations { kept.append([Float](repeating: 0, count: 1000)) } >= 3)
        #expect(kept.count == 4)
        #expect(throws: Never.self) {
            let made = allocations { _ = try? UNetPredictor(model: model, shape: shape, pool: .init(threadCount: 1)) }
            #expect(made >= 3)
        }
    }

    @Test func aTrainingStepAllocatesNothing() throws {
        let trainer = try UNetTrainer(
            model: model, shape: shape, learningRate: 1e-3, pool: ThreadPool(threadCount: 1))
        let input = (0..<shape.voxelCount).map { Float($0 % 17) / 17 }, target = input.map { UInt8($0 > 0.7 ? 1 : 0) }
        let count = allocations {
            trainer.zeroGradients()
            input.withUnsafeBufferPointer { input in
                target.withUnsafeBufferPointer { target in
                    for _ in 0..<2 { _ = trainer.accumulate(input: input, target: target, batchCount: 2) }
                }
            }
            trainer.update()
        }
        #expect(count == 0)
        #expect(trainer.stepCount == 4)
    }

    @Test func aPredictionAllocatesNothing() throws {
        let predictor = try UNetPredictor(model: model, shape: shape, pool: ThreadPool(threadCount: 1))
        let input = (0..<shape.voxelCount).map { Float($0 % 17) / 17 }
        var probability = [Float](repeating: 0, count: shape.voxelCount)
        let count = allocations {
            input.withUnsafeBufferPointer { input in
                probability.withUnsafeMutableBufferPointer {
                    predictor.classProbability(input: input, class: 1, into: $0)
                }
            }
        }
        #expect(count == 0)
        #expect(probability.contains { $0 > 0 })
    }
}
