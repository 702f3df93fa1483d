import Imaging
import ModelCore
import Numerics
import Recipes
import Testing
import VotingAggregator

@Suite struct InferenceTests {
    private let slab = TensorShape3D(depth: 8, height: 12, width: 20)
    private let resources = RecipeResources(pool: ThreadPool(threadCount: 2), cacheDirectory: "")

    private func model(_ replica: Int) throws -> UNetModel {
        let model = UNetModel(configuration: try UNetConfiguration(
            inChannels: 1, outChannels: 2, channels: [8, 16], strides: [2], residualUnits: 1))
        model.initialise(seed: 2, replica: replica)
        return model
    }

    private func chest(depth: Int, lungSlices: Range<Int>) -> (intensity: Volume<Float>, lung: Mask) {
        let shape = VolumeShape(depth: depth, height: slab.height, width: slab.width)
        let geometry = Geometry(spacing: Spacing(zMM: 1, yMM: 1, xMM: 1)), plane = shape.sliceVoxelCount
        var stream = RandomKey(seed: 4, purpose: .phantomNoise).stream()
        let voxels = (0..<shape.voxelCount).map { _ in stream.uniform() }
        let lung = (0..<shape.voxelCount).map { UInt8(lungSlices.contains($0 / plane) ? 1 : 0) }
        return (
            Volume(shape: shape, geometry: geometry, voxels: voxels),
            Mask(shape: shape, geometry: geometry, voxels: lung)
        )
    }

    /// Of the slices of a slab of 8: up to the middle and down again.
    private let weight: [Float] = [1, 2, 3, 4, 4, 3, 2, 1]

    /// What A4 says, written down without a thought for memory or time: every slab by a network of its own, whole
    /// volumes of weighted sums. Where the slabs begin is given: how that is found must not be asked of the program.
    private func plainly(_ model: UNetModel, _ intensity: Volume<Float>, _ firstSlices: [Int]) throws -> [Float] {
        let plane = intensity.shape.sliceVoxelCount, depth = intensity.shape.depth
        var sums = [Float](repeating: 0, count: intensity.voxels.count), weights = [Float](repeating: 0, count: depth)
        for first in firstSlices {
            var input = Array(intensity.voxels.dropFirst(first * plane).prefix(slab.voxelCount))
            input += [Float](repeating: 0, count: slab.voxelCount - input.count)
            let predictor = try UNetPredictor(model: model, shape: slab, pool: resources.pool)
            var answer = [Float](repeating: 0, count: slab.voxelCount)
            input.withUnsafeBufferPointer { input in
                answer.withUnsafeMutableBufferPointer { predictor.classProbability(input: input, class: 1, into: $0) }
            }
            for offset in 0..<min(slab.depth, depth - first) {
                weights[first + offset] += weight[offset]
                for index in 0..<plane {
                    sums[(first + offset) * plane + index] += weight[offset] * answer[offset * plane + index]
                }
            }
        }
        return sums.indices.map { weights[$0 / plane] > 0 ? sums[$0] * (1 / weights[$0 / plane]) : 0 }
    }

    /// One slab exactly, several, a last one that is moved back, a volume shorter than a slab.
    @Test(arguments: [
        (8, 0..<8, [0]), (30, 3..<26, [3, 8, 13, 18]), (29, 0..<29, [0, 5, 10, 15, 21]), (5, 1..<4, [0]),
        (40, 17..<20, [17]), (40, 36..<40, [32]),
    ])
    func slabsBlendedOnTheWayAreWhatWholeVolumesOfSumsGive(
        depth: Int, lungSlices: Range<Int>, firstSlices: [Int]
    ) throws {
        let (intensity, lung) = chest(depth: depth, lungSlices: lungSlices)
        let inference = EnsembleInference(slab: slab, pool: resources.pool)
        // The second replica runs in the memory that the first has used.
        for replica in 0..<2 {
            let model = try model(replica), expected = try plainly(model, intensity, firstSlices)
            let probability = try inference.healthyProbability(
                model: model, intensity: intensity, lung: lung, resources: resources)
            #expect(probability == expected)
            let threshold = Double(expected.filter { $0 > 0 }.sorted()[expected.filter { $0 > 0 }.count / 2])
            let votes = try inference.votes(
                model: model, intensity: intensity, lung: lung, threshold: threshold, resources: resources)
            #expect(votes.voxels() == expected.map { $0 > Float(threshold) ? 1 : 0 })
            #expect(votes.voxelCount > 0)
        }
    }

    @Test func aVolumeWithoutLungGetsNoVotes() throws {
        let (intensity, lung) = chest(depth: 10, lungSlices: 0..<0)
        let votes = try EnsembleInference(slab: slab, pool: resources.pool)
            .votes(model: model(0), intensity: intensity, lung: lung, threshold: 0, resources: resources)
        #expect(votes.voxelCount == 0)
    }
}
