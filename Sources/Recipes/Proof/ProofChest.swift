import Imaging
import ModelCore
import Numerics
import SynthData
import VotingAggregator

/// A CT on the way of every other: lungs are found, the volume is put on a grid that is finer along two axes and
/// coarser along the third, edges are taken out, lesions put in, a replica is trained on them, answers slab by slab,
/// and a vote of three ballots becomes masks on the CT's own grid.
package enum ProofChest {
    /// What came out, for a look at whether it says anything.
    package struct Outcome {
        package var prepared: PreparedVolume
        package var ballots: [BitMask]
        package var vote: BitMask
        package var answer: LungAnswer
    }

    private static let thresholds: [Float] = [0.47, 0.55, 0.6]

    private static var preset: Preset {
        var preset = Preset.demo
        preset.spacing = Spacing(zMM: 16, yMM: 9, xMM: 9)
        (preset.slabDepth, preset.planeHeight, preset.planeWidth) = (
            ProofNetworks.chest.shape.depth, ProofNetworks.chest.shape.height, ProofNetworks.chest.shape.width
        )
        return preset
    }

    package static func add(to proof: inout ProofBytes, pool: ThreadPool) throws -> Outcome {
        let ct = try NIfTIFile.read(bytes: NIfTIFile.encode(ProofScan.volume, isCompressed: false), name: "proof")
        proof.add(ct.volume.voxels)
        let prepared = try Preparation.run(
            ct: ct, lung: nil, preset: preset, planeHeight: preset.planeHeight, planeWidth: preset.planeWidth,
            forTraining: true, pool: pool)
        proof.add(prepared.sourceLung.voxels)
        proof.add(prepared.intensity.voxels)
        proof.add(prepared.lung.voxels)
        proof.add(prepared.edgeVoxelsRemoved)
        let model = try trained(prepared, to: &proof, pool: pool)
        let ballots = try ballots(model, prepared, to: &proof, pool: pool)
        let vote = try MajorityVote.vote(ballots, pool: pool)
        let answer = try LungAnswer(healthy: vote, volume: prepared, preset: preset, pool: pool)
        proof.add(answer.grown.voxels)
        proof.add(answer.withoutGrowing.voxels)
        return Outcome(prepared: prepared, ballots: ballots, vote: vote, answer: answer)
    }

    private static func trained(
        _ prepared: PreparedVolume, to proof: inout ProofBytes, pool: ThreadPool
    ) throws -> UNetModel {
        let network = ProofNetworks.chest, (slab, lung) = slab(prepared)
        let generator = LesionGenerator(settings: preset.lesionSettings)
        return try network.trained(to: &proof, pool: pool) { step in
            let sample = generator.insertLesions(
                slab, lung: lung, lambda: 0.5, countFactor: 1, key: LesionKey(seed: 7, iteration: step))
            return (sample.image, sample.target)
        }
    }

    /// The slices in the middle, as a data set stores and reads them.
    private static func slab(_ volume: PreparedVolume) -> (Volume<Float>, Mask) {
        var shape = volume.lung.shape
        let first = (shape.depth - preset.slabDepth) / 2 * shape.sliceVoxelCount
        shape.depth = preset.slabDepth
        let range = first..<(first + shape.voxelCount), geometry = volume.lung.geometry
        let intensity = volume.intensity.voxels[range].map {
            PreparedVolume.intensity(stored: PreparedVolume.stored($0))
        }
        return (
            Volume(shape: shape, geometry: geometry, voxels: intensity),
            Mask(shape: shape, geometry: geometry, voxels: Array(volume.lung.voxels[range]))
        )
    }

    /// The network's answer, above three thresholds.
    private static func ballots(
        _ model: UNetModel, _ prepared: PreparedVolume, to proof: inout ProofBytes, pool: ThreadPool
    ) throws -> [BitMask] {
        let inference = EnsembleInference(slab: ProofNetworks.chest.shape, pool: pool)
        var votes = thresholds.map { _ in BitMask(shape: prepared.lung.shape) }
        try inference.healthyProbability(
            model: model, intensity: prepared.intensity, lung: prepared.lung,
            resources: RecipeResources(pool: pool, cacheDirectory: "")
        ) { slices, probability in
            proof.add(Array(probability))
            for (number, threshold) in thresholds.enumerated() {
                votes[number].set(slices: slices, where: probability, above: threshold, pool: pool)
            }
        }
        for vote in votes { proof.add(vote.bytes()) }
        return votes
    }
}

/// The chest: a body with two lungs, a windpipe, vessels and noise, in whole HU.
enum ProofScan {
    private static let shape = VolumeShape(depth: 20, height: 24, width: 28)
    private static let spacing = Spacing(zMM: 8, yMM: 10, xMM: 10)

    static var volume: Volume<Float> {
        var stream = RandomKey(seed: 6, purpose: .phantomNoise).stream()
        var hu = [Float](repeating: 0, count: shape.voxelCount)
        hu.withUnsafeMutableBufferPointer { stream.fill($0) }
        for z in 0..<shape.depth {
            for y in 0..<shape.height {
                for x in 0..<shape.width {
                    let index = shape.index(z: z, y: y, x: x)
                    hu[index] = value(Float(z), Float(y), Float(x), noise: hu[index])
                }
            }
        }
        return Volume(shape: shape, geometry: Geometry(spacing: spacing), voxels: hu)
    }

    /// Distances from the axes of ellipsoids, whose radii are in voxels.
    private static func value(_ z: Float, _ y: Float, _ x: Float, noise: Float) -> Float {
        func square(_ distance: Float, _ radius: Float) -> Float { distance / radius * (distance / radius) }
        let body = square(y - 11.5, 10.5) + square(x - 13.5, 13)
        guard body < 1 else { return (-1000 + 8 * noise).rounded() }
        for centre in [7.5, 19.5] as [Float] {
            guard square(z - 9.5, 9) + square(y - 11.5, 7.5) + square(x - centre, 4.6) < 1 else { continue }
            // Vessels, some of them at the rim, and a dense part within one lung.
            if noise > 0.96 { return (60 * noise).rounded() }
            let isDense = square(z - 9, 5) + square(y - 12, 4) + square(x - 19.5, 2.6) < 1
            return ((isDense ? -420 : -840) + 120 * noise).rounded()
        }
        let isAirway = z > 9 && square(y - 11.5, 1.2) + square(x - 13.5, 1.2) < 1
        return ((isAirway ? -990 : 30) + 20 * noise).rounded()
    }
}
