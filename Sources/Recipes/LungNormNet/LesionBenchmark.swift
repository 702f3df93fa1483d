import Imaging
import ModelCore
import Numerics
import SynthData

/// `quintet bench lesions`: training samples by the lesion generator (method A2), each with a key of its own, made as
/// training makes them: several at the same time, one on each thread.
struct LesionBenchmark: RecipeBenchmark {
    var name: String { "lesions" }
    var title: String { "lesions" }
    var help: String { "one training sample with synthetic lesions" }
    var shape: TensorShape3D? { nil }
    var repetitionCount: Int { 6 }
    /// The lesions of samples differ, and so does their time.
    var samplesAtOnce: Int { 8 }

    private struct Details: Encodable {
        /// Lung volume of the slab over the largest, as in training.
        var lambda: Double
        /// Of the first sample.
        var lesionVoxels: Int
        var voxelsPerSecond: Double
    }

    func prepared(
        _ values: OptionValues, shape: TensorShape3D, repetitionCount: Int, pool: ThreadPool
    ) throws -> BenchmarkRun {
        let preset = try LungOptions.preset(values, default: "paper"), together = samplesAtOnce
        let field = BenchmarkField(shape), lung = field.lungs(closed: false, pool: pool)
        var stream = RandomKey(seed: 1, purpose: .phantomNoise).stream()
        var slab = [Float](repeating: 0, count: field.shape.voxelCount)
        slab.withUnsafeMutableBufferPointer { stream.fill($0) }
        for index in slab.indices { slab[index] *= lung[index] != 0 ? 0.6 : 0 }
        let lambda: Float = 0.9
        let maker = Maker(
            generator: LesionGenerator(settings: preset.lesionSettings), slab: slab, lung: lung, shape: field.shape,
            lambda: lambda)
        let pipeline = SamplePipeline(
            first: 0, end: repetitionCount + 1, batch: together, threadCount: pool.threadCount, newMaker: maker.new)
        return BenchmarkRun(
            run: { for _ in 0..<together { pipeline.giveBack(try pipeline.next()) } },
            end: { pipeline.stop() },
            details: { secondsPerSample in
                let details = Details(
                    lambda: Double(lambda), lesionVoxels: maker.firstSample().lesion.reduce(0) { $0 + Int($1) },
                    voxelsPerSecond: Double(field.shape.voxelCount) / secondsPerSample)
                return (
                    JSONValue(details),
                    "\(together) samples at a time; \(BenchmarkText.millions(details.voxelsPerSecond)) "
                        + "voxels a second; \(details.lesionVoxels) lesion voxels in the first sample"
                )
            })
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
