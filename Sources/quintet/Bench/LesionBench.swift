import Imaging
import ModelCore
import Numerics
import Recipes
import SynthData

/// `quintet bench lesions`: training samples by the lesion generator (method A2), each with a key of its own, made as
/// training makes them: several at the same time, one on each thread.
enum LesionBench {
    /// Samples of one timed repetition: their lesions differ, and so does their time.
    private static let together = 8

    struct Details: Encodable {
        /// Lung volume of the slab over the largest, as in training.
        var lambda: Double
        /// Of the first sample.
        var lesionVoxels: Int
        var voxelsPerSecond: Double
    }

    static func run(_ arguments: Arguments) throws {
        let options = try BenchOptions(arguments, samples: 6), pool = ThreadPool(threadCount: options.threads)
        let field = BenchField(options.shape), lung = field.lungs(closed: false, pool: pool)
        var stream = RandomKey(seed: 1, purpose: .phantomNoise).stream()
        var slab = [Float](repeating: 0, count: field.shape.voxelCount)
        slab.withUnsafeMutableBufferPointer { stream.fill($0) }
        for index in slab.indices { slab[index] *= lung[index] != 0 ? 0.6 : 0 }
        let lambda: Float = 0.9
        let maker = Maker(
            generator: LesionGenerator(settings: options.preset.lesionSettings), slab: slab, lung: lung,
            shape: field.shape, lambda: lambda)
        let pipeline = SamplePipeline(
            first: 0, end: options.samples + 2, batch: together, threadCount: options.threads, newMaker: maker.new)
        defer { pipeline.stop() }
        let seconds = try options.time { _ in
            for _ in 0..<together { pipeline.giveBack(try pipeline.next()) }
        }.map { $0 / Double(together) }
        let summary = BenchSummary("lesions", options: options, pool: pool, seconds: seconds)
        let details = Details(
            lambda: Double(lambda), lesionVoxels: maker.firstSample().lesion.reduce(0) { $0 + Int($1) },
            voxelsPerSecond: Double(field.shape.voxelCount) / summary.secondsPerSample)
        BenchReport(summary: summary, details: details).show(
            options,
            more: "\(together) samples at a time; \(Text.fixed(details.voxelsPerSecond / 1e6, 1)) "
                + "million voxels a second; "
                + "\(details.lesionVoxels) lesion voxels in the first sample")
    }

    private struct Maker: Sendable {
        var generator: LesionGenerator
        var slab: [Float], lung: [UInt8]
        var shape: VolumeShape
        var lambda: Float

        private func make(_ key: LesionKey, into sample: inout LesionSample, workspace: LesionWorkspace) {
            slab.withUnsafeBufferPointer { slab in
                lung.withUnsafeBufferPointer { lung in
                    generator.makeSample(
                        slab: slab, lung: lung, shape: shape, lambda: lambda, key: key, into: &sample,
                        workspace: workspace)
                }
            }
        }

        func firstSample() -> LesionSample {
            var sample = LesionSample()
            make(LesionKey(seed: 1), into: &sample, workspace: LesionWorkspace())
            return sample
        }

        /// For one thread.
        @Sendable func new() -> SamplePipeline.Maker {
            let workspace = LesionWorkspace()
            var lesion: [UInt8] = []
            return { iteration, number, made in
                var sample = LesionSample()
                swap(&sample.image, &made.image)
                swap(&sample.target, &made.target)
                swap(&sample.lesion, &lesion)
                make(LesionKey(seed: 1, iteration: iteration, sample: number), into: &sample, workspace: workspace)
                swap(&sample.image, &made.image)
                swap(&sample.target, &made.target)
                swap(&sample.lesion, &lesion)
            }
        }
    }
}
