import Imaging
import ModelCore
import Numerics
import VotingAggregator

/// A network's answer for a whole volume (A4).
enum EnsembleInference {
    /// Softmax of the healthy channel for every voxel, slabs blended; 0 in slices without lung.
    static func healthyProbability(
        model: UNetModel, intensity: Volume<Float>, lung: Mask, slabDepth: Int, resources: RecipeResources
    ) throws -> [Float] {
        let shape = intensity.shape, plane = shape.sliceVoxelCount
        guard let box = lung.boundingBox() else { return [Float](repeating: 0, count: shape.voxelCount) }
        let plan = SlabPlan(depth: shape.depth, lungSlices: box.z, slabDepth: slabDepth)
        let predictor = try UNetPredictor(
            model: model, shape: .init(depth: slabDepth, height: shape.height, width: shape.width),
            pool: resources.pool)
        var total = [Float](repeating: 0, count: shape.voxelCount)
        var weights = [Float](repeating: 0, count: shape.depth)
        var slab = [Float](repeating: 0, count: slabDepth * plane)
        var answer = slab
        for first in plan.firstSlices {
            if resources.isCancelled() { throw RecipeError.interrupted }
            let count = min(slabDepth, shape.depth - first)
            for index in slab.indices { slab[index] = 0 }
            slab.replaceSubrange(
                0..<(count * plane), with: intensity.voxels[(first * plane)..<((first + count) * plane)])
            slab.withUnsafeBufferPointer { input in
                answer.withUnsafeMutableBufferPointer { predictor.classProbability(input: input, class: 1, into: $0) }
            }
            for offset in 0..<count {
                let weight = plan.weight(offset)
                weights[first + offset] += weight
                add(
                    answer, from: offset * plane, to: &total, at: (first + offset) * plane, count: plane,
                    weight: weight)
            }
        }
        for z in 0..<shape.depth where weights[z] > 0 {
            let scale = 1 / weights[z]
            for index in (z * plane)..<((z + 1) * plane) { total[index] *= scale }
        }
        return total
    }

    private static func add(
        _ source: [Float], from: Int, to target: inout [Float], at: Int, count: Int, weight: Float
    ) {
        source.withUnsafeBufferPointer { source in
            target.withUnsafeMutableBufferPointer { target in
                for index in 0..<count { target[at + index] += weight * source[from + index] }
            }
        }
    }

    /// The bits a replica votes with: healthy where the probability is above the threshold.
    static func votes(probability: [Float], shape: VolumeShape, threshold: Double) -> BitMask {
        probability.withUnsafeBufferPointer { BitMask(shape: shape, values: $0, above: Float(threshold)) }
    }

    /// The replicas of a run, from their safetensors files.
    /// - Throws: `RecipeError.inputRefused` naming a file that is no such network.
    static func loadReplicas(_ inputs: [RecipeInput]) throws -> [UNetModel] {
        let replicas = inputs.filter { $0.role == "replica" }
        guard !replicas.isEmpty else { throw RecipeError.inputRefused("the run has no replica to vote with") }
        return try replicas.map { input in
            do {
                let tensors = try SafeTensors(bytes: try InputFile.bytes(input), name: input.name)
                return try UNetModel(file: tensors)
            } catch let error as RecipeError {
                throw error
            } catch {
                throw RecipeError.inputRefused("\(input.name): \(error)")
            }
        }
    }
}
