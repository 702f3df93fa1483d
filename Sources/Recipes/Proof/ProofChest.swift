import Imaging
import ModelCore
import Numerics
import SynthData
import VotingAggregator

/// A CT on the way of every other: lungs are found, the volume is turned upright and put on a grid that is finer along
/// two axes and averages along the third, edges are taken out, lesions put in, a replica is trained on them, answers
/// slab by slab, and a vote of three ballots becomes masks on the CT's own grid.
package enum ProofChest {
    /// What came out, for a look at whether it says anything.
    package struct Outcome {
        package var prepared: PreparedVolume
        package var ballots: [BitMask]
        package var vote: BitMask
        package var answer: LungAnswer
    }

    private static let thresholds: [Float] = [0.47, 0.55, 0.6]
    /// So few slices that slabs overlap by several; not a multiple of the strides, so that they are filled up.
    private static let answeredDepth = 5

    private static var preset: Preset {
        var preset = Preset.demo
        preset.spacing = Spacing(zMM: 16.6, yMM: 9, xMM: 9)
        (preset.slabDepth, preset.planeHeight, preset.planeWidth) = (
            ProofNetworks.chest.shape.depth, ProofNetworks.chest.shape.height, ProofNetworks.chest.shape.width
        )
        return preset
    }

    package static func add(to proof: inout ProofBytes, pool: ThreadPool) throws -> Outcome {
        let ct = try NIfTIFile.read(
            bytes: NIfTIFile.encode(ProofScan.stored, intercept: ProofScan.intercept, isCompressed: false),
            name: "proof")
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
        try finish(ballots, prepared, to: &proof, pool: pool)
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

    /// Of each ballot, with the presets' own boxes, of up to nine voxels, and with growing that ends.
    private static func finish(
        _ ballots: [BitMask], _ prepared: PreparedVolume, to proof: inout ProofBytes, pool: ThreadPool
    ) throws {
        let lung = BitMask(prepared.lung, pool: pool)
        for (number, preset) in Preset.all.enumerated() {
            var settings = preset.postProcessingSettings
            settings.growthLimitMM = number == 0 ? nil : Double(10 * number)
            for ballot in ballots {
                let answer = try PostProcessing.run(
                    healthy: ballot, intensity: prepared.intensity, lung: lung, settings: settings, pool: pool)
                proof.add(answer.core.bytes())
                proof.add(answer.grown.bytes())
            }
        }
    }

    /// The network's answer, above three thresholds.
    private static func ballots(
        _ model: UNetModel, _ prepared: PreparedVolume, to proof: inout ProofBytes, pool: ThreadPool
    ) throws -> [BitMask] {
        var slab = ProofNetworks.chest.shape
        slab.depth = answeredDepth
        let inference = EnsembleInference(slab: slab, pool: pool)
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

/// The chest: a body with two lungs, a windpipe, vessels, calcium and noise, in whole HU, stored as scanners do: from
/// the patient's left and back on, 1024 above what is meant.
enum ProofScan {
    static let intercept: Float = -1024
    private static let shape = VolumeShape(depth: 25, height: 24, width: 28)
    private static let geometry = Geometry(affine: [-10, 0, 0, 135, 0, -10, 0, 115, 0, 0, 6.4, 0])

    static var stored: Volume<UInt16> {
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
        return Volume(shape: shape, geometry: geometry, voxels: hu.map { UInt16($0 - intercept) })
    }

    /// Distances from the axes of ellipsoids, whose radii are in voxels.
    private static func value(_ z: Float, _ y: Float, _ x: Float, noise: Float) -> Float {
        func square(_ distance: Float, _ radius: Float) -> Float { distance / radius * (distance / radius) }
        let body = square(y - 11.5, 10.5) + square(x - 13.5, 13)
        guard body < 1 else { return (-1000 + 8 * noise).rounded() }
        for centre in [7.5, 19.5] as [Float] {
            guard square(z - 12, 11.4) + square(y - 11.5, 7.5) + square(x - centre, 4.6) < 1 else { continue }
            // Vessels, some of them at the rim, and a dense part within one lung.
            if noise > 0.96 { return (260 * noise).rounded() }
            if square(z - 11, 2.2) + square(y - 12, 1.4) + square(x - 19.5, 1.2) < 1 { return 300 }
            let isDense = square(z - 11, 6) + square(y - 12, 4) + square(x - 19.5, 2.6) < 1
            return (isDense ? -420 + 120 * noise : -860 + 260 * noise).rounded()
        }
        let isAirway = z > 11 && square(y - 11.5, 1.2) + square(x - 13.5, 1.2) < 1
        return ((isAirway ? -990 : 30) + 20 * noise).rounded()
    }
}
