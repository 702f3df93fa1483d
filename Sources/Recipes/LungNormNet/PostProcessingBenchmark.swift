import Imaging
import ModelCore
import Numerics
import VotingAggregator

/// `quintet bench postprocess`: from the vote to the lesion mask (method A5), byte masks in and byte masks out.
struct PostProcessingBenchmark: RecipeBenchmark {
    var name: String { "postprocess" }
    var title: String { "post-processing" }
    var help: String { "from the vote to the lesion mask; default size 300x512x512" }
    var shape: TensorShape3D? { TensorShape3D(depth: 300, height: 512, width: 512) }
    var repetitionCount: Int { 5 }
    var samplesAtOnce: Int { 1 }

    private struct Details: Encodable {
        var lungVoxels: Int
        /// Of the answer without growing and of the answer: what another program must find on the same volume.
        var coreVoxels: Int
        var grownVoxels: Int
        var voxelsPerSecond: Double
    }

    func prepared(
        _ values: OptionValues, shape: TensorShape3D, repetitionCount: Int, pool: ThreadPool
    ) throws -> BenchmarkRun {
        let preset = try LungOptions.preset(values, default: "paper"), field = BenchmarkField(shape)
        let geometry = Geometry(spacing: preset.spacing), settings = preset.postProcessingSettings
        func volume<Element>(_ voxels: [Element]) -> Volume<Element> {
            Volume(shape: field.shape, geometry: geometry, voxels: voxels)
        }
        let lung = volume(field.lungs(closed: true, pool: pool))
        let patient = field.patient(lung: lung.voxels, pool: pool)
        let intensity = volume(patient.intensity), healthy = volume(patient.healthy)
        // Kept from sample to sample, as a program that goes from patient to patient keeps them.
        var core = [UInt8](repeating: 0, count: field.shape.voxelCount), grown = core
        return BenchmarkRun(
            run: {
                let answer = try PostProcessing.run(
                    healthy: healthy, intensity: intensity, lung: lung, settings: settings, pool: pool)
                answer.core.write(to: &core, pool: pool)
                answer.grown.write(to: &grown, pool: pool)
            },
            details: { secondsPerSample in
                func count(_ voxels: [UInt8]) -> Int { voxels.reduce(0) { $0 + Int($1) } }
                let details = Details(
                    lungVoxels: count(lung.voxels), coreVoxels: count(core), grownVoxels: count(grown),
                    voxelsPerSecond: Double(field.shape.voxelCount) / secondsPerSample)
                return (
                    JSONValue(details),
                    "\(BenchmarkText.millions(details.voxelsPerSecond)) voxels a second; \(details.grownVoxels) "
                        + "voxels of lesions, \(details.coreVoxels) without growing"
                )
            })
    }
}
