import Imaging
import Numerics
import SynthData

/// Training samples of a slab that is noise. On the paper's grid Gaussians are wide, lesions are elastic and reach over
/// the slab; on the demo's they are a few voxels.
enum ProofLesions {
    static let samples: [(preset: Preset, shape: VolumeShape, lambda: Float)] = [
        (.paper, VolumeShape(depth: 9, height: 22, width: 36), 0.3),
        (.demo, VolumeShape(depth: 10, height: 18, width: 30), 0.6),
    ]

    /// On one thread, as samples are made.
    static func add(to proof: inout ProofBytes) {
        for (number, (preset, shape, lambda)) in samples.enumerated() {
            var stream = RandomKey(seed: 2, sample: number, purpose: .phantomNoise).stream()
            var slab = [Float](repeating: 0, count: shape.voxelCount)
            slab.withUnsafeMutableBufferPointer { stream.fill($0) }
            for index in slab.indices { slab[index] *= 0.5 }
            let lung = slab.map { UInt8($0 > 0.02 ? 1 : 0) }
            let volume = Volume(shape: shape, geometry: Geometry(spacing: preset.spacing), voxels: slab)
            let sample = LesionGenerator(settings: preset.lesionSettings).insertLesions(
                volume, lung: volume.with(lung), lambda: lambda, countFactor: 1,
                key: LesionKey(seed: 5, replica: 1, iteration: 2, sample: number))
            proof.add(sample.image)
            proof.add(sample.target)
            proof.add(sample.lesion)
        }
    }
}
