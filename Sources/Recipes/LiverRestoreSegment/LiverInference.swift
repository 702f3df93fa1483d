import Imaging
import ModelCore
import Numerics
import VotingAggregator

/// One replica after the other on all slices of a patient.
final class LiverInference {
    private let preset: LiverPreset
    private let pool: ThreadPool
    private var networks: (LiverRestorer, Predictor<DiscriminativeUNetConfiguration>)?

    /// Slices at once: a batch norm's answers do not depend on their neighbours.
    private static let sliceCount = 8

    init(preset: LiverPreset, pool: ThreadPool) { (self.preset, self.pool) = (preset, pool) }

    /// Where the replica says tumour: bits of the liver's slices.
    /// - Throws: `RecipeError.interrupted`; `ModelError.outOfMemory`.
    func votes(
        _ liver: PreparedLiver, restorer: Model<RestoringNetwork>,
        segmenter: Model<DiscriminativeUNetConfiguration>, isCancelled: () -> Bool
    ) throws -> BitMask {
        let (first, second) = try load(restorer, segmenter)
        let shape = liver.pixels.shape, count = shape.sliceVoxelCount
        var tumour = [UInt8](repeating: 0, count: shape.voxelCount)
        var probability = [Float](repeating: 0, count: Self.sliceCount * count)
        for start in stride(from: 0, to: shape.depth, by: Self.sliceCount) {
            if isCancelled() { throw RecipeError.interrupted }
            let end = min(start + Self.sliceCount, shape.depth)
            var given = liver.pixels.voxels[start * count..<end * count].map { Float($0) / 255 }
            given += [Float](repeating: 0, count: probability.count - given.count)
            let pairs = first.pairs(given)
            probability.withUnsafeMutableBufferPointer { probability in
                pairs.withUnsafeBufferPointer { second.classProbability(input: $0, class: 1, into: probability) }
            }
            for index in 0..<(end - start) * count where liver.pixels.voxels[start * count + index] > 0 {
                tumour[start * count + index] = Double(probability[index]) > preset.threshold ? 1 : 0
            }
        }
        return tumour.withUnsafeBufferPointer { BitMask(shape: shape, voxels: $0, pool: pool) }
    }

    private func load(
        _ restorer: Model<RestoringNetwork>, _ segmenter: Model<DiscriminativeUNetConfiguration>
    ) throws -> (LiverRestorer, Predictor<DiscriminativeUNetConfiguration>) {
        if let networks {
            networks.0.load(restorer)
            networks.1.load(segmenter)
            return networks
        }
        let made = (
            try LiverRestorer(restorer, preset: preset, sliceCount: Self.sliceCount, pool: pool),
            try Predictor(model: segmenter, shape: preset.shape(sliceCount: Self.sliceCount), pool: pool)
        )
        networks = made
        return made
    }
}
