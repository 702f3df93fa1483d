import Imaging
import ModelCore
import Numerics
import SynthData

/// `quintet bench lesions`: training samples by the lesion generator (method A2), each with a key of its own.
enum LesionBench {
    struct Details: Encodable {
        /// Lung volume of the slab over the largest, as in training.
        var lambda: Double
        /// Of the timed samples together.
        var lesionVoxels: Int
        var voxelsPerSecond: Double
    }

    static func run(_ arguments: Arguments) throws {
        let options = try BenchOptions(arguments, samples: 16), pool = ThreadPool(threadCount: options.threads)
        let field = BenchField(options.shape), lung = field.lungs(closed: false, pool: pool)
        var stream = RandomKey(seed: 1, purpose: .phantomNoise).stream()
        var slab = [Float](repeating: 0, count: field.shape.voxelCount)
        slab.withUnsafeMutableBufferPointer { stream.fill($0) }
        for index in slab.indices { slab[index] *= lung[index] != 0 ? 0.6 : 0 }
        let generator = LesionGenerator(settings: options.preset.lesionSettings), workspace = LesionWorkspace()
        let lambda: Float = 0.9
        var sample = LesionSample(), lesionVoxels = 0
        let seconds = try slab.withUnsafeBufferPointer { slab in
            try lung.withUnsafeBufferPointer { lung in
                try options.time(after: { lesionVoxels += $0 == 0 ? 0 : sample.lesion.reduce(0) { $0 + Int($1) } }) {
                    generator.makeSample(
                        slab: slab, lung: lung, shape: field.shape, lambda: lambda,
                        key: LesionKey(seed: 1, iteration: $0), into: &sample, workspace: workspace, pool: pool)
                }
            }
        }
        let summary = BenchSummary("lesions", options: options, pool: pool, seconds: seconds)
        let details = Details(
            lambda: Double(lambda), lesionVoxels: lesionVoxels,
            voxelsPerSecond: Double(field.shape.voxelCount) / summary.secondsPerSample)
        BenchReport(summary: summary, details: details).show(
            options,
            more: "\(Text.fixed(details.voxelsPerSecond / 1e6, 1)) million voxels a second; \(lesionVoxels) lesion "
                + "voxels in \(summary.samples) samples")
    }
}
