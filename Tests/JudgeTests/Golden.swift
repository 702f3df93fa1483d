import Foundation
import Imaging
import ModelCore
import Numerics
import Recipes
import TestSupport

/// The judge's goldens as the program's own types.
extension JudgeGoldens {
    static var pool: ThreadPool { ThreadPool(threadCount: 2) }

    /// The preset that all goldens are made with (`configuration.json`).
    static let preset: Preset = {
        var preset = Preset.demo
        preset.spacing = Spacing(zMM: 6, yMM: 5, xMM: 5)
        (preset.planeHeight, preset.planeWidth, preset.slabDepth) = (32, 48, 8)
        (preset.channels, preset.strides, preset.residualUnits) = ([4, 8], [2], 1)
        return preset
    }()

    func image(_ name: String) throws -> LoadedImage { try ImageFile.read(path: path(name)) }

    func image(beginning name: String) throws -> LoadedImage { try ImageFile.read(path: path(beginning: name)) }

    /// Voxels of a file, 0 or 1.
    func mask(_ name: String) throws -> [UInt8] { try image(name).volume.voxels.map { $0 > 0 ? 1 : 0 } }

    /// H of a file of `round(60000 H)`.
    func intensity(_ name: String) throws -> [Float] {
        try image(name).volume.voxels.map { $0 / Float(PreparedVolume.intensitySteps) }
    }

    func prepared(forTraining: Bool, planeHeight: Int = 32, planeWidth: Int = 48) throws -> PreparedVolume {
        try Preparation.run(
            ct: image(beginning: "ct."), lung: image(beginning: "lung."), preset: Self.preset,
            planeHeight: planeHeight, planeWidth: planeWidth, forTraining: forTraining, pool: Self.pool)
    }

    static func replica(_ number: Int) throws -> UNetModel {
        let name = "replica-\(number).safetensors"
        return try UNetModel(file: SafeTensors(bytes: JudgeGoldens().bytes(name), name: name))
    }

    static var replicaInputs: [RecipeInput] {
        (0..<3).map { number in
            RecipeInput(
                role: "replica", name: "replica-\(number)",
                path: JudgeGoldens().path("replica-\(number).safetensors"))
        }
    }

    static var resources: RecipeResources { RecipeResources(pool: pool, cacheDirectory: "") }
}

/// Where two rows of numbers differ by more than a tolerance: how many places, and the largest difference.
func differences(
    _ found: [Float], _ expected: [Float], beyond tolerance: Float
) -> (count: Int, largest: Float) {
    precondition(found.count == expected.count, "\(found.count) values and \(expected.count) expected ones")
    let apart = zip(found, expected).map { abs($0 - $1) }
    return (apart.count { !($0 <= tolerance) }, apart.max() ?? 0)
}
