import Imaging
import ModelCore
import Numerics
import VotingAggregator

/// `quintet bench postprocess`: from the vote to the lesion mask (method A5), byte masks in and byte masks out.
enum PostprocessBench {
    struct Details: Encodable {
        var lungVoxels: Int
        /// Of the answer without growing and of the answer: what another program must find on the same volume.
        var coreVoxels: Int
        var grownVoxels: Int
        var voxelsPerSecond: Double
    }

    static func run(_ arguments: Arguments) throws {
        let options = try BenchOptions(arguments, size: TensorShape3D(depth: 300, height: 512, width: 512))
        let pool = ThreadPool(threadCount: options.threads), field = BenchField(options.shape)
        let geometry = Geometry(spacing: options.preset.spacing)
        func volume<Element>(_ voxels: [Element]) -> Volume<Element> {
            Volume(shape: field.shape, geometry: geometry, voxels: voxels)
        }
        let lung = volume(field.lungs(closed: true, pool: pool))
        let patient = field.patient(lung: lung.voxels, pool: pool)
        let intensity = volume(patient.intensity), healthy = volume(patient.healthy)
        // Kept from sample to sample, as a program that goes from patient to patient keeps them.
        var core = [UInt8](repeating: 0, count: field.shape.voxelCount), grown = core
        let seconds = try options.time { _ in
            let answer = try PostProcessing.run(
                healthy: healthy, intensity: intensity, lung: lung, settings: options.preset.postProcessingSettings,
                pool: pool)
            answer.core.write(to: &core, pool: pool)
            answer.grown.write(to: &grown, pool: pool)
        }
        let summary = BenchSummary("postprocess", options: options, pool: pool, seconds: seconds)
        func count(_ voxels: [UInt8]) -> Int { voxels.reduce(0) { $0 + Int($1) } }
        let details = Details(
            lungVoxels: count(lung.voxels), coreVoxels: count(core), grownVoxels: count(grown),
            voxelsPerSecond: Double(field.shape.voxelCount) / summary.secondsPerSample)
        BenchReport(summary: summary, details: details).show(
            options,
            more: "\(Text.fixed(details.voxelsPerSecond / 1e6, 1)) million voxels a second; \(details.grownVoxels) "
                + "voxels of lesions, \(details.coreVoxels) without growing")
    }
}
