import Foundation
import Imaging
import Numerics

/// A CT volume as the method sees it (A1): on the preset's grid, the lungs centred in the plane.
public struct PreparedVolume: Sendable {
    /// H in [0, 1]: 0 at -800 HU and below and outside the lung, 1 at 100 HU and above.
    public var intensity: Volume<Float>
    /// M.
    public var lung: Mask
    /// The way back to the file's grid.
    public var plan: ResamplingPlan
    public var source: ImageSource
    /// The lung mask on the file's own grid, as it was given or found.
    public var sourceLung: Mask
    /// A1.6; 0 for test volumes.
    public var edgeVoxelsRemoved: Int
    /// What qualifies every figure about it: a sentence each, without the CT's name.
    public var warnings: [String] = []

    /// Stored volumes hold H as whole multiples of 1 / 60000: a hundredth of what CT resolves.
    public static let intensitySteps = 60_000

    public var lungML: Double {
        Double(lung.voxels.reduce(0) { $0 + Int($1) }) * intensity.geometry.voxelML
    }

    public func lungVoxelsBySlice() -> [Int] {
        let plane = lung.shape.sliceVoxelCount
        return (0..<lung.shape.depth).map { z in
            lung.voxels[(z * plane)..<((z + 1) * plane)].reduce(0) { $0 + Int($1) }
        }
    }

    /// Share of the lung's voxels that are bright (H >= tau).
    public func brightShare(tau: Double) -> Double {
        var bright = 0, all = 0
        for (value, inside) in zip(intensity.voxels, lung.voxels) where inside > 0 {
            all += 1
            bright += value >= Float(tau) ? 1 : 0
        }
        return all > 0 ? Double(bright) / Double(all) : 0
    }

    /// The two files of a data set: H as 16-bit NIfTI with slope 1 / 60000, M as 8-bit NIfTI.
    public func encoded() -> (image: [UInt8], lung: [UInt8]) {
        let stored = intensity.with(intensity.voxels.map(Self.stored))
        return (NIfTIFile.encode(stored, slope: Self.intensityStep), NIfTIFile.encode(lung))
    }

    static let intensityStep = 1 / Float(intensitySteps)

    /// H as it is stored, and as it is read.
    static func stored(_ intensity: Float) -> UInt16 { UInt16((intensity * Float(intensitySteps)).rounded()) }
    static func intensity(stored: UInt16) -> Float { Float(stored) * intensityStep }

    /// Reads what `encoded` wrote.
    /// - Throws: `RecipeError.inputRefused` when a file is not of this shape or holds other values.
    static func decode(
        imagePath: String, lungPath: String, name: String, shape: VolumeShape
    ) throws -> DataSetReader.Decoded {
        do {
            let image = try NIfTIFile.read(path: imagePath, name: name + ".image.nii.gz").volume
            let lung = try NIfTIFile.read(path: lungPath, name: name + ".lung.nii.gz").volume
            guard image.shape == shape, lung.shape == shape, image.voxels.allSatisfy({ (0...1.001).contains($0) })
            else {
                throw RecipeError.inputRefused("\(name) of the data set is not what its \(DataSetManifest.fileName) "
                    + "says; make the data set again with quintet prepare")
            }
            let steps = Float(intensitySteps)
            return DataSetReader.Decoded(
                image: image.voxels.map { UInt16(min($0 * steps, steps).rounded()) },
                lung: lung.voxels.map { $0 > 0 ? 1 : 0 })
        } catch let error as ImageFileError {
            throw RecipeError.inputRefused(error.description)
        }
    }
}

extension PreparedVolume {
    /// The slices of the prepared grid that hold any part of these slices of the file (its own order).
    public func preparedSlices(holding fileSlices: Set<Int>) -> Set<Int> {
        guard !fileSlices.isEmpty else { return [] }
        let shape = source.shape, pool = ThreadPool(threadCount: 1)
        var marks = Volume<Float>(repeating: 0, shape: shape, geometry: source.geometry)
        for z in fileSlices {
            for index in (z * shape.sliceVoxelCount)..<((z + 1) * shape.sliceVoxelCount) { marks.voxels[index] = 1 }
        }
        let onGrid = plan.image(marks, pool: pool), plane = onGrid.shape.sliceVoxelCount
        return Set((0..<onGrid.shape.depth).filter { z in
            onGrid.voxels[(z * plane)..<((z + 1) * plane)].contains { $0 > 0 }
        })
    }
    /// The same for slices that somebody has named by `--leave-out`.
    /// - Throws: `RecipeError.inputRefused` where they cannot be of this CT, or leave nothing of it.
    func excludedSlices(holding wanted: Set<Int>) throws -> Set<Int> {
        guard !wanted.isEmpty else { return [] }
        func refused(_ problem: String) -> RecipeError { .inputRefused("\(source.name): \(problem)") }
        guard source.orientation.superiorAxis == 2 else {
            throw refused("--leave-out counts slices along the third axis of the file, which does not run from top to "
                + "bottom of the patient here (it is stored \(source.orientation)); store it with axial slices, or "
                + "leave it out")
        }
        let depth = source.shape.depth
        if let beyond = wanted.filter({ $0 >= depth }).min() {
            let hint = beyond == depth && !wanted.contains(0) ? "they are counted from 0 here, not from 1"
                : "the table is of another scan, or the file was cropped"
            throw refused("--leave-out names slice \(beyond), and it has \(depth), 0 to \(depth - 1); \(hint)")
        }
        let excluded = preparedSlices(holding: wanted)
        let hasRest = lungVoxelsBySlice().enumerated().contains { $1 > 0 && !excluded.contains($0) }
        guard hasRest else {
            throw refused("--leave-out leaves no slice of its lungs; take it out of the data set, or check the table")
        }
        return excluded
    }
}
